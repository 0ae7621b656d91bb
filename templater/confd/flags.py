"""Command lines to values by flag: Go's flag syntax, and the fork's subcommands. Pure.

Go: one hyphen or two, ``-x v`` or ``-x=v``; a boolean stands alone or has ``=true``, it never eats
the next word; flags end at the first other word. The fork's command line is told from confd's by
its first word that is no flag: a backend's name.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sidecar.config.units import duration
from sidecar.golang.reading import integer, truth
from templater.confd.options import BACKENDS, CLOUDS, FORK_ONLY, OPTIONS, Dialect, Kind

__all__ = ["Given", "UsageError", "parse", "usage"]

_SHORT: Final = {"n": "node", "v": "version"}
_HELP: Final = frozenset({"h", "help"})


class UsageError(Exception):
    """The command line cannot be understood; the message goes before the usage."""


class Given(NamedTuple):
    """What a command line says: the dialect, and values by flag, lists in their order."""

    dialect: Dialect
    values: Mapping[str, Sequence[str]]


def parse(arguments: Sequence[str]) -> Given:
    """Return the values of a command line. Raises UsageError; an empty message asks for help."""
    values: dict[str, list[str]] = {}
    words = list(arguments)
    dialect = Dialect.CONFD
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            if dialect is Dialect.FORK or word not in {*BACKENDS, *CLOUDS}:
                break  # as Go: what follows is not looked at
            dialect = Dialect.FORK
            values["backend"] = [word]
        elif word == "--":
            break
        else:
            name, value = _flag(word, words)
            values.setdefault(name, []).append(value)
    return Given(dialect, values)


def _flag(word: str, rest: list[str]) -> tuple[str, str]:
    """Return flag and value of a word; takes the value from the rest when it stands there."""
    body = word[2:] if word.startswith("--") else word[1:]
    name, equals, value = body.partition("=")
    if not name or name.startswith("-"):
        raise UsageError(f"bad flag syntax: {word}")
    shown, name = name, _SHORT.get(name, name)
    if name in _HELP:
        raise UsageError("")
    if name.startswith("no-") and name[3:] in OPTIONS and not equals:
        name, equals, value = name[3:], "=", "false"
    if name not in OPTIONS:
        raise UsageError(f"flag provided but not defined: -{shown}")
    if OPTIONS[name].kind is Kind.BOOL:
        value = value if equals else "true"
        try:
            truth(value)
        except ValueError:
            raise UsageError(f'invalid boolean value "{value}" for -{shown}: parse error') from None
        return name, value
    if not equals:
        if not rest:
            raise UsageError(f"flag needs an argument: -{shown}")
        value = rest.pop(0)
    if name == "interval":
        value = _seconds(value)
    return name, value


def _seconds(text: str) -> str:
    """Return a whole number as Go writes one, or a duration, which is ours."""
    try:
        return str(integer(text))
    except ValueError:
        pass
    try:
        duration(text)
    except ValueError:
        raise UsageError(f'invalid value "{text}" for flag -interval: parse error') from None
    return text


def usage(program: str) -> str:
    """Return the help text, as Go's flag package lays it out."""
    lines = [f"Usage of {program}:"]
    for name in sorted(OPTIONS):
        option = OPTIONS[name]
        words = {Kind.BOOL: "", Kind.LIST: " value", Kind.NUMBER: " int", Kind.SECONDS: " duration"}
        default = option.default if option.default not in {"", "false"} else ""
        shown = f' (default "{default}")' if default else ""
        fork = " [also taken from the fork]" if name in FORK_ONLY else ""
        lines.append(f"  -{name}{words.get(option.kind, ' string')}")
        lines.append(f"    \t{option.help}{shown}{fork}")
    lines.append(f"Or: {program} BACKEND [flags], BACKEND one of {' '.join(BACKENDS)}")
    return "\n".join(lines) + "\n"
