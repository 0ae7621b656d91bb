"""Sprig's commonest functions on text, numbers, encodings and times. Pure.

Numbers are taken in any form, as there: a text that is none counts as 0. Arguments stand so that
the last comes down a pipe.
"""

import base64
import hashlib
import math
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Final

from sidecar.catalog.regex import compiled
from sidecar.golang.quoting import quoted
from sidecar.gotemplate.kinds import STRING, slice_of
from sidecar.gotemplate.printing import text as shown
from sidecar.gotemplate.values import Int64, Slice
from templater.functions.write_json import write_json

__all__ = ["TEXT", "float_of", "int_of", "strings_of", "text_of"]

_STRINGS: Final = slice_of(STRING)
_LONGEST: Final = 16 << 20
_MOST: Final = 1_000_000
_WORD: Final = re.compile(r"[^\W_]+|_+")
_CASES: Final = re.compile(r"[A-Z]+[0-9]*(?=[A-Z][a-z])|[A-Z]?[a-z]+[0-9]*|[A-Z]+[0-9]*|[0-9]+")


def text_of(value: object) -> str:
    """Return any value as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value if isinstance(value, str) else shown(value)


def strings_of(values: object) -> Slice:
    """Return any list as a list of texts; nothing that is nil."""
    if not isinstance(values, list | tuple):
        return Slice([] if values is None else [text_of(values)], _STRINGS)
    return Slice([text_of(value) for value in values if value is not None], _STRINGS)


def float_of(value: object) -> float:
    """Return any value as a float."""
    if isinstance(value, bool):
        return float(value)
    try:
        return float(value) if isinstance(value, str | int | float) else 0.0
    except ValueError:
        return 0.0


def int_of(value: object) -> int:
    """Return any value as a whole number."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value, 0) if value[:2].lower() in {"0x", "0b", "0o"} else int(value, 10)
        except ValueError:
            return 0
    found = float_of(value)
    return int(found) if math.isfinite(found) else 0


def _bounded(text: str) -> str:
    if len(text) > _LONGEST:
        raise ValueError(f"the text would be longer than {_LONGEST} characters")
    return text


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _abbrev(width: int, text: str) -> str:
    return text if width < 4 or len(text) <= width else text[: width - 3] + "..."


def _trunc(width: int, text: str) -> str:
    if width < 0:
        return text[width:] if len(text) > -width else text
    return text[:width]


def _substr(start: int, end: int, text: str) -> str:
    if start < 0:
        return text[: max(end, 0)]
    return text[start:] if end < 0 or end > len(text) else text[start:end]


def _wrap(width: int, text: str, mark: str = "\n", *, cuts: bool = False) -> str:
    lines: list[str] = []
    for word in text.split(" "):
        if lines and len(lines[-1]) + 1 + len(word) <= max(width, 1):
            lines[-1] += f" {word}"
            continue
        lines.append(word)
        while cuts and len(lines[-1]) > width > 0:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return mark.join(lines)


def _wrap_words(width: int, text: str) -> str:
    return _wrap(width, text)


def _snake(text: str, mark: str = "_") -> str:
    return mark.join(word.lower() for word in _CASES.findall(text))


def _camel(text: str) -> str:
    return "".join(_upper_first(part) for part in re.split(r"[_\-\s]+", text))


def _indent(width: int, text: str) -> str:
    margin = " " * max(width, 0)
    return _bounded(margin + text.replace("\n", "\n" + margin))


def _nindent(width: int, text: str) -> str:
    return "\n" + _indent(width, text)


def _quote(*values: object) -> str:
    return " ".join(quoted(text_of(value)) for value in values if value is not None)


def _squote(*values: object) -> str:
    return " ".join(f"'{text_of(value)}'" for value in values if value is not None)


def _cat(*values: object) -> str:
    return " ".join(text_of(value) for value in values if value is not None)


def _repeat(count: int, text: str) -> str:
    if count * len(text) > _LONGEST:
        raise ValueError(f"the text would be longer than {_LONGEST} characters")
    return text * max(count, 0)


def _split_list(mark: str, text: str) -> Slice:
    return Slice(text.split(mark) if mark else list(text), _STRINGS)


