"""Any value as Go's fmt prints it by one verb; print and println. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from sidecar.golang.quoting import decoded
from sidecar.gotemplate.access import fields_of, method
from sidecar.gotemplate.failures import LimitExceeded
from sidecar.gotemplate.kinds import GoType
from sidecar.gotemplate.numerals import (
    Flags,
    complex_text,
    float_text,
    hex_text,
    integer_text,
    pad,
    string_text,
)
from sidecar.gotemplate.values import (
    INVALID,
    Pointer,
    Record,
    Uint8,
    indirect,
    is_struct,
    type_of,
)

__all__ = ["formatted", "printable", "sorted_items", "sprint", "sprintln", "text"]

_NIL: Final = "<nil>"
_ADDRESS: Final = "0xc000010000"  # of anything: a true one would differ with every render
_RANKS: Final = {"bool": 1, "int": 2, "uint": 2, "float": 3, "string": 4}


def text(value: object) -> str:
    """Return what a template prints for a value."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]
    if kind is int:
        return str(value)
    if value is INVALID or value is None:
        return "<no value>"
    return formatted(printable(value), "v", Flags())


def printable(value: object) -> object:
    """Follow pointers as far as printing does; INVALID becomes Go's words for it."""
    if isinstance(value, Pointer) and _own_text(value) is None:
        value = indirect(value)[0]
    return "<no value>" if value is INVALID else value


def sprint(values: Iterable[object]) -> str:
    """Return values as print does: a blank between two of which neither is a string."""
    out: list[str] = []
    after_string = True
    for value in values:
        is_string = isinstance(value, str)
        if out and not is_string and not after_string:
            out.append(" ")
        out.append(formatted(value, "v", Flags()))
        after_string = is_string
    return "".join(out)


def sprintln(values: Iterable[object]) -> str:
    """Return values as println does: always a blank between two, and a new line."""
    return " ".join(formatted(value, "v", Flags()) for value in values) + "\n"


def formatted(value: object, verb: str, flags: Flags, depth: int = 0) -> str:
    """Return one value by one verb; a verb that does not fit shows as Go's complaint."""
    if value is None or value is INVALID:
        return pad(_NIL, flags) if verb in "Tv" and not depth else _nil(verb, flags, depth)
    if verb == "T":
        return string_text(type_of(value).name, "s", flags) or ""
    own = None if flags.sharp_v or verb not in "vsxXq" else _own_text(value)
    shown = string_text(own, verb, flags) if own is not None else _shown(value, verb, flags, depth)
    if shown is None:
        shown = _wrong(value, verb, flags)
    flags.room -= len(shown)
    if flags.room < 0:
        raise LimitExceeded("output limit exceeded")
    return shown


def _nil(verb: str, flags: Flags, depth: int) -> str:
    if not depth:
        return f"%!{verb}({_NIL})"
    return "interface {}(nil)" if flags.sharp_v else _NIL


def _wrong(value: object, verb: str, flags: Flags) -> str:
    """Return the complaint; width and the like still count for the value in it."""
    return f"%!{verb}({type_of(value)}={formatted(value, 'v', flags)})"


def _own_text(value: object) -> str | None:
    """Return what a value's Error or String method says."""
    if not isinstance(value, Record | Pointer) and not hasattr(type(value), "go_methods"):
        return None
    for name in ("Error", "String"):
        found = method(value, name)
        if found is not None:
            return str(found.call())
    return None


def _shown(value: object, verb: str, flags: Flags, depth: int) -> str | None:
    go_type = type_of(value)
    if isinstance(value, Pointer):
        return _pointer(value, verb, flags, depth)
    scalar = _SCALARS.get(go_type.kind)
    if scalar is not None:
        return scalar(value, verb, flags, go_type)
    if isinstance(value, bytes):
        return _bytes(value, verb, flags, depth)
    return _composite(value, verb, flags, depth, go_type)


def _composite(value: object, verb: str, flags: Flags, depth: int, go_type: GoType) -> str | None:
    if isinstance(value, Mapping):
        return _map(value, verb, flags, depth, go_type)
    if is_struct(value):
        return _struct(value, verb, flags, depth, go_type)
    if isinstance(value, list | tuple):
        return _list(list(value), verb, flags, depth, go_type)
    return pad(_ADDRESS, flags) if verb in "vp" else None


