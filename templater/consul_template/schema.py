"""Which keys configuration files have, and how each value is read. Pure.

A file becomes nested plain dicts of read values; files and the command line are then merged as
such. Every mistake is told with file, line and column; an unknown key with the nearest known one.
"""

import difflib
import enum
import re
import signal
from collections.abc import Callable, Mapping
from typing import Any, Final

from sidecar.config.units import go_duration
from sidecar.golang.quoting import quoted
from sidecar.golang.reading import truth
from templater.consul_template.hcl import Block, HclError, Item, Value, parse

__all__ = ["Kind", "Schema", "Tree", "converted", "merged", "read_file", "wait_of"]

Tree = dict[str, Any]


class Kind(enum.Enum):
    """How a value is read."""

    BOOL = enum.auto()
    COMMAND = enum.auto()
    """A text, or a list of words."""
    DURATION = enum.auto()
    FLOAT = enum.auto()
    INT = enum.auto()
    MODE = enum.auto()
    """Permissions, text in octal."""
    SIGNAL = enum.auto()
    STRING = enum.auto()
    STRINGS = enum.auto()
    """A list of texts, or one text with commas; later ones are added."""
    WAIT = enum.auto()
    """A block, or ``min:max``."""
    ADDRESS = enum.auto()
    """A block of CONSUL, or only the address in it."""
    BLOCKS = enum.auto()
    """A block that may be given many times."""


Schema = Mapping[str, "Kind | Schema | tuple[Kind, Schema]"]

_NANOSECONDS: Final = 1e-9


def read_file(text: str, name: str, schema: Schema) -> tuple[Tree, list[str]]:
    """Return what a file says, and every mistake as a line of text."""
    try:
        block = parse(text)
    except HclError as error:
        return {}, [f"{name}:{error.line}:{error.column}: {error.text}"]
    reader = _Reader(name)
    return reader.block(block, schema, ""), reader.problems


class _Reader:
    def __init__(self, name: str) -> None:
        self._name = name
        self.problems: list[str] = []

    def block(self, block: Block, schema: Schema, where: str) -> Tree:
        found: Tree = {}
        for item in block.items:
            key = item.keys[0].lower()
            path = f"{where}{key}"
            if key not in schema:
                self._unknown(item, path, schema)
                continue
            try:
                value = self._value(item, schema[key], path)
            except ValueError as error:
                self._problem(item, f"{path}: {error}")
                continue
            found = merged(found, {key: value})
        return found

    def _value(self, item: Item, kind: "Kind | Schema | tuple[Kind, Schema]", path: str) -> Any:
        value = item.value
        if isinstance(kind, Mapping):
            return self._blocks(value, kind, path)
        if not isinstance(kind, tuple):
            return converted(kind, value)
        what, schema = kind
        if what is Kind.BLOCKS:
            each = value if isinstance(value, list) else [value]
            return [self._one(one, schema, path) for one in each]
        if isinstance(value, str):
            return {"address": value} if what is Kind.ADDRESS else wait_of(value)
        return self._blocks(value, schema, path)

    def _blocks(self, value: Value, schema: Schema, path: str) -> Tree:
        """Return a block; several in a list, as JSON may have them, are one."""
        found: Tree = {}
        for one in value if isinstance(value, list) else [value]:
            found = merged(found, self._one(one, schema, path))
        return found

    def _one(self, value: Value, schema: Schema, path: str) -> Tree:
        if not isinstance(value, Block):
            raise ValueError("must be a block in braces")  # noqa: TRY004  (as all mistakes here)
        return self.block(value, schema, f"{path}.")

    def _unknown(self, item: Item, path: str, schema: Schema) -> None:
        near = difflib.get_close_matches(item.keys[0].lower(), list(schema), 1, 0.6)
        hint = f"; did you mean {near[0]}?" if near else ""
        self._problem(item, f"{path} is no option{hint}")

    def _problem(self, item: Item, text: str) -> None:
        place = f":{item.line}:{item.column}" if item.line else ""
        self.problems.append(f"{self._name}{place}: {text}")


def merged(tree: Tree, other: Tree) -> Tree:
    """Return both, the other winning; blocks are merged, lists of texts and blocks added."""
    found = dict(tree)
    for key, value in other.items():
        mine = found.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            found[key] = merged(mine, value)
        elif isinstance(mine, list) and isinstance(value, list):
            found[key] = mine + value
        else:
            found[key] = value
    return found


def converted(kind: Kind, value: Value) -> Any:
    """Return a value as its key wants it. Raises ValueError."""
    return _CONVERSIONS[kind](value)


def wait_of(text: str) -> Tree:
    """Return the timers of ``min`` or ``min:max``. Raises ValueError in the peer's words."""
    parts = [part.strip() for part in text.split(":")]
    if not text.strip():
        raise ValueError("wait: cannot be empty")
    if len(parts) > 2:
        raise ValueError("wait: invalid format")
    least = go_duration(parts[0])
    most = go_duration(parts[1]) if len(parts) == 2 else 4 * least
    if least < 0 or most < 0:
        raise ValueError("wait: cannot be negative")
    if most < least:
        raise ValueError("wait: min must be less than max")
    return {"min": least, "max": most}


# --- kinds ----------------------------------------------------------------------------------------


def _string(value: Value) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"must be text, not {_shown(value)}")


def _bool(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return truth(value)
    raise ValueError(f"must be true or false, not {_shown(value)}")


def _int(value: Value) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"must be a whole number, not {_shown(value)}")


def _float(value: Value) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"must be a number, not {_shown(value)}")


def _duration(value: Value) -> float:
    """Return seconds; a bare number is nanoseconds, as in the peer."""
    if isinstance(value, str):
        return go_duration(value)
    return _int(value) * _NANOSECONDS


def _mode(value: Value) -> int:
    if isinstance(value, str):
        if not re.fullmatch(r"[0-7]{1,4}", value, re.ASCII):
            raise ValueError(f"strconv.ParseUint: parsing {quoted(value)}: invalid syntax")
        return int(value, 8)
    mode = _int(value)
    if not 0 <= mode < 1 << 12:
        raise ValueError(f"{mode:o} (octal) is no mode of a file")
    return mode


def _signal(value: Value) -> signal.Signals | None:
    """Return the signal; None for the empty text, which means none."""
    name = _string(value).upper()
    if name in {"", "SIGNULL", "NIL"}:
        return None
    full = name if name.startswith("SIG") else f"SIG{name}"
    try:
        return signal.Signals[full]
    except KeyError:
        raise ValueError(f"invalid signal {quoted(_string(value))}") from None


def _strings(value: Value) -> list[str]:
    if isinstance(value, str):
        return value.split(",") if value else []
    if isinstance(value, list):
        return [_string(one) for one in value]
    raise ValueError(f"must be a list of texts, not {_shown(value)}")


def _command(value: Value) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list):
        return tuple(_string(one) for one in value)
    raise ValueError(f"must be text or a list of words, not {_shown(value)}")


def _shown(value: Value) -> str:
    return "a block" if isinstance(value, Block) else repr(value)


_CONVERSIONS: Final[Mapping[Kind, Callable[[Value], object]]] = {
    Kind.BOOL: _bool,
    Kind.COMMAND: _command,
    Kind.DURATION: _duration,
    Kind.FLOAT: _float,
    Kind.INT: _int,
    Kind.MODE: _mode,
    Kind.SIGNAL: _signal,
    Kind.STRING: _string,
    Kind.STRINGS: _strings,
    Kind.WAIT: lambda value: wait_of(_string(value)),
}
