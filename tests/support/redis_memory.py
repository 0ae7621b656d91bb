"""Redis servers in memory: what a link writes is answered by a function, without a socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ambassador.frame.address import Address
from ambassador.frame.health import State
from ambassador.redis.cluster.client import ClusterClient
from ambassador.redis.cluster.hub import ClusterHub
from ambassador.redis.cluster.slots import SLOTS, ShardView, View
from ambassador.redis.framing import Requests
from ambassador.redis.node import Node
from ambassador.redis.resp import arguments
from ambassador.redis.roles import Observation
from ambassador.redis.settings import Listener, RedisSettings

__all__ = ["MemoryServers", "cluster_in_memory"]

Reply = Callable[[list[bytes]], bytes | None]
"""Words of a command to the reply; None: the connection is lost."""


class _Wire(asyncio.Transport):
    """One connection."""

    def __init__(self, protocol: Any, reply: Reply) -> None:
        super().__init__()
        self._protocol, self._reply, self._requests = protocol, reply, Requests()
        self._loop = asyncio.get_running_loop()

    def write(self, data: Any) -> None:
        for buffer, found in self._requests.split(bytes(data)):
            for _, begin, end in found:
                words = arguments(buffer[begin:end])
                reply = b":7\r\n" if words[:2] == [b"CLIENT", b"ID"] else self._reply(words)
                if reply is None:
                    self._loop.call_soon(self._protocol.connection_lost, None)
                    return
                self._loop.call_soon(self._protocol.data_received, reply)

    def is_reading(self) -> bool:
        return True

    def abort(self) -> None:
        """There is nothing to end."""


class MemoryServers:
    """Takes the place of the dialer; a server without replies refuses connections."""

    def __init__(self, replies: Mapping[Address, Reply]) -> None:
        self._replies = replies

    def to(self, address: Address) -> Callable[[Callable[[], Any]], Awaitable[None]]:
        """Return what connects to an address."""

        async def dial(factory: Callable[[], Any]) -> None:
            reply = self._replies.get(address)
            if reply is None:
                raise ConnectionRefusedError
            protocol = factory()
            protocol.connection_made(_Wire(protocol, reply))

        return dial


async def _never(_: Node) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def cluster_in_memory(
    replies: Mapping[Address, Reply], shards: tuple[tuple[Address, ...], ...]
) -> AsyncIterator[tuple[ClusterHub, ClusterClient]]:
    """Yield a hub that knows these shards, the primary of each first, and a client of it."""
    async with asyncio.TaskGroup() as group:
        listener = Listener(bind=Address("127.0.0.1", 0))
        settings = RedisSettings(listeners=(listener,), source="cluster")
        hub = ClusterHub(settings, group, _never)
        hub.dialer = MemoryServers(replies)  # type: ignore[assignment]  # of the same form
        size = SLOTS // len(shards)
        views = tuple(
            ShardView(one, tuple(rest), ((at * size, (at + 1) * size - 1),))
            for at, (one, *rest) in enumerate(shards)
        )
        hub.take_view(View(1, True, views))
        for shard in shards:
            for address in shard:
                node = hub.nodes[address]
                node.health.state = State.UP
                role = "master" if address == shard[0] else "slave"
                node.observation = Observation(role=role, offset=0, replid=str(shard[0]))
        hub.rejudge()
        client = ClusterClient(hub, listener)
        await asyncio.sleep(0)  # watches begin
        try:
            yield hub, client
        finally:
            hub.end()