def _split(mark: str, text: str) -> dict[str, object]:
    return {f"_{at}": part for at, part in enumerate(_split_list(mark, text))}


def _splitn(mark: str, most: int, text: str) -> dict[str, object]:
    parts = text.split(mark, max(most - 1, 0)) if mark else list(text)
    return {f"_{at}": part for at, part in enumerate(parts)}


def _join(mark: str, values: object) -> str:
    return mark.join(map(str, strings_of(values)))


def _plural(one: str, many: str, count: int) -> str:
    return one if count == 1 else many


def _initials(text: str) -> str:
    return "".join(word[0] for word in text.split())


def _title(text: str) -> str:
    return re.sub(r"(?<![\w'])[^\W\d_]", lambda found: found[0].upper(), text)


def _swap(text: str) -> str:
    return text.swapcase()


def _sort_alpha(values: object) -> Slice:
    return Slice(sorted(map(str, strings_of(values))), _STRINGS)


# --- numbers --------------------------------------------------------------------------------------


def _sum(*values: object) -> int:
    return Int64(sum(map(int_of, values)))


def _product(first: object, *values: object) -> int:
    return Int64(math.prod(map(int_of, (first, *values))))


def _div(a: object, b: object) -> int:
    left, right = int_of(a), int_of(b)
    if right == 0:
        raise ZeroDivisionError("runtime error: integer divide by zero")
    return Int64(abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1))


def _mod(a: object, b: object) -> int:
    left, right = int_of(a), int_of(b)
    if right == 0:
        raise ZeroDivisionError("runtime error: integer divide by zero")
    return Int64(math.fmod(left, right))


def _round(value: object, places: int, *at: float) -> float:
    factor = 10.0**places
    whole, limit = float_of(value) * factor, at[0] if at else 0.5
    fraction = whole - math.floor(whole)
    return (math.ceil(whole) if fraction >= limit else math.floor(whole)) / factor


def _until_step(start: int, stop: int, step: int) -> list[object]:
    if step == 0 or (stop - start) * step < 0:
        return []
    found = range(start, stop, step)
    if len(found) > _MOST:
        raise ValueError(f"more than {_MOST} numbers")
    return list(found)


def _until(count: int) -> list[object]:
    return _until_step(0, count, -1 if count < 0 else 1)


def _seq(*bounds: int) -> str:
    match bounds:
        case (end,):
            start, step = 1, -1 if end < 1 else 1
        case (start, end):
            step = -1 if end < start else 1
        case (start, step, end):
            if step == 0 or (end - start) * step < 0:
                return ""
        case _:
            return ""
    return " ".join(map(str, _until_step(start, end + (1 if step > 0 else -1), step)))


# --- encodings, paths, expressions ----------------------------------------------------------------


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _unbase64(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "surrogateescape")
    except ValueError as error:
        return str(error)


def _unbase32(text: str) -> str:
    try:
        return base64.b32decode(text).decode("utf-8", "surrogateescape")
    except ValueError as error:
        return str(error)


def _regex_find_all(pattern: str, text: str, most: int) -> Slice:
    found = compiled(pattern).all(text, most)
    return Slice([text[each[0] : each[1]] for each in found], _STRINGS)


def _regex_find(pattern: str, text: str) -> str:
    return str(next(iter(_regex_find_all(pattern, text, 1)), ""))


def _regex_split(pattern: str, text: str, most: int) -> Slice:
    if most == 0:
        return Slice((), _STRINGS)
    parts: list[str] = []
    at = end = 0
    for found in compiled(pattern).all(text):
        if 0 < most <= len(parts) + 1:
            break
        end = found[0]
        if found[1]:
            parts.append(text[at:end])
        at = found[1]
    # Go leaves the rest out when the last match begins at the text's end.
    rest = [text[at:]] if end != len(text) or not text else []
    return Slice([*parts, *rest], _STRINGS)