# --- scalars -------------------------------------------------------------------------------------


def _bool(value: object, verb: str, flags: Flags, _type: GoType) -> str | None:
    return pad("true" if value else "false", flags) if verb in "tv" else None


def _integer(value: object, verb: str, flags: Flags, go_type: GoType) -> str | None:
    number = int(value)  # type: ignore[call-overload]
    return integer_text(number, verb, flags, signed=go_type.kind == "int")


def _float(value: object, verb: str, flags: Flags, _type: GoType) -> str | None:
    return float_text(float(value), verb, flags)  # type: ignore[arg-type]


def _complex(value: object, verb: str, flags: Flags, _type: GoType) -> str | None:
    return complex_text(complex(value), verb, flags)  # type: ignore[call-overload]


def _string(value: object, verb: str, flags: Flags, _type: GoType) -> str | None:
    return string_text(str(value), verb, flags)


_SCALARS: Final[dict[str, Callable[[object, str, Flags, GoType], str | None]]] = {
    "bool": _bool,
    "int": _integer,
    "uint": _integer,
    "float": _float,
    "complex": _complex,
    "string": _string,
}


# --- composites ----------------------------------------------------------------------------------


def _pointer(value: Pointer, verb: str, flags: Flags, depth: int) -> str | None:
    if value.target is None:
        return pad(_NIL, flags) if verb == "v" else f"%!{verb}({value.go_type}={_NIL})"
    if not depth and (is_struct(value.target) or isinstance(value.target, Mapping | list)):
        return "&" + formatted(value.target, verb, flags, depth + 1)
    return pad(_ADDRESS, flags) if verb in "vp" else None


def _bytes(data: bytes, verb: str, flags: Flags, depth: int) -> str | None:
    if verb in "sq":
        return string_text(decoded(data), verb, flags)
    if verb in "xX":
        return hex_text(data, verb, flags)
    if flags.sharp_v:
        shown = [integer_text(byte, "v", flags, signed=False) or "" for byte in data]
        return f"[]{'uint8' if depth else 'byte'}{{{', '.join(shown)}}}"
    if verb not in "vd":
        return "[" + " ".join(formatted(Uint8(byte), verb, flags, 1) for byte in data) + "]"
    return "[" + " ".join(integer_text(b, "d", flags, signed=False) or "" for b in data) + "]"


def _list(items: list[object], verb: str, flags: Flags, depth: int, go_type: GoType) -> str:
    shown = [formatted(item, verb, flags, depth + 1) for item in items]
    if flags.sharp_v:
        return f"{go_type}{{{', '.join(shown)}}}"
    return "[" + " ".join(shown) + "]"


def _map(
    value: Mapping[object, object], verb: str, flags: Flags, depth: int, go_type: GoType
) -> str:
    shown = [
        formatted(key, verb, flags, depth + 1) + ":" + formatted(held, verb, flags, depth + 1)
        for key, held in sorted_items(value)
    ]
    if flags.sharp_v:
        return f"{go_type}{{{', '.join(shown)}}}"
    return "map[" + " ".join(shown) + "]"


def _struct(value: object, verb: str, flags: Flags, depth: int, go_type: GoType) -> str:
    shown = []
    for name, held in fields_of(value):
        label = f"{name}:" if flags.plus_v or flags.sharp_v else ""
        shown.append(label + formatted(held, verb, flags, depth + 1))
    if flags.sharp_v:
        return f"{go_type}{{{', '.join(shown)}}}"
    return "{" + " ".join(shown) + "}"


def sorted_items(value: Mapping[object, object]) -> list[tuple[object, object]]:
    """Return a map's entries in the order Go prints and ranges over them."""
    keys = list(value)
    try:
        if all(type(key) is str for key in keys):
            return [(key, value[key]) for key in sorted(keys)]  # type: ignore[type-var]
        return [(key, value[key]) for key in sorted(keys, key=_rank)]
    except TypeError:
        return list(value.items())


def _rank(key: object) -> tuple[int, object]:
    kind = type_of(key).kind
    return _RANKS.get(kind, 0 if key is None else 5), "" if key is None else key
