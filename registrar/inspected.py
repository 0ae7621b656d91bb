"""An inspect document as a Go template sees it: go-dockerclient's Container. Pure.

Structs know their fields (``registrar.shapes``), so that a wrong name is an error and not an empty
tag. Fields that Docker left out, and values of another kind, are zero.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

from registrar.shapes import SHAPES
from sidecar.gotemplate.kinds import BOOL, INT, STRING, GoType, map_of, pointer_to, slice_of
from sidecar.gotemplate.moment import Moment
from sidecar.gotemplate.signatures import Function, function_of
from sidecar.gotemplate.values import Int64, Map, Pointer, Record, Slice

__all__ = ["Inspected", "inspected"]

_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_EMPTY: Final = GoType("struct {}", "struct")
_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    name: {field.lower(): field for field, _ in fields} for name, fields in SHAPES.items()
}


class Inspected(Record):
    """A struct of the document."""

    def __init__(self, name: str, fields: Mapping[str, object]) -> None:
        """Take the struct's name and its fields."""
        self.go_type = _type_of(name)
        self._name = name
        self._fields = dict(fields)

    def go_fields(self) -> Sequence[tuple[str, object]]:
        """Return all fields in order."""
        return tuple(self._fields.items())

    def go_method(self, name: str, /) -> Function | None:
        """Return the methods that make sense in tags."""
        if (self._name, name) == ("State", "StateString"):
            return function_of(self._state)
        if (self._name, name) == ("NetworkSettings", "PortMappingAPI"):
            return function_of(self._ports)
        return None

    def _state(self) -> str:
        has = self._fields
        if has["Running"]:
            return "paused" if has["Paused"] else "restarting" if has["Restarting"] else "running"
        if has["Dead"]:
            return "dead"
        started = has["StartedAt"]
        return "created" if isinstance(started, Moment) and started.is_zero() else "exited"

    def _ports(self) -> Slice:
        found = self._fields["Ports"]
        listed = [
            _port(port, bound)
            for port, bindings in (found.items() if isinstance(found, Map) else ())
            if isinstance(port, _Port) and isinstance(bindings, Slice)
            for bound in (bindings or [None])
        ]
        return Slice(listed, slice_of(_type_of("APIPort")))


class _Port(str):
    """A container port such as ``80/tcp``."""

    __slots__ = ()
    go_type: ClassVar = GoType("docker.Port", "string")
    go_methods: ClassVar[Mapping[str, str]] = {"Port": "port", "Proto": "proto"}

    def port(self) -> str:
        """Return the number."""
        return self.partition("/")[0]

    def proto(self) -> str:
        """Return the protocol."""
        return self.partition("/")[2] or "tcp"


class _Duration(int):
    """A time span in nanoseconds."""

    go_type: ClassVar = GoType("time.Duration", "int")
    go_methods: ClassVar[Mapping[str, str]] = {"String": "text"}

    def text(self) -> str:
        """Return it as Go prints one, such as ``1m40s``."""
        size = abs(int(self))
        if 0 < size < 1_000_000_000:
            unit, name = next(
                (u, n) for u, n in ((10**6, "ms"), (10**3, "µs"), (1, "ns")) if size >= u
            )
            shown = _decimal(size, unit) + name
        else:
            minutes, rest = divmod(size, 60 * 10**9)
            hours, minutes = divmod(minutes, 60)
            shown = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
            shown += _decimal(rest, 10**9) + "s"
        return f"-{shown}" if self < 0 else shown


def inspected(document: object, name: str = "Container") -> Inspected:
    """Return the struct of this name that a document is."""
    given: dict[str, object] = {}
    if isinstance(document, Mapping):
        known = _NAMES[name]
        given = {known.get(str(key).lower(), ""): value for key, value in document.items()}
    return Inspected(name, {field: _made(kind, given.get(field)) for field, kind in SHAPES[name]})


def _made(kind: str, value: object) -> object:
    """Return a value of a kind, or the kind's zero."""
    if kind in _SCALARS:
        return _SCALARS[kind][1](value)
    head, rest = kind[0], kind[1:]
    if head == "[":
        items = value if isinstance(value, list) else ()
        return Slice([_made(rest, item) for item in items], _type_of(kind))
    if head in "{@":
        key: type[str] = _Port if head == "@" else str
        pairs = value.items() if isinstance(value, Mapping) else ()
        return Map({key(name): _made(rest, held) for name, held in pairs}, _type_of(kind))
    if head == "*":
        target = None if value is None else inspected(value, rest)
        return Pointer(target, _type_of(kind))
    return inspected(value, kind)


def _type_of(kind: str) -> GoType:
    if kind in _SCALARS:
        return _SCALARS[kind][0]
    head, rest = kind[0], kind[1:]
    if head == "[":
        return slice_of(_type_of(rest))
    if head in "{@":  # a text may stand for a port, so that index takes one
        return map_of(STRING, _type_of(rest))
    return pointer_to(_type_of(rest)) if head == "*" else GoType(f"docker.{kind}", "struct")


def _moment(value: object) -> Moment:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return Moment(datetime(1, 1, 1, tzinfo=UTC))
    second, fraction, zone = match.groups()
    try:
        found = datetime.fromisoformat(second + ("+00:00" if zone == "Z" else zone))
    except ValueError:
        return Moment(datetime(1, 1, 1, tzinfo=UTC))
    return Moment(found, int((fraction or "0").ljust(9, "0")))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


class _Nothing(Record):
    """The empty struct."""

    go_type = _EMPTY

    def go_fields(self) -> Sequence[tuple[str, object]]:
        """Return none."""
        return ()


_SCALARS: Final[Mapping[str, tuple[GoType, Callable[[object], object]]]] = {
    "s": (STRING, lambda value: value if isinstance(value, str) else ""),
    "b": (BOOL, lambda value: value is True),
    "i": (INT, _number),
    "l": (Int64.go_type, lambda value: Int64(_number(value))),
    "t": (Moment.go_type, _moment),
    "d": (_Duration.go_type, lambda value: _Duration(_number(value))),
    "e": (_EMPTY, lambda _: _Nothing()),
}


def _port(port: _Port, bound: object) -> Inspected:
    fields = dict(bound.go_fields()) if isinstance(bound, Inspected) else {}
    public = str(fields.get("HostPort", ""))
    private = port.port()
    return Inspected(
        "APIPort",
        {
            "PrivatePort": Int64(private if private.isdecimal() else 0),
            "PublicPort": Int64(public if public.isdecimal() else 0),
            "Type": port.proto(),
            "IP": fields.get("HostIP", ""),
        },
    )


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    digits = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)
