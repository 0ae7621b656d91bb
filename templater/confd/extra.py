"""Functions that confd's fork adds. Pure.

They are there in both dialects: a template that does not use them does not notice.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from sidecar.catalog.regex import compiled
from sidecar.golang.quoting import quoted
from sidecar.gotemplate.values import Slice, truth
from templater.confd.functions import strings
from templater.confd.store import KVPair
from templater.functions.gojson import read_value

__all__ = ["EXTRA"]

_LONGEST: Final = 64 << 20
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def _default(value: object, *given: object) -> object:
    """Return the last argument, else the first (so it stands at a pipe's end)."""
    return given[-1] if given and truth(given[-1]) else value


def _ternary(yes: object, no: object, condition: bool) -> object:
    return yes if condition else no


def _coalesce(*values: object) -> object:
    return next((value for value in values if truth(value)), None)


def _empty(value: object) -> bool:
    return not truth(value)


def _to_json(value: object) -> str:
    text = json.dumps(_plain(value), separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _to_pretty_json(value: object) -> str:
    return json.dumps(_plain(value), indent=2, sort_keys=True, ensure_ascii=False)


def _plain(value: object) -> object:
    """Return a value as JSON has it: a whole float has no fraction in Go."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, KVPair):
        return {"Key": value.Key, "Value": value.Value}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value


def _from_json(text: str) -> object:
    return read_value(text)


def _indent(width: int, text: str) -> str:
    return "\n".join(" " * width + line for line in text.split("\n"))


def _nindent(width: int, text: str) -> str:
    return "\n" + _indent(width, text)


def _quote(*values: object) -> str:
    return " ".join(quoted(str(value)) for value in values if value is not None)


def _squote(*values: object) -> str:
    return " ".join(f"'{value}'" for value in values if value is not None)


def _regex_match(pattern: str, text: str) -> bool:
    return compiled(pattern).matches(text)


def _regex_find(pattern: str, text: str) -> str:
    found = compiled(pattern).all(text, 1)
    return text[found[0][0] : found[0][1]] if found else ""


def _regex_replace_all(pattern: str, text: str, new: str) -> str:
    return compiled(pattern).replaced(text, new)


def _trim_prefix(text: str, prefix: str) -> str:
    return text.removeprefix(prefix)


def _repeat(count: int, text: str) -> str:
    if count * len(text) > _LONGEST:
        raise ValueError(f"repeat: more than {_LONGEST} characters")
    return text * max(count, 0)


def _nospace(text: str) -> str:
    return "".join(text.split())


def _snake(text: str) -> str:
    return "_".join(word.lower() for word in _WORD.findall(text))


def _kebab(text: str) -> str:
    return "-".join(word.lower() for word in _WORD.findall(text))


def _camel(text: str) -> str:
    return "".join(word.capitalize() for word in _WORD.findall(text))


def _dict(*values: object) -> dict[str, object]:
    if len(values) % 2:
        raise ValueError("dict: an odd number of arguments")
    return {str(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


def _list(*values: object) -> list[object]:
    return list(values)


def _has_key(table: object, key: str) -> bool:
    return key in _table(table)


def _keys(*tables: object) -> Slice:
    return strings(sorted({str(key) for table in tables for key in _table(table)}))


def _values(table: object) -> list[object]:
    found = _table(table)
    return [found[key] for key in sorted(found, key=str)]


def _append(items: object, *more: object) -> list[object]:
    if not isinstance(items, list | tuple):
        raise TypeError("append: the first argument must be a list")
    return [*items, *more]


def _pluck(key: str, *tables: object) -> list[object]:
    return [found[key] for table in tables if key in (found := _table(table))]


def _table(value: object) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is not a map")
    return value


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


EXTRA: Final[Mapping[str, Callable[..., object]]] = {
    "append": _append,
    "camelcase": _camel,
    "coalesce": _coalesce,
    "default": _default,
    "dict": _dict,
    "empty": _empty,
    "fromJson": _from_json,
    "hasKey": _has_key,
    "indent": _indent,
    "kebabcase": _kebab,
    "keys": _keys,
    "list": _list,
    "nindent": _nindent,
    "nospace": _nospace,
    "pluck": _pluck,
    "quote": _quote,
    "regexFind": _regex_find,
    "regexMatch": _regex_match,
    "regexReplaceAll": _regex_replace_all,
    "repeat": _repeat,
    "sha256sum": _sha256,
    "snakecase": _snake,
    "squote": _squote,
    "ternary": _ternary,
    "toJson": _to_json,
    "toPrettyJson": _to_pretty_json,
    "trimPrefix": _trim_prefix,
    "values": _values,
}
