"""``adapter http FILE``: statistics of any program, by rules.

0 as asked, 1 what cannot work, 2 wrong usage, 78 a wrong file.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from adapter.files import text_of
from adapter.http.rules import Target, targets_of
from adapter.places import listen_of
from sidecar.config.units import Endpoint
from sidecar.runtime import log
from sidecar.runtime.component import Component
from sidecar.runtime.usage import Help
from sidecar.web.lean.request import Request

__all__ = ["prepared"]

OK: Final = 0
USAGE: Final = 2
_LISTEN: Final = "127.0.0.1:9103"


def prepared(program: str, arguments: Sequence[str]) -> Sequence[Component] | int:
    """Return the components asked for, or the exit status of what was done at once."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Statistics of any program, JSON or text by HTTP, by rules.",
        formatter_class=Help,
    )
    parser.add_argument("file", metavar="FILE", help="targets and rules (YAML)")
    parser.add_argument("--listen", default=_LISTEN, metavar="ADDR:PORT", help=f"[{_LISTEN}]")
    parser.add_argument("--check", action="store_true", help="check the file and end")
    parser.add_argument("--log-format", choices=log.FORMATS, default="text")
    parser.add_argument("--log-level", choices=log.LEVELS, default="info")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as ended:  # argparse has printed why
        return int(ended.code or 0)
    try:
        listen = listen_of(options.listen)
    except ValueError as error:
        print(f"{program}: --listen: {error}", file=sys.stderr)
        return USAGE
    log.configure(options.log_format, options.log_level)
    targets = _read(options.file)
    if options.check:
        print(f"ok: {len(targets)} targets")
        return OK
    return _components(options.file, targets, listen)


def _components(path: str, targets: Sequence[Target], listen: Endpoint) -> Sequence[Component]:
    from adapter.http.component import HttpAdapter  # noqa: PLC0415
    from sidecar.web.lean.server import Answer, LeanServer, routed  # noqa: PLC0415

    adapter = HttpAdapter(targets, lambda: _read(path))

    async def healthy(_: Request) -> Answer:
        return Answer(200, b"ok\n")

    handler = routed({"/metrics": adapter.metrics, "/-/healthy": healthy})
    return [adapter, LeanServer(listen, handler, option="--listen", name="http web")]


def _read(path: str) -> Sequence[Target]:
    return targets_of(text_of(path), path, os.environ)
