"""envconsul's command line: what it asks for, done; its exit statuses.

0: done; 12: interrupted; 13: the command line is wrong; 14: a run failed; 15: the configuration is
wrong; with a child that has ended, the child's own.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Final

import uvloop

from sidecar import __version__
from sidecar.config.goflags import FlagError, Help, usage
from sidecar.errors import ConfigError
from sidecar.runtime import log
from sidecar.runtime.clock import SystemClock
from templater.consul_template.logs import configure
from templater.envconsul.loading import inherited, settings_of
from templater.envconsul.options import OPTIONS, CommandLine, command_line
from templater.envconsul.run import Run
from templater.envconsul.settings import Settings

__all__ = ["main"]

_BAD_FLAGS: Final = 13
_BAD_CONFIG: Final = 15
_AS: Final = "v0.13.4"
"""The release of envconsul whose behaviour is meant."""
_log = log.get_logger("envconsul")


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status."""
    try:
        given = command_line(arguments)
    except Help:
        print(f"Usage: {program} [options] <command>\n\n{usage(OPTIONS)}")
        return 0
    except FlagError as error:
        sys.stderr.write(f"{error}\n")
        return _BAD_FLAGS
    if given.is_version:
        print(f"envconsul {_AS} (Pinnace {__version__})")
        return 0
    log.configure("text", "warning")
    try:
        environ = inherited(os.environ)
        settings = _settings(given, environ, tells=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(Run(settings, lambda: _settings(given, environ), environ).main())
    except ConfigError as error:
        for problem in error.problems:
            _log.error(problem)
        return _BAD_CONFIG


def _settings(given: CommandLine, environ: dict[str, str], *, tells: bool = False) -> Settings:
    """Return the settings and log as they say. Raises ConfigError."""
    settings, notes = settings_of(given, environ)
    configure(settings.shared.log, SystemClock().wall())
    for note in notes if tells else ():
        _log.warning(note)
    return settings
