"""``ambassador tcp``: flags to settings, then run."""

import argparse
from collections.abc import Sequence

import uvloop

from ambassador.frame.balance import POLICIES
from ambassador.tcp.settings import TcpSettings, settings_of
from sidecar import __version__
from sidecar.runtime import log
from sidecar.runtime.usage import Help

__all__ = ["main"]


def parser(program: str) -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog=program,
        description="Pass connections on to the instances of a service.",
        epilog="exit status: 0 ok, 1 failure, 2 usage, 78 bad configuration",
        allow_abbrev=False,
        formatter_class=Help,
    )
    add = made.add_argument
    add("--listen", action="append", default=[], metavar="ADDR:PORT|unix:PATH", help="repeatable")
    add("--service", default="", metavar="NAME", help="whose instances are the servers")
    add("--store", default="", metavar="URL", help="where that service is known")
    add("--server", action="append", default=[], dest="servers", metavar="HOST:PORT",
        help="instead of a service; repeatable")  # fmt: skip
    add("--balance", default="", choices=[*POLICIES], help="[sticky: fewest connections]")
    add("--idle", default="", metavar="DURATION", help="end quiet connections after it [never]")
    add("--probe", default="", metavar="DURATION",
        help="how often to try each instance, to leave out those that refuse [never]")  # fmt: skip
    add("--max-clients", default="", metavar="N", help="[10000]")
    add("--admin", default="", metavar="ADDR:PORT", help="health, metrics, topology [none]")
    add("--log-format", default="text", choices=log.FORMATS, help="[text]")
    add("--log-level", default="info", choices=log.LEVELS, help="[info]")
    add("--version", action="version", version=f"pinnace {__version__}")
    return made


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status."""
    asked = vars(parser(program).parse_args(arguments))
    log.configure(asked.pop("log_format"), asked.pop("log_level"))
    settings = settings_of(asked)
    uvloop.run(_run(settings))
    return 0


async def _run(settings: TcpSettings) -> None:
    from ambassador.frame.admin import Admin  # noqa: PLC0415 - after mistakes are told
    from ambassador.frame.running import run_parts, source_of  # noqa: PLC0415
    from ambassador.tcp.ambassador import TcpAmbassador  # noqa: PLC0415

    parts, source = source_of(settings.store, settings.service, settings.servers)
    ambassador = TcpAmbassador(settings, source)
    parts.append(ambassador)
    if settings.admin is not None:
        parts.append(Admin(settings.admin, ambassador.routes()))
    await run_parts(parts)
