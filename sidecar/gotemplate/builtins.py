"""The functions every template has, but for and and or, which are no calls. Pure."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote_plus

from sidecar.golang.quoting import decoded, encoded
from sidecar.gotemplate import compare
from sidecar.gotemplate.failures import CallFailed
from sidecar.gotemplate.kinds import ANY, NILABLE, STRING, VALUE, GoType
from sidecar.gotemplate.printing import printable, sprint, sprintln
from sidecar.gotemplate.signatures import Function, function_of
from sidecar.gotemplate.values import (
    INVALID,
    Slice,
    Uint8,
    indirect,
    truth,
    type_of,
    zero_of,
)
from sidecar.gotemplate.verbs import sprintf

__all__ = ["builtin_names", "builtins"]

_WHOLE: Final = frozenset({"int", "uint"})
_HTML: Final = str.maketrans(
    {"\0": "�", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_JS: Final = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026"}
    | {"=": "\\u003D"}
    | {chr(code): f"\\u{code:04X}" for code in range(32)}
)


def index(item: object, *indexes: object) -> object:
    """Return what a list, string or map holds at an index, and so on for each further one."""
    if item is None or item is INVALID:
        raise CallFailed("index of untyped nil")
    for at in indexes:
        item, is_nil = indirect(item)
        if is_nil:
            raise CallFailed("index of nil pointer")
        if isinstance(item, Mapping):
            item = _entry(item, at)
        elif isinstance(item, str):
            data = encoded(item)
            item = Uint8(data[_position(at, len(data), "string")])
        elif isinstance(item, list | tuple) and not hasattr(item, "_fields"):
            item = item[_position(at, len(item), "slice")]
        elif isinstance(item, bytes):
            item = Uint8(item[_position(at, len(item), "slice")])
        else:
            raise CallFailed(f"can't index item of type {type_of(item)}")
    return item


def _position(at: object, length: int, indexed: str = "") -> int:
    if at is None or at is INVALID:
        raise CallFailed("cannot index slice/array with nil")
    if type_of(at).kind not in _WHOLE:
        raise CallFailed(f"cannot index slice/array with type {type_of(at)}")
    number = int(at)  # type: ignore[call-overload]
    if number < 0 or number > length:
        raise CallFailed(f"index out of range: {number}")
    if number == length and indexed:  # Go's own check lets this pass, its reflection does not
        raise CallFailed(f"reflect: {indexed} index out of range")
    return int(number)


def _entry(item: Mapping[object, object], key: object) -> object:
    go_type = type_of(item)
    key = _prepared(key, go_type.key or ANY)
    found = item.get(key, INVALID)
    # In Python 1, 1.0 and True are one key; in Go they are three.
    return zero_of(go_type.elem) if found is INVALID else found


def _prepared(value: object, want: GoType) -> object:
    """Return a value as a key or as an argument of ``call``."""
    if value is None or value is INVALID:
        if want.kind not in NILABLE:
            raise CallFailed(f"value is nil; should be of type {want}")
        return zero_of(want)
    have = type_of(value)
    if want.kind == "interface" or have.name == want.name:
        return value
    if have.kind in _WHOLE and want.kind in _WHOLE:
        return int(value)  # type: ignore[call-overload]
    raise CallFailed(f"value has type {have}; should be {want}")


def cut(item: object, *indexes: object) -> object:
    """Return a part of a list or string."""
    if item is None or item is INVALID:
        raise CallFailed("slice of untyped nil")
    if len(indexes) > 3:
        raise CallFailed(f"too many slice indexes: {len(indexes)}")
    item, is_nil = indirect(item)
    if is_nil:
        raise CallFailed("slice of nil pointer")
    if isinstance(item, str):
        if len(indexes) == 3:
            raise CallFailed("cannot 3-index slice a string")
        data = encoded(item)
        start, end = _bounds(indexes, len(data))
        return decoded(data[start:end])
    if not isinstance(item, list | tuple | bytes):
        raise CallFailed(f"can't slice item of type {type_of(item)}")
    start, end = _bounds(indexes, len(item))
    return Slice(item[start:end], item.go_type) if isinstance(item, Slice) else item[start:end]


def _bounds(indexes: tuple[object, ...], length: int) -> tuple[int, int]:
    """Return where a part starts and ends; a third index bounds a capacity Python has not."""
    places = [_position(at, length) for at in indexes]
    start, end = [*places, *(0, length)[len(places) :]][:2]
    if start > end:
        raise CallFailed(f"invalid slice index: {start} > {end}")
    if len(places) == 3 and end > places[2]:
        raise CallFailed(f"invalid slice index: {end} > {places[2]}")
    return start, end


def length(item: object) -> int:
    """Return how much a string (in bytes), list or map holds."""
    if item is INVALID:
        raise CallFailed("reflect: call of reflect.Value.Type on zero Value")
    item, is_nil = indirect(item)
    if is_nil:
        raise CallFailed("len of nil pointer")
    if isinstance(item, str):
        return len(item) if item.isascii() else len(encoded(item))
    if isinstance(item, Mapping | list | tuple | bytes) and not hasattr(item, "_fields"):
        return len(item)
    raise CallFailed(f"len of type {type_of(item)}")


def call(target: object, *args: object) -> object:
    """Call a function that is a value."""
    if target is None or target is INVALID:
        raise CallFailed("call of nil")
    if not isinstance(target, Function) and not callable(target):
        raise CallFailed(f"non-function of type {type_of(target)}")
    function = function_of(target)
    wrong = function.wants(len(args))
    if wrong is not None:
        want, _, got = wrong.partition(" got ")
        raise CallFailed(f"wrong number of args: got {got} {want}")
    ready = []
    for at, value in enumerate(args):
        try:
            ready.append(_prepared(value, function.param(at)))
        except CallFailed as fault:
            raise CallFailed(f"arg {at}: {fault}") from None
    return function.call(*ready)


def _joined(values: tuple[object, ...]) -> str:
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return sprint("<no value>" if value is None else printable(value) for value in values)


def html(*values: object) -> str:
    """Return text for HTML."""
    return _joined(values).translate(_HTML)


def js(*values: object) -> str:
    """Return text for a JavaScript string."""
    shown = _joined(values).translate(_JS)
    if shown.isascii() or shown.isprintable():
        return shown
    return "".join(
        character if character.isascii() or character.isprintable() else f"\\u{ord(character):04X}"
        for character in shown
    )


def urlquery(*values: object) -> str:
    """Return text for the query of a URL."""
    return quote_plus(encoded(_joined(values)))


_VALUES: Final = {
    "index": index,
    "slice": cut,
    "call": call,
    "eq": compare.eq,
}
_PAIRS: Final = {name: getattr(compare, name) for name in ("ge", "gt", "le", "lt", "ne")}
_CONJUNCTIONS: Final = ("and", "or")
_TEXTS: Final[dict[str, Callable[..., str]]] = {
    "html": html,
    "js": js,
    "urlquery": urlquery,
    "print": lambda *values: sprint(values),
    "println": lambda *values: sprintln(values),
}


def builtins(limit: int) -> dict[str, Function]:
    """Return the functions by name; and and or are there for their arity only."""
    out = {name: Function(made, (VALUE, VALUE), variadic=True) for name, made in _VALUES.items()}
    out |= {name: Function(made, (VALUE, VALUE)) for name, made in _PAIRS.items()}
    out |= {name: Function(made, (ANY,), variadic=True) for name, made in _TEXTS.items()}
    out |= {name: Function(truth, (VALUE, VALUE), variadic=True) for name in _CONJUNCTIONS}
    out["len"] = Function(length, (VALUE,))
    out["not"] = Function(lambda value: not truth(value), (VALUE,))
    out["printf"] = Function(
        lambda form, *values: sprintf(form, values, limit), (STRING, ANY), variadic=True
    )
    return out


builtin_names: Final = frozenset(builtins(0))
