"""The instances of a service, and the choice among them."""

import asyncio
import random
from collections.abc import Collection, Coroutine
from typing import TYPE_CHECKING, Any, Final

from ambassador.frame.address import Address
from ambassador.frame.balance import Chooser
from ambassador.frame.dialing import Dialer
from ambassador.frame.health import Health
from ambassador.tcp.settings import TcpSettings
from sidecar.metrics import counter, gauge
from sidecar.runtime.log import get_logger
from sidecar.runtime.signal import Signal

if TYPE_CHECKING:
    from ambassador.tcp.relay import Inlet

__all__ = ["Member", "Pool"]

_opened = counter("ambassador_tcp_connections_total", "Connections, by instance", ["node"])
_failed = counter("ambassador_tcp_failures_total", "Instances that took none", ["node"])
_clients = gauge("ambassador_tcp_clients", "Clients connected")
_REST: Final = 1.0
_log = get_logger("ambassador")


class _Closing(asyncio.Protocol):
    """A connection that only says that it can be made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """End it at once."""
        transport.close()


class Member:
    """An instance."""

    def __init__(self, address: Address, now: float) -> None:
        """Believe that it is well."""
        self.address = address
        self.health = Health(up_after=1, down_after=1)
        self.is_refusing = False  # of late, to our own tries
        self.health.succeed()
        self.clients = 0
        self.is_draining = False  # says the catalogue
        self.is_drained = False  # says a person
        self.weight = 1.0
        self.zone = ""
        self.latency = 0.0
        self.failed_at = now - _REST

    @property
    def outstanding(self) -> int:
        """Return how many connections it has."""
        return self.clients

    def failed(self) -> None:
        """Hear that it took no connection; it is asked last for a while."""
        self.health.fail()
        self.failed_at = asyncio.get_running_loop().time()
        _failed.labels(self.address).inc()

    def succeeded(self) -> None:
        """Hear that it took one."""
        self.health.succeed()
        _opened.labels(self.address).inc()


class Pool:
    """What all connections share."""

    def __init__(self, settings: TcpSettings, group: asyncio.TaskGroup, dialer: Dialer) -> None:
        """Start without instances."""
        self.dialer = dialer
        self.clients: set[Inlet] = set()
        self.members: dict[Address, Member] = {}
        self.stopping = False
        self._settings = settings
        self._group = group
        self._chooser = Chooser(settings.balance, random.random)
        self._emptied = Signal()
        self._changed = Signal()
        self._unsaid = 0
        self._said_at = -_REST
        self._now = asyncio.get_running_loop().time

    def serve(self, addresses: Collection[Address], draining: Collection[Address] = ()) -> None:
        """Take which instances there are; connections to others go on to their end."""
        for address in addresses:
            if address not in self.members:
                self.members[address] = Member(address, self._now())
            self.members[address].is_draining = address in draining
        for address in [known for known in self.members if known not in addresses]:
            del self.members[address]
        self._changed.fire()

    def choose(self, tried: Collection[Member]) -> Member | None:
        """Return an instance that was not tried; those that failed of late come last."""
        left = [
            member
            for member in self.members.values()
            if member not in tried and not (member.is_draining or member.is_drained)
        ]
        rested = self._now() - _REST
        left = [one for one in left if not one.is_refusing] or left
        well = [one for one in left if one.health.is_up or one.failed_at < rested]
        return self._chooser.choose(well or left) if left else None

    def refused(self, tried: int) -> None:
        """Hear of a client that nobody takes; it is told once a second."""
        self._unsaid += 1
        if self._now() - self._said_at >= _REST:
            _log.warning("no instance takes a connection", tried=tried, clients=self._unsaid)
            self._said_at, self._unsaid = self._now(), 0

    def enter(self, inlet: "Inlet") -> bool:
        """Take a client, if there is room."""
        if self.stopping or len(self.clients) >= self._settings.max_clients:
            return False
        self.clients.add(inlet)
        _clients.set(len(self.clients))
        return True

    def leave(self, inlet: "Inlet") -> None:
        """Forget a client."""
        self.clients.discard(inlet)
        _clients.set(len(self.clients))
        if not self.clients:
            self._emptied.fire()

    async def emptied(self) -> None:
        """Return when no client is left."""
        while self.clients:
            await self._emptied.wait()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run something beside the loop's calls."""
        if self.stopping:
            work.close()
        else:
            self._group.create_task(work, name=name)

    async def probe(self) -> None:
        """Try to connect to each instance again and again; a new one at once."""
        every = self._settings.probe
        while every:
            async with asyncio.TaskGroup() as group:
                for member in self.members.values():
                    group.create_task(self._try(member), name=f"probe {member.address}")
            try:
                async with asyncio.timeout(every):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _try(self, member: Member) -> None:
        was = member.is_refusing
        try:
            await self.dialer.to(member.address)(_Closing)
            member.is_refusing = False
        except (OSError, TimeoutError):
            member.is_refusing = True
        if was != member.is_refusing:
            state = "refuses" if member.is_refusing else "takes connections again"
            _log.info(f"instance {state}", instance=str(member.address))

    async def sweep(self) -> None:
        """End connections on which nothing passes for too long."""
        idle = self._settings.idle
        while True:
            await asyncio.sleep(max(0.1, idle / 4) if idle else 3600)
            now = self._now()
            for inlet in list(self.clients):
                other = inlet.other
                heard = max(inlet.heard, other.heard if other is not None else 0.0)
                if idle and now - heard > idle and inlet.transport is not None:
                    inlet.transport.abort()
