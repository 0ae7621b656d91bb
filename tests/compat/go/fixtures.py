"""The data of Go's own template tests as Python objects: its types T, U, V, W and functions.

Written after the declarations in exec_test.go; what is asserted comes from the tables there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from sidecar.gotemplate.failures import CallFailed
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
from sidecar.gotemplate.printing import sprint, sprintln
from sidecar.gotemplate.signatures import Function
from sidecar.gotemplate.values import (
    Int8,
    Int32,
    Int64,
    Map,
    Pointer,
    Record,
    Slice,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    type_of,
    zero_of,
)
from tests.compat.go.literals import Composite, Environment, Name, evaluated

__all__ = ["COMPARED", "ENVIRONMENT", "FUNCTIONS", "Bound", "Struct", "t_value"]

T_TYPE = GoType("template.T", "struct")
U_TYPE = GoType("template.U", "struct")
V_TYPE = GoType("template.V", "struct")
W_TYPE = GoType("template.W", "struct")
STRINGER = GoType("fmt.Stringer", "interface", methods=frozenset({"String"}))
I_TYPE = GoType("template.I", "interface", methods=frozenset({"Method0"}))
UINT16 = Uint16.go_type
INTS = slice_of(INT)
NIL_DEREFERENCE = "runtime error: invalid memory address or nil pointer dereference"

Methods = Mapping[str, Callable[["Struct | None"], Function]]


class Struct(Record):
    """A struct value with declared fields and the methods of its pointer type."""

    def __init__(
        self, go_type: GoType, fields: Mapping[str, object], methods: Methods | None = None
    ) -> None:
        """Take the type, the fields in order and makers of bound methods."""
        self.go_type = go_type
        self.fields = dict(fields)
        self.methods = methods or {}

    def go_fields(self) -> Sequence[tuple[str, object]]:
        """Return the fields."""
        return list(self.fields.items())

    def go_method(self, name: str) -> Function | None:
        """Return a method bound to this value."""
        made = self.methods.get(name)
        return None if made is None else made(self)

    def __eq__(self, other: object) -> bool:
        """Compare as Go compares structs: field by field."""
        return isinstance(other, Struct) and self.fields == other.fields

    def __hash__(self) -> int:
        """Return the identity's."""
        return id(self)


class Bound(Pointer):
    """A pointer to a struct whose methods also work on nil."""

    def __init__(self, target: Struct | None, elem: GoType, methods: Methods, fields: str) -> None:
        """Take the methods of the pointer type and the names of the struct's fields."""
        super().__init__(target, pointer_to(elem))
        self.methods = methods
        self.names = fields.split()

    def go_method(self, name: str) -> Function | None:
        """Return a method bound to what is pointed to, which may be nothing."""
        made = self.methods.get(name)
        return None if made is None else made(self.target)  # type: ignore[arg-type]

    def go_has_field(self, name: str) -> bool:
        """Tell whether the struct has a field."""
        return name in self.names


def _said(name: str, form: str, nil: str) -> Methods:
    def made(value: Struct | None) -> Function:
        shown = nil if value is None else form.format(*value.fields.values())
        return Function(lambda: shown, ())

    return {name: made}


V_METHODS = _said("String", "<{}>", "nilV")
W_METHODS = _said("Error", "[{}]", "nilW")


def _v(number: int | None, *, pointer: bool = False) -> object:
    value = None if number is None else Struct(V_TYPE, {"j": number}, V_METHODS)
    return Bound(value, V_TYPE, V_METHODS, "j") if pointer else value


def _w(number: int | None, *, pointer: bool = False) -> object:
    value = None if number is None else Struct(W_TYPE, {"k": number}, W_METHODS)
    return Bound(value, W_TYPE, W_METHODS, "k") if pointer else value


U_METHODS: Methods = {
    "TrueFalse": lambda _value: Function(lambda truth: "true" if truth else "", (BOOL,))
}


def _u(text: str) -> Bound:
    return Bound(Struct(U_TYPE, {"V": text}, U_METHODS), U_TYPE, U_METHODS, "V")


def _added(number: object, items: object) -> object:
    return Slice([number + item for item in items], INTS)  # type: ignore[attr-defined]


def _my_error(fails: object) -> object:
    if fails:
        raise CallFailed("my error")
    return False


def _get_u(value: Struct | None) -> object:
    if value is None:
        raise CallFailed(NIL_DEREFERENCE)
    return value.fields["U"]


T_METHODS: Methods = {
    "Method0": lambda _t: Function(lambda: "M0", ()),
    "Method1": lambda _t: Function(lambda a: a, (INT,)),
    "Method2": lambda _t: Function(lambda a, b: f"Method2: {a} {b}", (UINT16, STRING)),
    "Method3": lambda _t: Function(lambda v: "Method3: " + sprint([v]), (ANY,)),
    "Copy": lambda t: Function(lambda: Bound(t, T_TYPE, T_METHODS, T_NAMES), ()),
    "MAdd": lambda _t: Function(_added, (INT, INTS)),
    "MyError": lambda _t: Function(_my_error, (BOOL,)),
    "GetU": lambda t: Function(lambda: _get_u(t), ()),
}


def _panic(text: str) -> Callable[[], object]:
    def raises() -> object:
        raise CallFailed(text)

    return raises


def _typed(key: GoType, elem: GoType, items: Mapping[object, object]) -> Map:
    return Map(items, map_of(key, elem))


MSI = map_of(STRING, INT)
S_TYPE = GoType("template.S", "slice", STRING)


