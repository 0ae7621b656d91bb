"""The lock in ZooKeeper: who has the oldest of some ephemeral nodes; each watches the one before.

Its number is the transaction that made the node. Watching only the one before wakes one when a
leader goes, not all. Each renewal asks behind ``sync``, so that a server that lags cannot say that
a node is there which is gone.
"""

import asyncio
from secrets import token_hex
from typing import Final

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.clock import Clock
from sidecar.scheduler.election.lock import KEY, Grip, Lost
from sidecar.stores.zookeeper.answers import Answer, Fault, Read
from sidecar.stores.zookeeper.client import Client
from sidecar.stores.zookeeper.threads import Call

__all__ = ["ZooKeeperLock"]

_PATIENT: Final = 30.0  # a watch may be lost with its connection: look again


class ZooKeeperLock:
    """A Lock by one session."""

    def __init__(
        self, client: Client, name: str, *, ttl: float, clock: Clock, key: str = KEY
    ) -> None:
        """``client`` has a session of ``ttl`` seconds; ``name`` stands in our node."""
        self.url = client.location.url
        self._client = client
        self._name = name
        self._ttl = ttl
        self._clock = clock
        self._folder = f"{client.location.base}/{key}"
        self._mine = f"{token_hex(8)}-"
        self._node = ""
        self._moved = asyncio.Event()
        client.on_turn.append(self._moved.set)

    async def take(self) -> Grip:
        """Return when ours is the oldest node."""
        await self._make_folder()
        await self.release()  # one may be left from an attempt whose answer was lost
        await self._ask(self._client.create(
            f"{self._folder}/{self._mine}", self._name.encode(), ephemeral=True, sequence=True
        ))  # fmt: skip
        while True:
            self._moved.clear()
            begun = self._clock.monotonic()
            names = await self._names()
            own = [name for name in names if name.startswith(self._mine)]
            if not own:
                raise Lost("the node is gone")
            self._node = f"{self._folder}/{own[0]}"
            place = names.index(own[0])
            if place == 0:
                return Grip(await self._created(), begun, self._ttl)
            await self._gone(f"{self._folder}/{names[place - 1]}")

    async def _gone(self, path: str) -> None:
        """Return when a node went, or it is time to look again."""
        watch = self._client.watch(lambda _: self._moved.set())
        found = await self._ask(self._client.exists(path, watch))
        if found is None or found is Fault.ABSENT:
            return
        try:
            async with asyncio.timeout(_PATIENT):
                await self._moved.wait()
        except TimeoutError:
            return

    async def renew(self) -> float:
        """See that our node is there."""
        await self._created()
        return self._ttl

    async def _created(self) -> int:
        _, found = await self._client.run(
            [self._client.sync(self._folder), self._client.get(self._node)]
        )
        if not isinstance(found, Read) or found.held.session != self._client.session:
            raise Lost("the node is gone")
        return found.created

    async def _make_folder(self) -> None:
        path = ""
        for part in self._folder.strip("/").split("/"):
            path = f"{path}/{part}"
            await self._ask(self._client.create(path))

    async def _names(self) -> list[str]:
        """Return the nodes, the oldest first."""
        found = await self._ask(self._client.children(self._folder))
        names = found if isinstance(found, list) else []
        return sorted(names, key=lambda name: name.rpartition("-")[2])

    async def _ask(self, call: Call) -> Answer:
        (answer,) = await self._client.run([call])
        if answer is Fault.DENIED:
            raise StoreDenied(f"{self.url} refuses {self._folder}")
        if answer is Fault.REFUSED:
            raise StoreUnavailable(f"{self.url} refuses {self._folder}")
        return answer

    async def release(self) -> None:
        """Remove our nodes."""
        self._node = ""
        for name in await self._names():
            if name.startswith(self._mine):
                await self._ask(self._client.delete(f"{self._folder}/{name}"))

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()
