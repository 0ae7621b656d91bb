"""Which proxy the settings ask for: the only place of the load balancer that knows each.

A proxy's modules are imported when it is chosen, so that the other costs no memory.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import assert_never

from sidecar.config.model import LbSettings
from sidecar.errors import PermanentError
from sidecar.runtime.clock import Clock
from sidecar.runtime.listen import bind
from templater.child import find_program
from templater.names import Address, Port, SocketAddress
from templater.proxy import Proxy
from templater.routes import Problem
from templater.rundir import RunDirectory, private_directory

__all__ = ["opened"]


@asynccontextmanager
async def opened(
    settings: LbSettings, address: Address, port: Port, tls: tuple[Address, Port] | None, *,
    clock: Clock, report: Callable[[tuple[Problem, ...]], None],
) -> AsyncIterator[Proxy]:  # fmt: skip
    """Yield the proxy, in a directory of its own, that will serve HTTP; HTTPS on ``tls``.

    ``report`` hears which listeners cannot be had. Raises PermanentError without the program,
    AddressInUse.
    """
    if settings.kind == "none":
        raise PermanentError("--lb none has no load balancer to run")
    program = await asyncio.to_thread(find_program, settings.program, settings.kind)
    path = Path(settings.dir) if settings.dir else private_directory(port)
    listen = SocketAddress(address, port)
    directory: RunDirectory
    proxy: Proxy
    match settings.kind:
        case "haproxy":
            from templater.haproxy.directory import Directory  # noqa: PLC0415
            from templater.haproxy.driver import Driver  # noqa: PLC0415

            directory = haproxy = Directory(path)
            proxy = Driver(
                program, haproxy, listen, address,
                drain=settings.drain, clock=clock, report=report,
            )  # fmt: skip
        case "nginx":
            from templater.nginx.directory import NginxDirectory  # noqa: PLC0415
            from templater.nginx.driver import NginxDriver  # noqa: PLC0415
            from templater.nginx.process import asked_build  # noqa: PLC0415

            directory = nginx = NginxDirectory(path)
            build = await asked_build(program)
            proxy = NginxDriver(
                program, build, nginx, listen, address,
                drain=settings.drain, clock=clock, report=report,
            )  # fmt: skip
        case _:
            assert_never(settings.kind)
    await asyncio.to_thread(directory.open)
    try:
        bind(address, port, kind=socket.SOCK_STREAM, option="--lb-listen").close()
        if tls is not None:
            bind(*tls, kind=socket.SOCK_STREAM, option="lb.tls_listen").close()
        yield proxy
    finally:
        await asyncio.to_thread(directory.close)
