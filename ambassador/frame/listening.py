"""Take connections on TCP or a Unix socket, with or without TLS."""

import asyncio
import contextlib
import os
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

from ambassador.frame.address import Address
from sidecar.errors import AddressInUse
from sidecar.runtime.listen import bind
from sidecar.runtime.reason import reason_of

__all__ = ["Door"]

_BACKLOG = 1024


class Door:
    """One address where clients come in."""

    def __init__(
        self,
        address: Address,
        factory: Callable[[], asyncio.BaseProtocol],
        *,
        context: ssl.SSLContext | None = None,
        is_shared: bool = False,
        option: str = "--listen",
    ) -> None:
        """Prepare; ``is_shared`` lets other processes listen there too."""
        self._factory = factory
        self._context = context
        self._is_shared = is_shared
        self._option = option
        self._server: asyncio.Server | None = None
        self.address = address

    async def open(self) -> None:
        """Listen. Raises AddressInUse."""
        sock = await asyncio.to_thread(self._bound)
        await self._listen(sock)
        if sock.family != socket.AF_UNIX:
            self.address = Address(*sock.getsockname()[:2])

    async def _listen(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._factory, sock=sock, ssl=self._context, backlog=_BACKLOG
        ) if not self._is_unix or sock.family != socket.AF_UNIX else (
            await loop.create_unix_server(self._factory, sock=sock, ssl=self._context)
        )  # fmt: skip

    async def change(self, context: ssl.SSLContext | None) -> None:
        """Speak another TLS, or none, to who comes from now on; nobody is refused meanwhile."""
        former, self._context = self._server, context
        if former is not None:
            await self._listen(socket.socket(fileno=os.dup(former.sockets[0].fileno())))
            former.close()

    def close(self) -> None:
        """Take no more; those who came stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def clean(self) -> None:
        """Remove the path of a Unix socket."""
        if self._is_unix:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(Path(self.address.host).unlink)

    @property
    def _is_unix(self) -> bool:
        return self.address.host.startswith("/")

    def _bound(self) -> socket.socket:
        host, port = self.address
        if not self._is_unix:
            return bind(
                host, port, kind=socket.SOCK_STREAM, option=self._option,
                reuse_port=self._is_shared,
            )  # fmt: skip
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = Path(host)
        try:
            if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
                _check_nobody(path)
                path.unlink()
            sock.bind(host)
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            raise AddressInUse(f"cannot listen on unix:{host}: {reason_of(error)}") from error
        sock.setblocking(False)
        return sock


def _check_nobody(path: Path) -> None:
    """Raise AddressInUse when somebody serves there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return
    raise AddressInUse(f"unix:{path} is taken by another program")
