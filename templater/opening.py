"""Which proxy the settings ask for: the only place of the load balancer that knows each.

A proxy's modules are imported when it is chosen, so that the other costs no memory.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, assert_never

from sidecar.config.model import LbSettings
from sidecar.config.units import endpoint
from sidecar.errors import PermanentError
from sidecar.runtime.clock import Clock
from sidecar.runtime.listen import bind
from sidecar.runtime.log import get_logger
from templater.child import find_program
from templater.driver import Report
from templater.names import Address, Port, SocketAddress
from templater.proxy import Proxy
from templater.rundir import RunDirectory, private_directory

__all__ = ["opened"]

_log = get_logger("lb")


@asynccontextmanager
async def opened(
    settings: LbSettings, address: Address, port: Port, tls: tuple[Address, Port] | None, *,
    clock: Clock, report: Report,
) -> AsyncIterator[Proxy]:  # fmt: skip
    """Yield the proxy, in a directory of its own, that will serve HTTP; HTTPS on ``tls``.

    ``report`` hears which listeners cannot be had. Raises PermanentError without the program,
    AddressInUse.
    """
    if settings.kind == "none":
        raise PermanentError("--lb none has no load balancer to run")
    path = Path(settings.dir) if settings.dir else private_directory(port)
    place = _Place(settings, path, SocketAddress(address, port), address, clock, report)
    match settings.kind:
        case "haproxy":
            directory, proxy = await _haproxy(place)
        case "nginx":
            directory, proxy = await _nginx(place)
        case _:
            assert_never(settings.kind)
    await asyncio.to_thread(directory.open)
    try:
        if not settings.attach:
            bind(address, port, kind=socket.SOCK_STREAM, option="--lb-listen").close()
        if settings.stats and not settings.attach:
            bind(*endpoint(settings.stats), kind=socket.SOCK_STREAM, option="lb.stats").close()
        if tls is not None and not settings.attach:
            bind(*tls, kind=socket.SOCK_STREAM, option="lb.tls_listen").close()
        yield proxy
    finally:
        await asyncio.to_thread(directory.close)


class _Place(NamedTuple):
    settings: LbSettings
    path: Path
    listen: SocketAddress
    host: Address
    clock: Clock
    report: Report


async def _haproxy(place: _Place) -> tuple[RunDirectory, Proxy]:
    from templater.haproxy.directory import Directory  # noqa: PLC0415
    from templater.haproxy.driver import Bind, Driver  # noqa: PLC0415

    settings = place.settings
    stats = _socket_address(settings.stats) if settings.stats else None
    if stats is not None and not stats[0].is_loopback:
        _log.warning("HAProxy's counters are open to every host that reaches", address=stats[1])
    bind_ = Bind(place.listen, place.host, stats[1] if stats is not None else None)
    directory = Directory(place.path, is_shared=bool(settings.attach))
    if not settings.attach:
        program = await asyncio.to_thread(find_program, settings.program, "haproxy")
        return directory, Driver(
            program, directory, bind_,
            drain=settings.drain, clock=place.clock, report=place.report,
        )  # fmt: skip
    from templater.haproxy.joining import JoiningDriver  # noqa: PLC0415

    return directory, JoiningDriver(
        settings.program, directory, bind_, Path(settings.attach),
        drain=settings.drain, clock=place.clock, report=place.report,
    )  # fmt: skip


async def _nginx(place: _Place) -> tuple[RunDirectory, Proxy]:
    from templater.nginx.directory import NginxDirectory  # noqa: PLC0415
    from templater.nginx.driver import NginxDriver  # noqa: PLC0415
    from templater.nginx.process import asked_build  # noqa: PLC0415

    settings = place.settings
    program = await asyncio.to_thread(find_program, settings.program, "nginx")
    directory = NginxDirectory(place.path)
    build = await asked_build(program)
    return directory, NginxDriver(
        program, build, directory, place.listen, place.host,
        drain=settings.drain, clock=place.clock, report=place.report,
    )  # fmt: skip


def _socket_address(text: str) -> tuple[Address, SocketAddress]:
    host, port = endpoint(text)
    address = Address("127.0.0.1" if host == "localhost" else host)
    return address, SocketAddress(address, Port(port))
