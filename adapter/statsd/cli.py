"""``adapter statsd``: statsd_exporter's command line, texts and exit statuses.

0 as asked, 1 what cannot work (for statsd_exporter also wrong usage), 2 wrong usage, 78 a wrong
file of mappings (statsd_exporter: 1).
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapter.statsd.flags import FlagError, Wanted, parse, usage
from adapter.statsd.mapper import Mapper
from adapter.statsd.mapping import Mapping
from adapter.statsd.options import Options, options_of
from sidecar import __version__
from sidecar.errors import ConfigError
from sidecar.runtime import log
from sidecar.runtime.component import Component

__all__ = ["prepared"]

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2

DROP_IN: Final = "statsd_exporter"
_LEVELS: Final = {"warn": "warning"}
_log = log.get_logger("statsd")


def prepared(program: str, arguments: Sequence[str]) -> Sequence[Component] | int:
    """Return the components asked for, or the exit status of what was done at once."""
    try:
        wanted = parse(arguments)
        options = options_of(wanted)
    except FlagError as error:
        print(f"{program}: error: {error}, try --help", file=sys.stderr)
        return FAILURE if program == DROP_IN else USAGE
    if wanted.at_once:
        is_help = wanted.at_once == "help"
        print(usage(program) if is_help else f"{program}, version {__version__} (pinnace)")
        return OK
    level = wanted.values["log.level"]
    form = "json" if wanted.values["log.format"] == "json" else "text"
    log.configure(form, _LEVELS.get(level, level))
    try:
        return _prepared(wanted, options)
    except ConfigError as error:
        if program != DROP_IN:
            raise
        for problem in error.problems:
            _log.error("error loading config", reason=problem)
        return FAILURE


def _prepared(wanted: Wanted, options: Options) -> Sequence[Component] | int:
    from adapter.statsd.component import mapping_from  # noqa: PLC0415 - not for -h

    mapping = mapping_from(options.mapping)
    for warning in mapping.warnings:
        _log.warning("mapping", about=warning)
    if wanted.values["debug.dump-fsm"]:
        _dump(mapping, wanted.values["debug.dump-fsm"])
    if wanted.values["explain"]:
        from adapter.statsd.explain import explained  # noqa: PLC0415

        line = wanted.values["explain"]
        print(explained(line, mapping, options.styles, options.limits, options.mapping))
        return OK
    if wanted.is_on("check-config"):
        _log.info("the configuration is right", rules=len(mapping.rules))
        return OK
    if options.udp is None and options.tcp is None and not options.unixgram:
        _log.error("needs an address to receive on: UDP, TCP or a Unix socket")
        return FAILURE
    return _components(options, mapping)


def _components(options: Options, mapping: Mapping) -> Sequence[Component]:
    from adapter.statsd.component import Statsd  # noqa: PLC0415
    from adapter.statsd.web import StatsdRoutes  # noqa: PLC0415
    from sidecar.web.lean.server import LeanServer  # noqa: PLC0415 - not for what is done at once

    statsd = Statsd(options, mapping)
    routes = StatsdRoutes(statsd, options.metrics_path, has_lifecycle=options.has_lifecycle)
    server = LeanServer(
        options.web,
        routes.routes(),
        option="--web.listen-address",
        name="statsd web",
        stops=routes.stops_by,
    )
    return [statsd, server]


def _dump(mapping: Mapping, path: str) -> None:
    """Write the trees of patterns; that it fails is told of, and no reason to end."""
    trees = Mapper(mapping).trees
    lines = [line for kind, tree in trees.items() for line in tree.lines(kind)]
    try:
        Path(path).write_text("\n".join(["digraph g {", "rankdir=LR", *lines, "}\n"]))
    except OSError as error:
        _log.error("cannot write the patterns", path=path, reason=error.strerror)
