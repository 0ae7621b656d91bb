"""The adapters, by the name of the program or by the first word of the command line.

``statsd_exporter`` and ``jmx_exporter`` are those programs' command lines; ``adapter KIND`` is the
same with what they lack. Several kinds run in one process with ``and`` between their command
lines: ``adapter statsd --statsd.listen-tcp= and jmx 9404 jmx.yml``.

The module of a kind has ``prepared(program, arguments) -> Sequence[Component] | int``; an int is
the exit status of what is done at once: help, a check.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sidecar.runtime.component import Component

__all__ = ["KINDS", "main"]

USAGE: Final = 2

KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "statsd": (
        "adapter.statsd.cli",
        "StatsD by UDP, TCP and Unix sockets; statsd_exporter's options",
    ),
    "jmx": ("adapter.jmx.cli", "JVMs by JMX; the options and the file of jmx_exporter"),
    "http": ("adapter.http.cli", "HTTP endpoints with JSON or text, by rules"),
}
"""Kind to its module and what it reads."""

_BUSY: Final = frozenset({"statsd"})
"""Kinds that others send to, as fast as they like; the rest ask."""

PROGRAMS: Final[Mapping[str, str]] = {"statsd_exporter": "statsd", "jmx_exporter": "jmx"}
"""Other programs' names to the kind that takes their command line."""

_AND: Final = "and"


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the command line of the program whose name was used."""
    if program in PROGRAMS:
        return _kind(PROGRAMS[program], program, arguments)
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(_usage(program), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else USAGE
    if _AND in arguments:
        return _several(program, arguments)
    kind = arguments[0]
    if kind not in KINDS:
        return _unknown(program, kind)
    return _kind(kind, f"{program} {kind}", arguments[1:])


def _kind(kind: str, program: str, arguments: Sequence[str]) -> int:
    made = _prepared(kind, program, arguments)
    return made if isinstance(made, int) else _run(made, is_busy=kind in _BUSY)


def _several(program: str, arguments: Sequence[str]) -> int:
    lines: list[list[str]] = [[]]
    for word in arguments:
        if word == _AND:
            lines.append([])
        else:
            lines[-1].append(word)
    components: list[Component] = []
    is_busy = False
    for line in lines:
        kind = line[0] if line else ""
        if kind not in KINDS:
            return _unknown(program, kind)
        made = _prepared(kind, f"{program} {kind}", line[1:])
        if isinstance(made, int):
            return made
        components += made
        is_busy |= kind in _BUSY
    return _run(components, is_busy=is_busy)


def _prepared(kind: str, program: str, arguments: Sequence[str]) -> "Sequence[Component] | int":
    made: Sequence[Component] | int
    made = import_module(KINDS[kind][0]).prepared(program, arguments)
    return made


def _run(components: "Sequence[Component]", *, is_busy: bool) -> int:
    from adapter.running import run  # noqa: PLC0415 - after the command lines were found right

    return run(components, is_busy=is_busy)


def _unknown(program: str, kind: str) -> int:
    known = ", ".join(KINDS)
    print(f"{program}: there is no adapter {kind!r}; there are: {known}", file=sys.stderr)
    return USAGE


def _usage(program: str) -> str:
    kinds = "\n".join(f"  {kind:<8}{meaning}" for kind, (_, meaning) in KINDS.items())
    return (
        f"usage: {program} KIND OPTIONS [and KIND OPTIONS ...]\n\n"
        f"Foreign statistics as Prometheus metrics. Kinds:\n{kinds}\n\n"
        f"{program} KIND -h shows its options; with `and` several run in one process."
    )
