"""What functions of templates take: Go's parameter types read off Python's annotations. Pure.

A parameter annotated str, int, float or bool takes that type only, as in Go; any other takes any
value. ``*args`` is a variadic parameter. Keyword-only parameters are not visible to templates.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from sidecar.gotemplate.kinds import (
    ANY,
    BOOL,
    FLOAT,
    FUNC,
    INT,
    NILABLE,
    STRING,
    GoType,
    pointer_to,
)
from sidecar.gotemplate.nodes import BoolNode, Node, NumberNode, StringNode
from sidecar.gotemplate.values import INVALID, Pointer, Record, type_of, zero_of

__all__ = ["Fault", "Function", "checked", "constant", "function_of", "ideal"]

_ANNOTATIONS: Final[dict[object, GoType]] = {
    str: STRING,
    int: INT,
    float: FLOAT,
    bool: BOOL,
    "str": STRING,
    "int": INT,
    "float": FLOAT,
    "bool": BOOL,
}
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Fault(Exception):
    """Something is wrong at the node at hand; whoever knows the node makes a message of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A callable with the types it takes; of a variadic one the last type is repeated."""

    go_type: ClassVar[GoType] = FUNC
    call: Callable[..., object]
    params: tuple[GoType, ...]
    variadic: bool = False
    optional: int = 0

    def __call__(self, *args: object) -> object:
        """Call it, unchecked."""
        return self.call(*args)

    def wants(self, count: int, piped: int = 0) -> str | None:
        """Return what is wrong with a number of arguments, of which piped come from a pipe."""
        if self.variadic:
            least = len(self.params) - 1
            return f"want at least {least} got {count - piped}" if count < least else None
        if len(self.params) - self.optional <= count <= len(self.params):
            return None
        return f"want {len(self.params)} got {count}"

    def param(self, index: int) -> GoType:
        """Return the type of an argument."""
        return self.params[min(index, len(self.params) - 1)]


def function_of(call: Callable[..., object]) -> Function:
    """Return the function a callable is to templates."""
    if isinstance(call, Function):
        return call
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):  # some built-in ones tell nothing
        return Function(call, (ANY,), variadic=True)
    params = []
    variadic = False
    optional = 0
    for parameter in parameters:
        if parameter.kind in _POSITIONAL:
            optional += parameter.default is not inspect.Parameter.empty
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            variadic = True
        else:
            continue
        params.append(_ANNOTATIONS.get(parameter.annotation, ANY))
    return Function(call, tuple(params), variadic, optional)


def checked(value: object, want: GoType) -> object:
    """Return a value as an argument of a type; Fault when it cannot be one."""
    if want.kind == "value":
        return value
    if value is INVALID:
        if want.kind not in NILABLE:
            raise Fault(f"invalid value; expected {want}")
        return zero_of(want)
    if want.kind == "interface" and _implements(value, want):
        return value
    have = type_of(value)
    if value is not None and have.name == want.name:
        return value
    if isinstance(value, Pointer) and have.elem is not None and have.elem.name == want.name:
        if value.target is None:
            raise Fault(f"dereference of nil pointer of type {want}")
        return value.target
    if isinstance(value, Record) and pointer_to(have).name == want.name:
        return Pointer(value, want)
    raise Fault(f"wrong type for value; expected {want}; got {have}")


def _implements(value: object, want: GoType) -> bool:
    if not want.methods:
        return True
    return isinstance(value, Record | Pointer) and all(
        value.go_method(name) is not None for name in want.methods
    )


def constant(node: Node, want: GoType) -> object:
    """Return a literal as an argument of a type; Fault when it cannot be one."""
    match want.kind:
        case "bool":
            if isinstance(node, BoolNode):
                return node.value
            raise Fault(f"expected bool; found {node}")
        case "string":
            if isinstance(node, StringNode):
                return node.text
            raise Fault(f"expected string; found {node}")
        case "value":
            return ideal(node)
        case "interface" if not want.methods:
            return ideal(node)
    return _number(node, want)


_NUMBERS: Final = {
    "int": ("integer", "integer"),
    "uint": ("unsigned integer", "unsigned"),
    "float": ("float", "real"),
    "complex": ("complex", "pair"),
}


def _number(node: Node, want: GoType) -> object:
    if want.kind not in _NUMBERS:
        raise Fault(f"can't handle {node} for arg of type {want}")
    word, attribute = _NUMBERS[want.kind]
    value: object = getattr(node.number, attribute) if isinstance(node, NumberNode) else None
    if value is None:
        raise Fault(f"expected {word}; found {node}")
    return value


def ideal(node: Node) -> object:
    """Return a literal's value where nothing asks for a type."""
    if isinstance(node, BoolNode):
        return node.value
    if isinstance(node, StringNode):
        return node.text
    if not isinstance(node, NumberNode):
        raise Fault(f"can't handle assignment of {node} to empty interface argument")
    number = node.number
    if number.pair is not None:
        return number.pair
    text = number.text
    hexadecimal = len(text) > 2 and text[0] == "0" and text[1] in "xX" and not set(text) & set("pP")
    if number.real is not None and not hexadecimal and text[0] != "'" and set(text) & set(".eEpP"):
        return number.real
    if number.integer is None:
        raise Fault(f"{text} overflows int")
    return number.integer
