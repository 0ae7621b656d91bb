"""Bodies as Go decodes them into structs: names in any case, unknown ones refused. Pure.

A body is described by a tree of kinds. As in Go the whole body is read and the *first* mistake
reported. A struct marked ``opaque`` has a decoder of its own in Consul: mistakes inside it are
reported with the place of the struct, not of the field.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sidecar.config.units import go_duration
from sidecar.errors import ApiError
from sidecar.golang.quoting import quoted
from sidecar.web.consul.gojson import BadJson, Number, Object, Value, read

__all__ = [
    "ANY",
    "BOOL",
    "DURATION",
    "FLOAT",
    "INT",
    "STRING",
    "STRINGS",
    "STRING_MAP",
    "Kind",
    "Listed",
    "Mapped",
    "Struct",
    "decode",
]

_Path = tuple[str, ...]
_INT: Final = re.compile(r"-?[0-9]+")
_INT_LIMIT: Final = 1 << 63
_EXACT: Final = 1 << 53  # whole numbers that a float has all of


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A type of Go, by its name there."""

    go: str


@dataclass(frozen=True, slots=True, eq=False)
class Listed(Kind):
    """A slice."""

    of: Kind


@dataclass(frozen=True, slots=True, eq=False)
class Mapped(Kind):
    """A map with strings as keys."""

    of: Kind


@dataclass(frozen=True, slots=True, eq=False)
class Struct(Kind):
    """A struct; ``aliases`` are other spellings of a field, which it wins over."""

    name: str
    fields: Mapping[str, Kind]
    aliases: Mapping[str, str] = field(default_factory=dict)
    opaque: bool = False
    lenient: bool = False  # takes and ignores what it does not know
    unknown: str = ""  # what Consul adds when the unknown field is Namespace

    def find(self, key: str) -> tuple[str, str, Kind] | None:
        """Return a field's spelling, name and kind; in any case of letters, as Go looks it up."""
        if key in self.fields:
            return key, key, self.fields[key]
        wanted = key.casefold()
        for spelling in (*self.fields, *self.aliases):
            if spelling.casefold() == wanted:
                name = self.aliases.get(spelling, spelling)
                return spelling, name, self.fields[name]
        return None


STRING: Final = Kind("string")
INT: Final = Kind("int")
BOOL: Final = Kind("bool")
FLOAT: Final = Kind("float64")
ANY: Final = Kind("interface {}")
DURATION: Final = Kind("time.Duration")
STRINGS: Final = Listed("[]string", STRING)
STRING_MAP: Final = Mapped("map[string]string", STRING)


def decode(struct: Struct, data: bytes) -> dict[str, Any]:
    """Return the fields that the body has, by their proper names.

    Durations are seconds. Raises ApiError 400 with what Consul says.
    """
    try:
        value = read(data)
    except BadJson as error:
        raise ApiError(400, f"Request decode failed: {error}") from None
    reader = _Reader()
    decoded = reader.value(struct, value, "", ())
    if reader.mistake is not None:
        raise ApiError(400, f"Request decode failed: {reader.mistake}")
    return decoded if isinstance(decoded, dict) else {}


class _Reader:
    """Walks a value and its kind side by side, keeping the first mistake."""

    def __init__(self) -> None:
        self.mistake: str | None = None

    def value(self, kind: Kind, value: Value, struct: str, path: _Path) -> Any:
        """Return the value in Python's types; None for null and for what does not fit."""
        if value is None:
            return None
        match kind, value:
            case Struct(), Object(members):
                decoded: Any = self._struct(kind, members, struct, path)
            case Mapped(of=of), Object(members):
                decoded = {key: self.value(of, each, struct, path) for key, each in members}
            case Listed(of=of), list():
                decoded = [self.value(of, each, struct, path) for each in value]
            case _:
                decoded = self._plain(kind, value, struct, path)
        return decoded

    def _plain(self, kind: Kind, value: Value, struct: str, path: _Path) -> Any:
        if kind is DURATION:
            return self._duration(value)
        if kind is INT and isinstance(value, Number):
            text = value.text
            if _INT.fullmatch(text) and len(text) < 21 and abs(int(text)) < _INT_LIMIT:
                return int(text)
            return self._misfit(kind, f"number {text}", struct, path)
        if kind is FLOAT and isinstance(value, Number):
            number = float(value.text)
            if math.isfinite(number):
                return int(number) if number.is_integer() and abs(number) < _EXACT else number
            return self._misfit(kind, f"number {value.text}", struct, path)
        fits = {STRING: str, BOOL: bool}.get(kind, object if kind is ANY else tuple)
        return value if isinstance(value, fits) else self._misfit(kind, _name(value), struct, path)

    def _struct(
        self, kind: Struct, members: tuple[tuple[str, Value], ...], struct: str, path: _Path
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        hidden = kind.opaque and path
        for key, value in members:
            known = kind.find(key)
            if known is None:
                if not kind.lenient:
                    more = kind.unknown if key == "Namespace" else ""
                    self._keep(f"json: unknown field {quoted(key)}{more}")
                continue
            spelling, name, of = known
            place = (struct, path) if hidden else (kind.name, (*path, spelling))
            decoded = self.value(of, value, *place)
            if decoded is not None and not (spelling != name and name in found):
                found[name] = decoded
        return found

    def _duration(self, value: Value) -> float | None:
        match value:
            case str():
                try:
                    return go_duration(value)
                except ValueError as error:
                    self._keep(str(error))
            case Number(text):
                return min(float(text), float(_INT_LIMIT)) / 1e9
        return None

    def _misfit(self, kind: Kind, what: str, struct: str, path: _Path) -> None:
        place = f"struct field {struct}.{'.'.join(path)}" if path else "value"
        self._keep(f"json: cannot unmarshal {what} into Go {place} of type {kind.go}")

    def _keep(self, mistake: str) -> None:
        if self.mistake is None:
            self.mistake = mistake


def _name(value: Value) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case Number():
            return "number"
        case list():
            return "array"
    return "object"
