"""Keeps a Catalog equal to what all hosts have registered with a Consul cluster.

One blocking query per node and two for all (nodes, checks), not one per service: hosts are fewer
than services, and an agent takes 200 connections from one client. Nodes beyond a number are read
in turn whenever any registration changed. What the answers mean is in ``world``.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from sidecar.catalog.changes import Change, apply, diff
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import EMPTY
from sidecar.metrics import counter
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.consul.client import Client, following, quoted, side_by_side
from sidecar.stores.consul.following import Followers
from sidecar.stores.consul.shapes import CheckEntry, NodeEntry, NodeServices
from sidecar.stores.consul.world import World

__all__ = ["ConsulMirror"]

_reads = counter("pinnace_stores_mirror_reads_total", "Answers taken into the catalogue", ["what"])
_log = get_logger("consul")

_WATCHED: Final = 48  # nodes with a query of their own
_AT_ONCE: Final = 16  # reads at the start, and of the nodes beyond
_Nodes = list[NodeEntry]
_Checks = list[CheckEntry]


class ConsulMirror:
    """A Mirror of a Consul cluster, asked through one agent."""

    name = "consul mirror"

    def __init__(
        self, client: Client, catalog: Catalog, *, clock: Clock, watched: int = _WATCHED
    ) -> None:
        """Fill this catalogue; so many nodes get a query of their own."""
        self._client = client
        self._catalog = catalog
        self._clock = clock
        self._limit = watched
        self._followers = Followers(clock, client.url)
        self._start_over()

    def _start_over(self) -> None:
        self._world = World()
        self._indexes: dict[str, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._batch: list[Change] | None = []

    def trouble(self) -> str | None:
        """Return what keeps the mirror from its store, or None."""
        return self._followers.trouble

    async def run(self, ready: Callable[[], None]) -> None:
        """Follow until cancelled; ready after the first full read, which is one commit."""
        self._start_over()
        follow = self._followers
        try:
            nodes = await follow.once("nodes", self._read_nodes)
            await side_by_side(self._world.nodes, self._read_first, _AT_ONCE)
            checks = await follow.once("checks", self._read_checks)
            # Compared as a whole: an earlier run of ours may have left what is gone by now.
            whole, self._batch = apply(EMPTY, self._batch or ()), None
            self._commit(diff(self._catalog.snapshot, whole))
            self._catalog.mark_synced()
            _log.info("catalogue read", store=self._client.url, nodes=len(self._world.nodes))
            ready()
            async with asyncio.TaskGroup() as self._group:
                self._spread()
                self._group.create_task(follow.follow("nodes", self._read_nodes, nodes))
                self._group.create_task(follow.follow("checks", self._read_checks, checks))
                self._group.create_task(follow.follow("services", self._read_others, 0))
        finally:
            await self._client.close()

    # Reading; each takes an index and returns the next

    async def _read_nodes(self, index: int) -> int:
        answer = await self._client.wait("catalog/nodes", index)
        self._take("nodes", self._world.take_nodes(self._client.decoded(answer, _Nodes)))
        if not self._world.nodes:
            _log.warning("no node is seen: does the token lack node:read?", store=self._client.url)
        if self._batch is None:
            self._spread()
        return self._next(index, answer.index)

    async def _read_checks(self, index: int) -> int:
        answer = await self._client.wait("health/state/any", index)
        began = self._clock.monotonic()
        after = self._next(index, answer.index)
        checks = self._client.decoded(answer, _Checks)
        self._take("checks", self._world.take_checks(checks, answer.index))
        if self._batch is None:
            await self._followers.rest(began)
        return after

    async def _read_node(self, name: str, index: int) -> int:
        answer = await self._client.wait(f"catalog/node/{quoted(name)}", index)
        # After the services, so that no service is seen without its checks.
        health = await self._client.get(f"health/node/{quoted(name)}")
        after = self._next(index, answer.index)
        found = NodeServices()
        if answer.body.strip() != b"null":  # else the node is unknown by now
            found = self._client.decoded(answer, NodeServices)
        checks = self._client.decoded(health, _Checks)
        taken = self._world.take_services(name, found.services.values(), checks, health.index)
        self._take("node", taken)
        return after

    async def _read_others(self, index: int) -> int:
        """Read the nodes without a query of their own when any registration changed."""
        if len(self._tasks) == len(self._world.nodes):
            await self._clock.sleep(1.0)
            return 0
        answer = await self._client.wait("catalog/services", index)
        began = self._clock.monotonic()
        await side_by_side(self._world.nodes - self._tasks.keys(), self._read_now, _AT_ONCE)
        await self._followers.rest(began)
        return following(index, answer.index)

    async def _read_now(self, name: str) -> None:
        await self._read_node(name, 0)

    async def _read_first(self, name: str) -> None:
        read = partial(self._read_node, name)
        self._indexes[name] = await self._followers.once(name, read)

    # What follows from it

    def _spread(self) -> None:
        """Give nodes a query of their own as far as the limit goes; end those of gone nodes."""
        there = self._world.nodes
        for name in self._tasks.keys() - there:
            self._tasks.pop(name).cancel()
        for name in sorted(there - self._tasks.keys())[: self._limit - len(self._tasks)]:
            read = partial(self._read_node, name)
            following_it = self._followers.follow(name, read, self._indexes.pop(name, 0))
            self._tasks[name] = self._group.create_task(following_it, name=f"node {name}")

    def _next(self, asked: int, got: int) -> int:
        after = following(asked, got)
        if after == 0:
            self._world.forget_checks()
        return after

    def _take(self, what: str, changes: list[Change]) -> None:
        _reads.labels(what).inc()
        if self._batch is not None:
            self._batch += changes
        else:
            self._commit(changes)

    def _commit(self, changes: Iterable[Change]) -> None:
        changes = tuple(changes)
        if changes:
            self._catalog.commit(changes)
