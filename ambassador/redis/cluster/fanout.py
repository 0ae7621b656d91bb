"""Commands that concern several nodes: each is asked on a connection of its own."""

import asyncio
from typing import TYPE_CHECKING

from ambassador.redis import errors
from ambassador.redis.cluster.splitting import merged_by_policy
from ambassador.redis.commands import Command
from ambassador.redis.greeting import Refused
from ambassador.redis.run import Run
from sidecar.errors import ProtocolError, UpstreamUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ambassador.redis.cluster.client import ClusterClient
    from ambassador.redis.node import Node

__all__ = ["asked_of_all", "nodes_for"]


class Fetched(Run):
    """A command whose reply is wanted as it is written."""

    __slots__ = ("answer",)

    def __init__(self, data: bytes) -> None:
        """Take one command."""
        super().__init__(data, 1)
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def finish(self, piece: bytes) -> None:
        """Give the reply to who waits."""
        if not self.answer.done():
            self.answer.set_result(self.whole(piece))

    def lost(self, why: str, *, was_sent: bool) -> None:  # noqa: ARG002
        """Answer with what is known."""
        if not self.answer.done():
            self.answer.set_result(errors.UNKNOWN_OUTCOME if was_sent else errors.NOT_SERVED)


def nodes_for(client: "ClusterClient", request: str) -> "list[Node]":
    """Return who is asked: the primaries, for ``all_nodes`` their replicas too."""
    hub = client.hub
    return [*hub.primaries, *(hub.readable if request == "all_nodes" else ())]


async def asked_of_all(
    client: "ClusterClient", raw: bytes, found: Command, nodes: "Sequence[Node]"
) -> bytes:
    """Return one reply for those of all nodes."""
    if not nodes or client.hub.trouble() is not None:
        return errors.NOT_SERVED
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_asked(client, node, raw), name="fan-out") for node in nodes]
    replies = [task.result() for task in tasks]
    try:
        return merged_by_policy(found.response, replies)
    except (ProtocolError, ValueError):
        return replies[0]  # of a kind that its policy does not speak of


async def _asked(client: "ClusterClient", node: "Node", raw: bytes) -> bytes:
    try:
        async with asyncio.timeout(client.hub.settings.failover_queue):
            link = await node.lease(client.session.attributes)
    except Refused as refused:
        return b"-" + refused.reply + b"\r\n"
    except (UpstreamUnavailable, TimeoutError):
        node.suspect()
        return errors.NOT_SERVED
    run = Fetched(raw)
    try:
        link.send(run)
        return await run.answer
    finally:
        node.give_back(link, is_clean=run.answer.done(), is_plain=True)