_INTERFACE_NAMES = (
    "Empty0 Empty1 Empty2 Empty3 Empty4 NonEmptyInterface NonEmptyInterfacePtS "
    "NonEmptyInterfaceNil NonEmptyInterfaceTypedNil Str Err PI PS PSI NIL"
)


def t_value() -> Bound:
    """Return tVal."""
    return Bound(Struct(T_TYPE, _t_fields(), T_METHODS), T_TYPE, T_METHODS, T_NAMES)


def _scalars() -> dict[str, object]:
    return {
        "True": True,
        "I": 17,
        "U16": Uint16(16),
        "X": "x",
        "S": "xyz",
        "FloatZero": 0.0,
        "ComplexZero": 0j,
        "U": _u("v"),
        "V0": _v(6666),
        "V1": _v(7777, pointer=True),
        "V2": _v(None, pointer=True),
        "W0": _w(888),
        "W1": _w(999, pointer=True),
        "W2": _w(None, pointer=True),
    }


def _collections() -> dict[str, object]:
    return {
        "SI": Slice([3, 4, 5], INTS),
        "SICap": Slice([0] * 5, INTS),
        "SIEmpty": Slice([], INTS),
        "SB": Slice([True, False], slice_of(BOOL)),
        "AI": Slice([3, 4, 5], GoType("[3]int", "array", INT)),
        "MSI": _typed(STRING, INT, {"one": 1, "two": 2, "three": 3}),
        "MSIone": _typed(STRING, INT, {"one": 1}),
        "MSIEmpty": _typed(STRING, INT, {}),
        "MXI": _typed(ANY, INT, {"one": 1}),
        "MII": _typed(INT, INT, {1: 1}),
        "MI32S": _typed(Int32.go_type, STRING, {Int32(1): "one", Int32(2): "two"}),
        "MI64S": _typed(Int64.go_type, STRING, {Int64(2): "i642", Int64(3): "i643"}),
        "MUI32S": _typed(Uint32.go_type, STRING, {Uint32(2): "u322", Uint32(3): "u323"}),
        "MUI64S": _typed(Uint64.go_type, STRING, {Uint64(2): "ui642", Uint64(3): "ui643"}),
        "MI8S": _typed(Int8.go_type, STRING, {Int8(2): "i82", Int8(3): "i83"}),
        "MUI8S": _typed(Uint8.go_type, STRING, {Uint8(2): "u82", Uint8(3): "u83"}),
        "SMSI": Slice(
            [Map({"one": 1, "two": 2}, MSI), Map({"eleven": 11, "twelve": 12}, MSI)],
            slice_of(MSI),
        ),
    }


def _interfaces() -> dict[str, object]:
    inner = Struct(T_TYPE, {"X": "x"}, T_METHODS)
    return {
        "Empty0": None,
        "Empty1": 3,
        "Empty2": "empty2",
        "Empty3": Slice([7, 8], INTS),
        "Empty4": _u("UinEmpty"),
        "NonEmptyInterface": Bound(inner, T_TYPE, T_METHODS, T_NAMES),
        "NonEmptyInterfacePtS": Pointer(Slice(["a", "b"], S_TYPE), pointer_to(I_TYPE)),
        "NonEmptyInterfaceNil": Pointer(None, I_TYPE),
        "NonEmptyInterfaceTypedNil": Bound(None, T_TYPE, T_METHODS, T_NAMES),
        "Str": _buffer("foozle"),
        "Err": Struct(GoType("errors.errorString", "struct"), {"s": "erroozle"}, _ERROR),
        "PI": Pointer(23, pointer_to(INT)),
        "PS": Pointer("a string", pointer_to(STRING)),
        "PSI": Pointer(Slice([21, 22, 23], INTS), pointer_to(INTS)),
        "NIL": Pointer(None, pointer_to(INT)),
    }


def _functions() -> dict[str, object]:
    return {
        "BinaryFunc": Function(lambda a, b: f"[{a}={b}]", (STRING, STRING)),
        "VariadicFunc": Function(lambda *s: f"<{'+'.join(s)}>", (STRING,), variadic=True),
        "VariadicFuncInt": Function(
            lambda a, *s: f"{a}=<{'+'.join(s)}>", (INT, STRING), variadic=True
        ),
        "NilOKFunc": Function(lambda s: s.target is None, (pointer_to(INT),)),
        "ErrFunc": Function(lambda: "bla", ()),
        "PanicFunc": Function(_panic("test panic"), ()),
        "Tmpl": Pointer(None, GoType("*template.Template", "ptr")),
        "unexported": 0,
    }


def _t_fields() -> dict[str, object]:
    return _scalars() | _collections() | _interfaces() | _functions()


_ERROR = _said("Error", "{}", "")
_STRING = _said("String", "{}", "")


def _buffer(text: str) -> Struct:
    return Struct(GoType("bytes.Buffer", "struct"), {"buf": text}, _STRING)


T_NAMES: str = " ".join([*_scalars(), *_collections(), _INTERFACE_NAMES, *_functions()])


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
    "die": Function(_panic("die"), ()),
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
    "doPanic": Function(_panic("custom panic string"), ()),
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
            "V1": _v(0),
            "V2": _v(0),
            "Iface1": _buffer(""),
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
        return Struct(T_TYPE, {key: _zeroed(v) for key, v in _t_fields().items()} | given)
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
    return Pointer(value, pointer_to(I_TYPE))


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
        "bytes.NewBufferString": _buffer,
        "*T": lambda _nil: Bound(None, T_TYPE, T_METHODS, T_NAMES),
        "*map[string]string": lambda _nil: Pointer(None, pointer_to(map_of(STRING, STRING))),
    },
    composite=_composite,
)
