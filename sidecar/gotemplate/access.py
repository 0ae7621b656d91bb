"""Fields, keys and methods: what `.Name` finds in a value. Pure."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from sidecar.gotemplate.kinds import ANY, GoType
from sidecar.gotemplate.signatures import Fault, Function, function_of
from sidecar.gotemplate.values import (
    INVALID,
    Pointer,
    Record,
    indirect,
    is_struct,
    type_of,
    zero_of,
)

__all__ = ["field", "fields_of", "method", "quick_field", "static_type"]

_INITIALISMS: Final = frozenset(
    {"api", "dns", "http", "id", "ip", "kv", "pem", "tls", "ttl", "uri", "url"}
)
_Members = Mapping[str, str]
_FIELDS: Final[dict[type, _Members]] = {}
_NO_MEMBERS: Final[_Members] = {}


def field(
    receiver: object, name: str, missing: str, within: object = None, *, has_args: bool = False
) -> object:
    """Return what a field name finds; Fault with Go's text when it finds nothing.

    ``missing`` is the option missingkey. ``within`` is what the receiver was taken from, which
    tells its declared type for messages. ``has_args`` is a fault in all but methods, which are
    looked for before.
    """
    if receiver is INVALID:
        if missing == "error":
            raise Fault(f"nil data; no entry for key {_quoted(name)}")
        return INVALID
    value, is_nil = indirect(receiver)
    if is_nil:
        return _nil_field(receiver, name, within)
    if isinstance(value, Mapping):
        return _entry(value, name, missing, within, has_args=has_args)
    if is_struct(value):
        found = _struct_field(value, name, within)
        if found is not INVALID:
            if has_args:
                raise Fault(f"{name} has arguments but cannot be invoked as function")
            return found
    raise Fault(f"can't evaluate field {name} in type {static_type(receiver, within)}")


def _quoted(name: str) -> str:
    return f'"{name}"'


def static_type(value: object, within: object) -> GoType:
    """Return the declared type of a value taken from a container, else its own."""
    holder = type_of(indirect(within)[0])
    return holder.elem if within is not None and holder.elem is not None else type_of(value)


def _nil_field(receiver: object, name: str, within: object) -> object:
    go_type = static_type(receiver, within)
    if isinstance(receiver, Pointer):
        held = receiver.go_type.elem
        if held is not None and held.kind == "struct" and not receiver.go_has_field(name):
            raise Fault(f"can't evaluate field {name} in type {go_type}")
    raise Fault(f"nil pointer evaluating {go_type}.{name}")


def _entry(
    value: Mapping[object, object], name: str, missing: str, within: object, *, has_args: bool
) -> object:
    found = value.get(name, INVALID)
    if found is not INVALID and not has_args:
        return found
    go_type = type_of(value)
    if go_type.key is not None and go_type.key.kind not in ("string", "interface"):
        raise Fault(f"can't evaluate field {name} in type {static_type(value, within)}")
    if has_args:
        raise Fault(f"{name} is not a method but has arguments")
    if missing == "default":
        return INVALID
    if missing == "error":
        raise Fault(f"map has no entry for key {_quoted(name)}")
    return zero_of(go_type.elem or ANY)


def _struct_field(value: object, name: str, within: object) -> object:
    if isinstance(value, Record):
        for known, found in value.go_fields():
            if known == name:
                if not name[0].isupper():
                    go_type = static_type(value, within)
                    raise Fault(f"{name} is an unexported field of struct type {go_type}")
                return found
        return INVALID
    attribute = _members(type(value)).get(name)
    return INVALID if attribute is None else getattr(value, attribute)


def quick_field(receiver: object, name: str) -> object:
    """Return a field of a dataclass or NamedTuple met before; INVALID in all other cases."""
    attribute = _FIELDS.get(type(receiver), _NO_MEMBERS).get(name)
    return INVALID if attribute is None else getattr(receiver, attribute)


def _members(cls: type) -> _Members:
    """Return the attribute behind each Go field name of a dataclass or NamedTuple."""
    found = _FIELDS.get(cls)
    if found is None:
        if dataclasses.is_dataclass(cls):
            names = [member.name for member in dataclasses.fields(cls)]
        else:
            names = list(getattr(cls, "_fields", ()))
        found = _FIELDS[cls] = {_go_name(name): name for name in names if name[0] != "_"}
    return found


def _go_name(name: str) -> str:
    if name[0].isupper():
        return name
    return "".join(
        part.upper() if part in _INITIALISMS else part.capitalize() for part in name.split("_")
    )


def fields_of(value: object) -> list[tuple[str, object]]:
    """Return the fields of a struct in order."""
    if isinstance(value, Record):
        return list(value.go_fields())
    return [(name, getattr(value, attribute)) for name, attribute in _members(type(value)).items()]


def method(receiver: object, name: str) -> Function | None:
    """Return a method of a value.

    A class shows its methods to templates by ``go_methods``, a mapping from Go name to attribute:
    without that a template could reach any attribute of any object.
    """
    while isinstance(receiver, Pointer) and isinstance(receiver.target, Pointer):
        receiver = receiver.target
    if isinstance(receiver, Record | Pointer):
        return receiver.go_method(name)
    shown = getattr(type(receiver), "go_methods", None)
    if shown is None or name not in shown:
        return None
    bound: Callable[..., object] = getattr(receiver, shown[name])
    return function_of(bound)
