"""What the tables of Go's own template tests refer to: values, functions, composite literals."""

from collections.abc import Callable, Iterator

from sidecar.gotemplate.kinds import (
    ANY,
    BOOL,
    COMPLEX,
    FLOAT,
    INT,
    STRING,
    GoType,
    map_of,
    pointer_to,
    slice_of,
)
from sidecar.gotemplate.printing import sprintln
from sidecar.gotemplate.signatures import Function
from sidecar.gotemplate.values import (
    Map,
    Pointer,
    Slice,
    Uint,
    type_of,
    zero_of,
)
from tests.compat.go.gotypes import (
    MSI,
    STRINGER,
    T_METHODS,
    T_NAMES,
    T_TYPE,
    V_TYPE,
    Bound,
    Struct,
    buffer,
    panic,
    t_fields,
    t_value,
    v_value,
)
from tests.compat.go.literals import Composite, Name
from tests.compat.go.meaning import Environment, evaluated

__all__ = ["COMPARED", "ENVIRONMENT", "FUNCTIONS"]


def _count(n: int) -> Iterator[str] | None:
    return iter("abcdefghijklmnop"[:n]) if n else None


def _makemap(*args: str) -> object:
    return Map(dict(zip(args[::2], args[1::2], strict=True)), map_of(STRING, STRING))


def _type_of(value: object) -> str:
    return type_of(value).name


FUNCTIONS: dict[str, Callable[..., object]] = {
    "add": Function(lambda *args: sum(args), (INT,), variadic=True),
    "count": Function(_count, (INT,)),
    "dddArg": Function(lambda a, *b: sprintln([a, list(b)]), (INT, STRING), variadic=True),
    "die": Function(panic("die"), ()),
    "echo": Function(lambda arg: arg, (ANY,)),
    "makemap": Function(_makemap, (STRING,), variadic=True),
    "mapOfThree": Function(lambda: Map({"three": 3}, MSI), ()),
    "oneArg": Function(lambda a: "oneArg=" + a, (STRING,)),
    "returnInt": Function(lambda: 7, ()),
    "stringer": Function(lambda s: s.go_method("String").call(), (STRINGER,)),
    "twoArgs": Function(lambda a, b: "twoArgs=" + a + b, (STRING, STRING)),
    "typeOf": Function(_type_of, (ANY,)),
    "valueString": Function(lambda v: "value is ignored", (STRING,)),
    "vfunc": Function(lambda a, b: "vfunc", (V_TYPE, pointer_to(V_TYPE))),
    "zeroArgs": Function(lambda: "zeroArgs", ()),
    "doPanic": Function(panic("custom panic string"), ()),
}

_MII = map_of(INT, INT)
COMPARED = Pointer(
    Struct(
        GoType("struct {}", "struct"),
        {
            "Uthree": Uint(3),
            "Ufour": Uint(4),
            "NegOne": -1,
            "Three": 3,
            "Ptr": Pointer(0, pointer_to(INT)),
            "NilPtr": Pointer(None, pointer_to(INT)),
            "NonNilMap": Map({}, _MII),
            "Map": Pointer(None, _MII),
            "V1": v_value(0),
            "V2": v_value(0),
            "Iface1": buffer(""),
            "NilIface": None,
        },
    ),
    GoType("*struct {}", "ptr"),
)


# --- literals of the tables ----------------------------------------------------------------------

_TYPES = {
    "int": INT,
    "string": STRING,
    "any": ANY,
    "bool": BOOL,
    "float64": FLOAT,
    "complex128": COMPLEX,
}


def _composite(literal: Composite, space: Environment) -> object:
    name = literal.type
    if name.startswith("map["):
        key, elem = name[4:].split("]", 1)
        items = {
            evaluated(at, space): evaluated(value, space)  # type: ignore[arg-type]
            for at, value in literal.items
        }
        return Map(items, map_of(_TYPES[key], _TYPES[elem]))
    if name.startswith("[]"):
        items_ = [evaluated(value, space) for _, value in literal.items]
        return Slice(items_, slice_of(_TYPES.get(name[2:], ANY)))
    if literal.fields:
        values = [evaluated(value, space) for _, value in literal.items]
        go_type = GoType("struct {}", "struct")
        return Struct(go_type, dict(zip(literal.fields, values, strict=True)))
    if name == "T":
        given = {
            at.text: evaluated(value, space) for at, value in literal.items if isinstance(at, Name)
        }
        return Struct(T_TYPE, {key: _zeroed(v) for key, v in t_fields().items()} | given)
    return tuple(evaluated(value, space) for _, value in literal.items)


def _zeroed(value: object) -> object:
    if isinstance(value, Bound):
        return Bound(None, value.go_type.elem or ANY, value.methods, " ".join(value.names))
    return zero_of(type_of(value))


def _address(value: object) -> object:
    if isinstance(value, Struct) and value.go_type is T_TYPE:
        return Bound(value, T_TYPE, T_METHODS, T_NAMES)
    if isinstance(value, Struct):
        return Bound(value, value.go_type, value.methods, " ".join(value.fields))
    if isinstance(value, Map):
        return Pointer(value, pointer_to(value.go_type))
    return Pointer(value, pointer_to(ANY))


_T = t_value()
ENVIRONMENT = Environment(
    names={
        "tVal": _T,
        "iVal": _T,
        "tSliceOfNil": Slice(
            [Bound(None, T_TYPE, T_METHODS, T_NAMES)], slice_of(pointer_to(T_TYPE))
        ),
        "bigInt": f"0x{(1 << 63) - 1:x}",
        "bigUint": f"0x{1 << 63:x}",
        "noError": True,
        "hasError": False,
    },
    calls={
        "&": _address,
        "uint": Uint,
        "bytes.NewBufferString": buffer,
        "*T": lambda _nil: Bound(None, T_TYPE, T_METHODS, T_NAMES),
        "*map[string]string": lambda _nil: Pointer(None, pointer_to(map_of(STRING, STRING))),
    },
    composite=_composite,
)
