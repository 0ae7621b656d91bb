"""The registrar alone: Registrator's command line (``registrar.flags``), texts and exit statuses.

0 as asked, 1 what cannot work, 2 wrong usage.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final

from registrar.flags import DROP_IN, FLAGS, Fatal, options_of, refusal_of, usage_of
from registrar.loglines import line_of
from registrar.options import Options
from sidecar import __version__
from sidecar.config.goflags import FlagError, Help, Parsed, parse
from sidecar.config.load import load
from sidecar.errors import PinnaceError
from sidecar.runtime import log

__all__ = ["main", "options_from"]

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2


def main(
    program: str,
    arguments: Sequence[str],
    environ: Mapping[str, str] = os.environ,
    run: Callable[[Options], int] | None = None,
) -> int:
    """Run the command line of ``program``; return the exit status."""
    if [*arguments] == ["--version"]:
        print(__version__)
        return OK
    drop_in = program == DROP_IN
    if drop_in:
        _say(log.go_line(f"Starting {program} {__version__} ..."))
    try:
        parsed = parse(FLAGS, arguments)
    except Help:
        _say(usage_of(program))
        return OK
    except FlagError as error:
        return _misused(program, f"{error}")
    try:
        return _main(program, parsed, environ, run)
    except PinnaceError as error:
        if not drop_in:
            raise
        _say(log.go_line(log.escape(str(error).replace("\n", "; "))))
        return FAILURE


def options_from(program: str, parsed: Parsed, environ: Mapping[str, str]) -> Options | str:
    """Return what is asked for, or why the words are wrong. Raises Fatal or ConfigError."""
    loaded = load({}, environ, parsed.text("config") or None)
    given = frozenset(key for key, origin in loaded.origins.items() if origin.kind != "default")
    refusal = refusal_of(parsed, needs_store=not loaded.settings.registrar.stores)
    if refusal is not None:
        return refusal
    return options_of(parsed, loaded.settings, given, drop_in=program == DROP_IN)


def _main(
    program: str,
    parsed: Parsed,
    environ: Mapping[str, str],
    run: Callable[[Options], int] | None,
) -> int:
    try:
        options = options_from(program, parsed, environ)
    except Fatal as error:
        _say(log.go_line(log.escape(str(error))) if program == DROP_IN else f"{program}: {error}")
        return FAILURE
    if isinstance(options, str):
        return _misused(program, options)
    line = line_of if options.style == "registrator" else None
    log.configure(options.log.format, options.log.level, line=line)
    if options.settings.ip and line is not None:
        _say(log.go_line(f"Forcing host IP to {options.settings.ip}"))
    status: int = (run or import_module("registrar.daemon").main)(options)
    return status


def _misused(program: str, text: str) -> int:
    _say(text)
    _say(usage_of(program))
    return USAGE


def _say(text: str) -> None:
    print(text, file=sys.stderr)
