"""Pass bytes between a client and an instance, no faster than the slower side takes them."""

import asyncio
from typing import TYPE_CHECKING, Final, cast

from ambassador.frame.dialing import tune

if TYPE_CHECKING:
    from ambassador.tcp.pool import Member, Pool

__all__ = ["Inlet"]

_HIGH: Final = 1 << 18
_MOST_EARLY: Final = 1 << 16


class Side(asyncio.Protocol):
    """One of the two connections."""

    def __init__(self) -> None:
        """Begin without the other."""
        self.other: Side | None = None
        self.transport: asyncio.Transport | None = None
        self.is_ended = False
        self.heard = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)
        tune(transport)
        self.transport.set_write_buffer_limits(_HIGH)
        self.heard = asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self.heard = asyncio.get_running_loop().time()
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Tell the other side that nothing more comes; it may still send."""
        self.is_ended = True
        other = self.other
        if other is not None and other.transport is not None:
            if other.is_ended:
                return False
            if other.transport.can_write_eof():
                other.transport.write_eof()
                return True
        return False

    def pause_writing(self) -> None:
        """Take no more from the other side."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Take from it again."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """End the other side: after what it has still to write, or at once with a reset."""
        other, self.other = self.other, None
        if other is not None:
            other.other = None
        if other is not None and other.transport is not None:
            other.transport.abort() if error is not None else other.transport.close()


class Outlet(Side):
    """The connection to an instance."""


class Inlet(Side):
    """A client's connection; looks for an instance that takes it."""

    def __init__(self, pool: "Pool") -> None:
        """Choose from a pool."""
        super().__init__()
        self._pool = pool
        self._early = bytearray()
        self._member: Member | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to an instance, if there is room."""
        super().connection_made(transport)
        if not self._pool.enter(self):
            transport.close()
            return
        self._pool.spawn(self._connect(), "connect")

    def data_received(self, data: bytes) -> None:
        """Pass it on, or keep what comes before there is somebody to take it."""
        if self.other is None:
            self._early += data
            if len(self._early) > _MOST_EARLY and self.transport is not None:
                self.transport.pause_reading()
            return
        super().data_received(data)

    def eof_received(self) -> bool:
        """Wait with it, too, until there is somebody."""
        if self.other is None:
            self.is_ended = True
            return True
        return super().eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """Leave the pool."""
        super().connection_lost(error)
        self._pool.leave(self)
        if self._member is not None:
            self._member.clients -= 1
            self._member = None

    async def _connect(self) -> None:
        """Try instances until one takes the connection."""
        tried: set[Member] = set()
        while self.transport is not None and not self.transport.is_closing():
            member = self._pool.choose(tried)
            if member is None:
                self._pool.refused(len(tried))
                self.transport.abort()
                return
            tried.add(member)
            outlet = Outlet()
            outlet.other = self  # an instance may speak first
            member.clients += 1
            try:
                await self._pool.dialer.to(member.address)(lambda outlet=outlet: outlet)  # type: ignore[misc]
            except (OSError, TimeoutError):
                outlet.other = None
                member.clients -= 1
                member.failed()
                continue
            member.succeeded()
            self._member = member
            self._join(outlet)
            return

    def _join(self, outlet: Outlet) -> None:
        inlet = self.transport
        assert outlet.transport is not None  # noqa: S101 - it is connected
        if inlet is None or inlet.is_closing():
            outlet.other = None
            outlet.transport.abort()
            self._release()
            return
        self.other = outlet
        if self._early:
            outlet.transport.write(bytes(self._early))
            self._early.clear()
        inlet.resume_reading()
        if self.is_ended:
            outlet.transport.write_eof()

    def _release(self) -> None:
        if self._member is not None:
            self._member.clients -= 1
            self._member = None
