"""consul-template's functions on text and encodings, and its scratch. Pure.

The last argument is the one that comes down a pipe.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from sidecar.catalog.regex import compiled
from sidecar.golang.quoting import quoted
from sidecar.golang.reading import base64_of, truth
from sidecar.gotemplate.values import Int64, Map, Uint64
from templater.functions.gojson import read_value
from templater.functions.write_json import write_json
from templater.functions.write_toml import write_toml

__all__ = ["HELPERS", "Scratch"]

_WORD: Final = re.compile(r"\w+(?:['.:·’]\w+)*")
_DIGITS: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FLOAT: Final = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)",
    re.ASCII | re.IGNORECASE,
)


class Scratch:
    """Values kept while one template is executed."""

    go_methods: ClassVar[Mapping[str, str]] = {
        "Get": "get", "Key": "key", "MapSet": "map_set", "MapSetX": "map_set_x",
        "MapValues": "map_values", "Set": "set", "SetX": "set_x",
    }  # fmt: skip

    def __init__(self) -> None:
        """Start with nothing."""
        self._values: dict[str, object] = {}

    def key(self, name: str) -> bool:
        """Say whether there is such a value."""
        return name in self._values

    def get(self, name: str) -> object:
        """Return a value, or nothing."""
        return self._values.get(name)

    def set(self, name: str, value: object) -> str:
        """Keep a value."""
        self._values[name] = value
        return ""

    def set_x(self, name: str, value: object) -> str:
        """Keep a value unless there is one."""
        self._values.setdefault(name, value)
        return ""

    def map_set(self, name: str, key: str, value: object) -> str:
        """Keep a value in a map."""
        self._map(name)[key] = value
        return ""

    def map_set_x(self, name: str, key: str, value: object) -> str:
        """Keep a value in a map unless it has one."""
        self._map(name).setdefault(key, value)
        return ""

    def map_values(self, name: str) -> list[object]:
        """Return a map's values in the order of its keys."""
        held = self._values.get(name)
        if not isinstance(held, Map):
            return []
        return [held[key] for key in sorted(held, key=str)]

    def _map(self, name: str) -> Map:
        held = self._values.setdefault(name, Map({}))
        if not isinstance(held, Map):
            raise TypeError(f"{quoted(name)} is not a map")
        return held


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decoded(name: str, text: str, *, is_url: bool) -> str:
    plain = text.translate({45: "+", 95: "/", 43: "\0", 47: "\0"}) if is_url else text
    try:
        return base64_of(plain).decode("utf-8", "surrogateescape")
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"{name}: {error}") from None


def _base64_decode(text: str) -> str:
    return _decoded("base64Decode", text, is_url=False)


def _base64_url_decode(text: str) -> str:
    return _decoded("base64URLDecode", text, is_url=True)


def _base64_encode(text: str) -> str:
    return base64.b64encode(_bytes(text)).decode()


def _base64_url_encode(text: str) -> str:
    return base64.urlsafe_b64encode(_bytes(text)).decode()


def _indent(spaces: int, text: str) -> str:
    """Put spaces before every line that is not empty."""
    if spaces < 0:
        raise ValueError("indent value must be a positive integer")
    if spaces > 1 << 20:
        raise ValueError("indent value is too large")
    margin = " " * spaces
    return "\n".join(margin + line if line else line for line in text.split("\n"))


def _trim(letters: str, text: str) -> str:
    return text.strip(letters) if letters else text


def _trim_prefix(prefix: str, text: str) -> str:
    return text.removeprefix(prefix)


def _trim_suffix(suffix: str, text: str) -> str:
    return text.removesuffix(suffix)


def _trim_space(text: str) -> str:
    return text.strip(" \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000")


def _parse_bool(text: str) -> bool:
    try:
        return truth(text) if text else False
    except ValueError as error:
        raise ValueError(f"parseBool: {error}") from None


def _parse_float(text: str) -> float:
    if not text:
        return 0.0
    if not _FLOAT.fullmatch(text):
        raise ValueError(f"parseFloat: strconv.ParseFloat: parsing {quoted(text)}: invalid syntax")
    value = float(text)
    if value in {float("inf"), float("-inf")} and "n" not in text.lower():
        raise ValueError(
            f"parseFloat: strconv.ParseFloat: parsing {quoted(text)}: value out of range"
        )
    return value


