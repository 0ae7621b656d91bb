"""Evaluates the expressions that ``literals`` reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sidecar.gotemplate.tokens import Kind
from sidecar.gotemplate.values import Int32
from tests.compat.go.literals import Call, Composite, Expression, Name, Rune, Sum, variables

__all__ = ["Environment", "evaluated", "lexer_names"]


@dataclass
class Environment:
    """What names, calls and composite literals mean."""

    names: Mapping[str, object]
    calls: Mapping[str, Callable[..., object]]
    composite: Callable[[Composite, "Environment"], object]


_CONSTANTS = {"true": True, "false": False, "nil": None}


def evaluated(expression: Expression, space: Environment) -> object:
    """Return what an expression means; KeyError when it needs a name nobody gave."""
    match expression:
        case Name(text):
            return _CONSTANTS[text] if text in _CONSTANTS else space.names[text]
        case Rune(code):
            return Int32(code)
        case Call(Name(text), args):
            return space.calls[text](*[evaluated(arg, space) for arg in args])
        case Call(Sum("*", None, Name(text)), args):
            return space.calls["*" + text](*[evaluated(arg, space) for arg in args])
        case Call(of, args):
            raise KeyError(f"call of {of}")
        case Sum(sign, left, right):
            return _summed(sign, None if left is None else evaluated(left, space), right, space)
        case Composite():
            return space.composite(expression, space)
    return expression


def _summed(sign: str, left: object, right: Expression, space: Environment) -> object:
    if sign in "&*" and left is None:
        return space.calls["&"](evaluated(right, space))
    second = evaluated(right, space)
    if sign == "<<":
        return left << second  # type: ignore[operator]
    if sign == "^":
        bits = 64 if type(second).__name__ == "Uint" else int(type(second).__name__[4:])
        return type(second)((1 << bits) - 1 - second)  # type: ignore[operator, call-arg]
    if left is None:
        return second if sign == "+" else -second  # type: ignore[operator]
    if sign == "-":
        return left - second  # type: ignore[operator]
    if sign == "/":
        return left / second  # type: ignore[operator]
    return left + second  # type: ignore[operator]


def lexer_names(path: Path) -> Environment:
    """Return what the names in lex_test.go mean: kinds of tokens, and tokens."""
    names: dict[str, object] = {f"item{_camel(kind)}": kind for kind in Kind}
    space = Environment(names, {"mkItem": lambda kind, text: (kind, text)}, _tuple)
    for name, expression in variables(path).items():
        names[name] = evaluated(expression, space)
    return space


def _camel(kind: Kind) -> str:
    return "EOF" if kind is Kind.EOF else "".join(map(str.capitalize, kind.name.split("_")))


def _tuple(literal: Composite, space: Environment) -> object:
    return tuple(evaluated(value, space) for _, value in literal.items)
