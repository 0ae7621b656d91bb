"""Where lines come in: UDP, a Unix datagram socket, TCP."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

from adapter.statsd.tally import Tally
from sidecar.config.units import Endpoint
from sidecar.errors import AddressInUse, PermanentError
from sidecar.runtime.listen import bind
from sidecar.runtime.log import get_logger
from sidecar.runtime.overload import descriptor_limit
from sidecar.runtime.reason import reason_of

__all__ = ["DatagramSocket", "TcpListener", "kernel_drops", "udp_socket", "unix_socket"]

_log = get_logger("statsd")

_BATCH: Final = 512
_AT_ONCE: Final = 16  # a megabyte of the largest
_TURN: Final = 0.02  # seconds of one turn of the loop
_LARGEST: Final = 65_535
_BUFFER: Final = 8 << 20
_RCVBUFFORCE: Final = 33  # Linux; Python has no name for it
_LONGEST_LINE: Final = 4096  # octets with its end, as the peer's reader has
_MOST_CONNECTIONS: Final = 4096
_RESERVE: Final = 64  # descriptors

Take = Callable[[bytes], None]


def udp_socket(listen: Endpoint, read_buffer: int) -> socket.socket:
    """Return a bound socket. Raises AddressInUse, or PermanentError when the buffer is refused."""
    sock = bind(*listen, kind=socket.SOCK_DGRAM, option="--statsd.listen-udp")
    return _buffered(sock, read_buffer)


def unix_socket(path: str, mode: str, read_buffer: int) -> socket.socket:
    """Return a bound Unix datagram socket; ``@name`` is one without a file.

    Raises AddressInUse when there is a file already: it may be another's that runs.
    """
    is_abstract = path.startswith("@")
    if not is_abstract and os.path.lexists(path):
        raise AddressInUse(
            f"{path} exists already; remove it or choose another (--statsd.listen-unixgram)"
        )
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.bind("\0" + path[1:] if is_abstract else path)
        sock.setblocking(False)
        if not is_abstract:
            Path(path).chmod(int(mode, 8))
    except OSError as error:
        sock.close()
        raise AddressInUse(f"cannot listen on {path}: {reason_of(error)}") from error
    return _buffered(sock, read_buffer)


def _buffered(sock: socket.socket, size: int) -> socket.socket:
    if size:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        except (OSError, OverflowError) as error:
            sock.close()
            raise PermanentError(f"--statsd.read-buffer {size} is refused: {error}") from error
        return sock
    # As much as we may: a burst waits there while a scrape is written.
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _BUFFER)
    return sock


class DatagramSocket:
    """Reads what has come in, in batches; each batch leaves the loop to others in between."""

    def __init__(self, sock: socket.socket, take: Take, received: Callable[[int], None]) -> None:
        """Own the socket; ``received`` is told how many datagrams a batch had."""
        self._sock = sock
        self._take = take
        self._received = received

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read from now on."""
        loop.add_reader(self._sock, self._read, loop)

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take what has come so far, and close."""
        loop.remove_reader(self._sock)
        self._read(loop)
        self._sock.close()

    def drops(self) -> int:
        """Return how many datagrams the kernel dropped for want of room."""
        return kernel_drops(os.fstat(self._sock.fileno()).st_ino)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        count, until = 0, loop.time() + _TURN
        while count < _BATCH and loop.time() < until:
            taken = self._some()
            count += taken
            if taken < _AT_ONCE:
                break
        self._received(count)

    def _some(self) -> int:
        """Take a few datagrams as one: lines end where datagrams do. Return how many."""
        receive, some = self._sock.recv, list[bytes]()
        try:
            for _ in range(_AT_ONCE):
                some.append(receive(_LARGEST))
        except BlockingIOError:
            pass
        except OSError as error:
            _log.warning("cannot read", reason=reason_of(error))
        if some:
            self._take(b"\n".join(some))
        return len(some)


def kernel_drops(inode: int) -> int:
    """Return the drops of a UDP socket by its inode; 0 where the system does not say."""
    for name in ("/proc/net/udp", "/proc/net/udp6"):
        with suppress(OSError, ValueError):
            for line in Path(name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[9] == str(inode):
                    return int(fields[12])
    return 0


class TcpListener:
    """Accepts connections; each sends lines until it ends or sends one that is too long."""

    def __init__(self, listen: Endpoint, take: Take, tally: Tally) -> None:
        """Nothing is opened yet."""
        self._listen = listen
        self.take = take
        self.tally = tally
        self.connections: set[_Connection] = set()
        self.most = max(1, min(_MOST_CONNECTIONS, descriptor_limit() - _RESERVE))
        self._server: asyncio.Server | None = None

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen. Raises AddressInUse."""
        sock = bind(*self._listen, kind=socket.SOCK_STREAM, option="--statsd.listen-tcp")
        self._server = await loop.create_server(lambda: _Connection(self), sock=sock)

    def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()


class _Connection(asyncio.Protocol):
    def __init__(self, listener: TcpListener) -> None:
        self._listener = listener
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._listener.tally.tcp_connections += 1
        if len(self._listener.connections) >= self._listener.most:
            _log.warning("too many connections", most=self._listener.most)
            self._transport.abort()
            return
        self._listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.connections.discard(self)
        if exc is not None:
            self._listener.tally.tcp_errors += 1

    def data_received(self, data: bytes) -> None:
        whole = self._rest + data
        *lines, rest = whole.split(b"\n")
        too_long = next((n for n, line in enumerate(lines) if len(line) >= _LONGEST_LINE), -1)
        if too_long >= 0:
            del lines[too_long:]
        if b"\r" in whole:  # it belongs to the end of a line here, also for who gets lines relayed
            lines = [line.removesuffix(b"\r") for line in lines]
        if lines:
            self._listener.take(b"\n".join(lines))
        if too_long >= 0 or len(rest) >= _LONGEST_LINE:
            self._listener.tally.tcp_too_long += 1
            self._rest = b""
            self.close()
        else:
            self._rest = rest

    def eof_received(self) -> None:
        if self._rest:
            self._listener.take(self._rest)
            self._rest = b""

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