def _directory(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _base(path: str) -> str:
    return PurePosixPath(path).name or ("/" if path.startswith("/") else ".")


def _raw_json(value: object) -> str:
    return write_json(value, escapes_html=False)


TEXT: Final[Mapping[str, Callable[..., object]]] = {
    "abbrev": _abbrev,
    "add": _sum,
    "add1": lambda value: _sum(value, 1),
    "adler32sum": lambda text: str(zlib.adler32(_bytes(text_of(text)))),
    "atoi": int_of,
    "b32dec": lambda text: _unbase32(text_of(text)),
    "b32enc": lambda text: base64.b32encode(_bytes(text_of(text))).decode(),
    "b64dec": lambda text: _unbase64(text_of(text)),
    "b64enc": lambda text: base64.b64encode(_bytes(text_of(text))).decode(),
    "base": _base,
    "camelcase": _camel,
    "cat": _cat,
    "ceil": lambda value: float(math.ceil(float_of(value))),
    "clean": lambda path: str(PurePosixPath(text_of(path))),
    "contains": lambda part, text: text_of(part) in text_of(text),
    "dir": _directory,
    "div": _div,
    "ext": lambda path: PurePosixPath(text_of(path)).suffix,
    "float64": float_of,
    "floor": lambda value: float(math.floor(float_of(value))),
    "hasPrefix": lambda part, text: text_of(text).startswith(text_of(part)),
    "hasSuffix": lambda part, text: text_of(text).endswith(text_of(part)),
    "indent": _indent,
    "initials": _initials,
    "int": int_of,
    "int64": lambda value: Int64(int_of(value)),
    "isAbs": lambda path: text_of(path).startswith("/"),
    "join": _join,
    "kebabcase": lambda text: _snake(text_of(text), "-"),
    "lower": lambda text: text_of(text).lower(),
    "max": lambda *values: Int64(max(map(int_of, values))),
    "min": lambda *values: Int64(min(map(int_of, values))),
    "mod": _mod,
    "mul": _product,
    "nindent": _nindent,
    "nospace": lambda text: "".join(text_of(text).split()),
    "plural": _plural,
    "quote": _quote,
    "regexFind": _regex_find,
    "regexFindAll": _regex_find_all,
    "regexMatch": lambda pattern, text: compiled(pattern).matches(text_of(text)),
    "regexQuoteMeta": lambda text: re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text_of(text)),
    "regexReplaceAll": lambda pattern, text, new: compiled(pattern).replaced(text, new),
    "regexReplaceAllLiteral": lambda pattern, text, new: compiled(pattern).replaced(
        text, new, is_literal=True
    ),
    "regexSplit": _regex_split,
    "repeat": _repeat,
    "replace": lambda old, new, text: text_of(text).replace(text_of(old), text_of(new)),
    "round": _round,
    "seq": _seq,
    "sha1sum": lambda text: hashlib.sha1(_bytes(text_of(text)), usedforsecurity=False).hexdigest(),
    "sha256sum": lambda text: hashlib.sha256(_bytes(text_of(text))).hexdigest(),
    "sha512sum": lambda text: hashlib.sha512(_bytes(text_of(text))).hexdigest(),
    "snakecase": lambda text: _snake(text_of(text)),
    "sortAlpha": _sort_alpha,
    "split": _split,
    "splitList": _split_list,
    "splitn": _splitn,
    "squote": _squote,
    "sub": lambda a, b: Int64(int_of(a) - int_of(b)),
    "substr": _substr,
    "swapcase": _swap,
    "title": lambda text: _title(text_of(text)),
    "toJson": write_json,
    "toPrettyJson": lambda value: write_json(value, "  "),
    "toRawJson": _raw_json,
    "toString": text_of,
    "toStrings": strings_of,
    "trim": lambda text: text_of(text).strip(),
    "trimAll": lambda letters, text: text_of(text).strip(text_of(letters)),
    "trimPrefix": lambda part, text: text_of(text).removeprefix(text_of(part)),
    "trimSuffix": lambda part, text: text_of(text).removesuffix(text_of(part)),
    "trimall": lambda letters, text: text_of(text).strip(text_of(letters)),
    "trunc": _trunc,
    "until": _until,
    "untilStep": _until_step,
    "untitle": lambda text: text_of(text)[:1].lower() + text_of(text)[1:],
    "upper": lambda text: text_of(text).upper(),
    "wrap": _wrap_words,
    "wrapWith": lambda width, mark, text: _wrap(width, text, mark, cuts=True),
}