def _parse_int(text: str) -> int:
    return Int64(_integer("ParseInt", "parseInt", text, -(1 << 63), 1 << 63))


def _parse_uint(text: str) -> int:
    return Uint64(_integer("ParseUint", "parseUint", text, 0, 1 << 64))


def _integer(go_name: str, name: str, text: str, least: int, end: int) -> int:
    if not text:
        return 0
    wrong = f"{name}: strconv.{go_name}: parsing {quoted(text)}"
    if not _DIGITS.fullmatch(text) or (least == 0 and text[0] in "+-") or len(text) > 100:
        raise ValueError(f"{wrong}: invalid syntax")
    value = int(text)
    if not least <= value < end:
        raise ValueError(f"{wrong}: value out of range")
    return value


def _parse_json(text: str) -> object:
    return read_value(text) if text else {}


def _parse_yaml(text: str) -> object:
    from templater.functions.yaml_text import read_yaml  # noqa: PLC0415  (its library loads slowly)

    return read_yaml(text) if text else {}


def _to_yaml(value: object) -> str:
    from templater.functions.yaml_text import write_yaml  # noqa: PLC0415

    return write_yaml(value)


def _regex_match(pattern: str, text: str) -> bool:
    return compiled(pattern).matches(text)


def _regex_replace_all(pattern: str, new: str, text: str) -> str:
    return compiled(pattern).replaced(text, new)


def _replace_all(old: str, new: str, text: str) -> str:
    return text.replace(old, new)


def _lower(text: str) -> str:
    """Go maps letter by letter: what would become two stays."""
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


def _upper(text: str) -> str:
    return "".join(char.upper() if len(char.upper()) == 1 else char for char in text)


def _title(text: str) -> str:
    return _WORD.sub(lambda found: found[0][0].title() + found[0][1:], text)


def _sha256(text: str) -> str:
    return hashlib.sha256(_bytes(text)).hexdigest()


def _md5(text: str) -> str:
    return hashlib.md5(_bytes(text), usedforsecurity=False).hexdigest()


def _hmac(message: str, key: str) -> str:
    return hmac.new(_bytes(key), _bytes(message), hashlib.sha256).hexdigest()


def _named(name: str, write: Callable[[object], str]) -> Callable[[object], str]:
    """Return an encoder whose errors begin with its name."""

    def act(value: object) -> str:
        try:
            return write(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    return act


HELPERS: Final[Mapping[str, Callable[..., object]]] = {
    "base64Decode": _base64_decode,
    "base64Encode": _base64_encode,
    "base64URLDecode": _base64_url_decode,
    "base64URLEncode": _base64_url_encode,
    "hmacSHA256Hex": _hmac,
    "indent": _indent,
    "md5sum": _md5,
    "parseBool": _parse_bool,
    "parseFloat": _parse_float,
    "parseInt": _parse_int,
    "parseJSON": _parse_json,
    "parseUint": _parse_uint,
    "parseYAML": _parse_yaml,
    "regexMatch": _regex_match,
    "regexReplaceAll": _regex_replace_all,
    "replaceAll": _replace_all,
    "sha256Hex": _sha256,
    "toJSON": _named("toJSON", write_json),
    "toJSONPretty": _named("toJSONPretty", lambda value: write_json(value, "  ")),
    "toLower": _lower,
    "toTOML": _named("toTOML", write_toml),
    "toTitle": _title,
    "toUnescapedJSON": _named(
        "toUnescapedJSON", lambda value: write_json(value, escapes_html=False)
    ),
    "toUnescapedJSONPretty": _named(
        "toUnescapedJSONPretty", lambda value: write_json(value, "  ", escapes_html=False)
    ),
    "toUpper": _upper,
    "toYAML": _named("toYAML", _to_yaml),
    "trim": _trim,
    "trimPrefix": _trim_prefix,
    "trimSpace": _trim_space,
    "trimSuffix": _trim_suffix,
}
