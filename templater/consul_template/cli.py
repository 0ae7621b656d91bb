"""consul-template's command line: what it asks for, done; its exit statuses.

0: done; 12: interrupted; 13: the command line is wrong; 14: a run failed; 15: the configuration is
wrong; with a child, the child's own.
"""

import os
import sys
from collections.abc import Sequence
from typing import Final

from sidecar import __version__
from sidecar.config.goflags import FlagError, Help, usage
from sidecar.errors import ConfigError
from sidecar.runtime import log
from sidecar.runtime.clock import SystemClock
from templater.consul_template.loading import settings_of
from templater.consul_template.logs import configure
from templater.consul_template.options import OPTIONS, CommandLine, command_line
from templater.consul_template.settings import Settings

__all__ = ["main"]

_BAD_FLAGS: Final = 13
_BAD_CONFIG: Final = 15
_AS: Final = "v0.41.1"
"""The release of consul-template whose behaviour is meant."""
_log = log.get_logger("consul-template")


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status."""
    try:
        given = command_line(arguments)
    except Help:
        sys.stderr.write(f"Usage: {program} [options]\n\n{usage(OPTIONS)}\n")
        return 0
    except FlagError as error:
        sys.stderr.write(f"{error}\n")
        return _BAD_FLAGS
    if given.is_version:
        print(f"consul-template {_AS} (Pinnace {__version__})")
        return 0
    log.configure("text", "warning")
    try:
        settings = _settings(given, tells=True)
        # Late: what is refused above needs neither a loop nor a client.
        from templater.consul_template.run import run  # noqa: PLC0415

        return run(settings, lambda: _settings(given))
    except ConfigError as error:
        for problem in error.problems:
            _log.error(problem)
        return _BAD_CONFIG


def _settings(given: CommandLine, *, tells: bool = False) -> Settings:
    """Return the settings and log as they say. Raises ConfigError."""
    settings, notes = settings_of(given, os.environ)
    configure(settings.log, SystemClock().wall())
    for note in notes if tells else ():
        _log.warning(note)
    return settings
