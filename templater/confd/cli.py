"""confd's command lines: what they ask for, done; what went wrong, as an exit status.

0: done; 1: it failed, or the configuration is wrong; 2: the command line cannot be understood.
"""

import asyncio
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final

import uvloop

from sidecar import __version__
from sidecar.errors import ConfigError, PinnaceError
from templater.backends.opening import nodes_by_srv, plugin_of
from templater.confd import lines
from templater.confd.flags import Given, UsageError, parse, usage
from templater.confd.options import CLOUDS
from templater.confd.run import Run
from templater.confd.settings import Settings, Sources, settings_of

__all__ = ["main"]

_USAGE: Final = 2
_FAILURE: Final = 1
_AS: Final = "0.17.0"
"""The release of confd whose behaviour is meant."""


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status."""
    try:
        given = parse(arguments)
    except UsageError as error:
        words = str(error)
        sys.stderr.write(f"{words}\n" * bool(words) + usage(program))
        return _USAGE if words else 0
    if "version" in given.values:
        print(f"confd {_AS} (Pinnace {__version__})")
        return 0
    name = sys.argv[0] if PurePath(sys.argv[0]).name == program else program
    lines.configure(name, "info")
    try:
        sources = _sources(given)
        settings = _with_nodes(sources.settings)
        lines.configure(name, settings.log_level, settings["log-format"])
        run = Run(settings, sources.notes, lambda: _sources(given).settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run.main())
    except ConfigError as error:
        for problem in error.problems:
            lines.fatal(problem)
    except PinnaceError as error:
        lines.fatal(str(error))
    return _FAILURE


def _sources(given: Given) -> Sources:
    """Return the settings from all sources. Raises ConfigError."""
    asked = given.values.get("config-file")
    path = Path(asked[-1] if asked else "/etc/confd/confd.toml")
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: {error}"]) from error
    sources = settings_of(given, text, str(path), os.environ)
    if sources.settings.backend in CLOUDS:
        plugin_of(sources.settings.backend)
    return sources


def _with_nodes(settings: Settings) -> Settings:
    found = nodes_by_srv(settings)
    return dataclasses.replace(settings, nodes=tuple(found)) if found else settings
