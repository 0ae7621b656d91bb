"""The services of one Consul agent as a registrar's entries.

An agent's ids are its own: one id is one entry, whatever its service. What it holds is compared in
the agent's words (``registration``). If only a status or the drain of an entry differs from what
was written last, only that is told; anything else is registered anew.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sidecar.catalog.model import Instance, InstanceId, Key
from sidecar.runtime.clock import Clock
from sidecar.runtime.component import Component
from sidecar.runtime.log import get_logger
from sidecar.stores.base import EdgeOptions, Holder
from sidecar.stores.consul.adoption import holders_own, is_adopted
from sidecar.stores.consul.agent import Agent, Refused
from sidecar.stores.consul.batch import batch_of, by_id
from sidecar.stores.consul.client import Client, side_by_side
from sidecar.stores.consul.contests import Contests
from sidecar.stores.consul.heartbeat import Heartbeat
from sidecar.stores.consul.keeper import Keeper
from sidecar.stores.consul.marks import Marks
from sidecar.stores.consul.node import OwnNode
from sidecar.stores.consul.progress import Progress
from sidecar.stores.consul.registration import (
    AgentCheck,
    AgentService,
    Feed,
    Registration,
    is_drained,
    is_registered,
    is_told,
    registration,
)
from sidecar.stores.consul.watch import Disturbance, Watch

__all__ = ["ConsulEdge"]

_log = get_logger("consul")


class _Held(NamedTuple):
    """What was written, or found to be right."""

    key: Key
    instance: Instance
    told: Registration


class ConsulEdge:
    """An Edge on the services of one agent."""

    def __init__(self, client: Client, options: EdgeOptions, *, clock: Clock) -> None:
        """Entries have no TTL here: an agent forgets nothing by itself."""
        self._client = client
        self._clock = clock
        self._contests = Contests()
        self._agent = Agent(client)
        self._marks = Marks(client, is_on=options.is_marked)
        self._is_fed = not options.is_original
        self._held: dict[str, _Held] = {}
        self._doubted: set[str] = set()
        self._left: set[str] = set()
        self._checks: dict[str, dict[str, AgentCheck]] = {}
        self._progress = Progress()
        self._disturbance = Disturbance()
        self._heartbeat = Heartbeat(self._agent.beat, clock, self._feeds, self._doubt)
        own_node = OwnNode(client, self._is_off, clock)
        watch = Watch(own_node, self._doubt, self._disturbance.tell, clock, client.url)
        self._keeper = Keeper(client.url, watch, self._heartbeat, self._marks, clock)

    @property
    def url(self) -> str:
        """The agent's address without secrets."""
        return self._client.url

    @property
    def components(self) -> tuple[Component, ...]:
        """What notices disturbances, feeds checks and writes marks."""
        return (self._keeper,)

    async def ping(self) -> None:
        """Return when the agent knows a leader. Raises StoreUnavailable or StoreDenied."""
        await self._client.ping()

    async def write(self, wanted: Mapping[Key, Instance | None]) -> Mapping[Key, str]:
        """Make each of these entries what is wanted, None: absent.

        Returns why the agent refused an entry, by key. Raises StoreUnavailable or StoreDenied.
        """
        keys = {id_: held.key for id_, held in self._held.items()}
        puts, drops, refused = batch_of(wanted, keys)
        self._marks.belong_to(next((i.owner for _, i in puts.values() if i.owner), ""))
        self._marks.add(puts)
        await self._marks.flush()

        async def act(id_: str) -> None:
            key, instance = puts[id_] if id_ in puts else (drops[id_], None)
            try:
                if instance is None:
                    await self._remove(id_)
                else:
                    await self._put(key, instance)
            except Refused as error:
                refused[key] = str(error)

        with self._progress.on({*puts, *drops}):
            await side_by_side([*drops, *puts], act)
        self._marks.remove(id_ for id_, key in drops.items() if key not in refused)
        self._keeper.wake()
        return refused

    async def audit(self, desired: Mapping[Key, Instance], holder: Holder) -> frozenset[Key]:
        """Return under which keys the agent does not hold what is desired. Writes nothing.

        Raises StoreUnavailable or StoreDenied.
        """
        began = self._progress.now()
        self._marks.belong_to(holder.owner)
        await self._marks.load()
        services = await self._agent.services()
        checks = await self._agent.checks()
        self._progress.forget(began)
        ids = by_id(desired)
        wrong: set[Key] = set()
        for id_, candidates in ids.items():
            if self._progress.is_settled(id_, began):
                wrong |= self._compared(candidates, services.get(id_), checks.get(id_, {}))
        self._marks.add(id_ for id_ in ids if id_ in services)
        self._keeper.wake()
        surplus = services.keys() - ids.keys()
        others = await self._others(surplus, holder)
        for id_ in holders_own(surplus, {*self._marks.ids, *self._held}, others, holder.node):
            if self._progress.is_settled(id_, began):
                wrong.add(Key(services[id_].name, holder.node, InstanceId(id_)))
        self._checks = {id_: checks.get(id_, {}) for id_ in services}
        return frozenset(wrong)

    def let_go(self, keys: Iterable[Key]) -> None:
        """Feed the checks of these no more; the entries stay."""
        self._left |= {key.id for key in keys}

    async def disturbed(self) -> None:
        """Return when entries may be gone or changed by another hand."""
        await self._disturbance.wait()

    def trouble(self) -> str | None:
        """Return what keeps the edge from its agent, or None."""
        return self._keeper.trouble()

    async def close(self) -> None:
        """Close connections; entries stay."""
        await self._client.close()

    # Writing

    async def _put(self, key: Key, instance: Instance) -> None:
        told = self._registration(instance)
        held = self._held.get(key.id)
        if held == _Held(key, instance, told) and key.id not in self._doubted:
            return
        is_sure = key.id not in self._doubted
        self._doubted.add(key.id)  # until all is acknowledged
        is_kept = (
            held is not None
            and is_sure
            and held.told.core == told.core
            and (held.told.feeds, held.instance.draining) != (told.feeds, instance.draining)
            and await self._agent.tell(set(told.feeds) - set(held.told.feeds))
        )
        if not is_kept:
            self._held.pop(key.id, None)
            await self._register(key.id, told, held)
        if instance.draining != self._is_drained(key.id, held if is_kept else None):
            await self._agent.drain(key.id, is_on=instance.draining)
        self._held[key.id] = _Held(key, instance, told)
        self._doubted.discard(key.id)
        self._left.discard(key.id)
        self._checks.pop(key.id, None)
        self._heartbeat.told(told.feeds)

    async def _register(self, id_: str, told: Registration, held: _Held | None) -> None:
        """Register anew; take away checks that are wanted no more, tell those that were there."""
        before = set(held.told.kinds) if held is not None else set()
        before |= {
            check for check in self._checks.get(id_, {}) if check.startswith(f"service:{id_}")
        }
        await self._agent.register(told.body)
        for check in before - told.kinds.keys():
            await self._agent.deregister_check(check)
        # A new check has the status of its definition; one that was there keeps what it had.
        stale = [feed for feed in told.feeds if feed.is_own or feed.id in before]
        await self._agent.tell(stale)

    def _registration(self, instance: Instance) -> Registration:
        try:
            return registration(instance, is_fed=self._is_fed)
        except ValueError as error:
            raise Refused(str(error)) from error

    def _is_drained(self, id_: str, held: _Held | None) -> bool:
        """Say whether the agent has the entry in our maintenance, as far as is known."""
        if id_ in self._checks:
            return is_drained(id_, self._checks[id_])
        return held is not None and held.instance.draining

    async def _remove(self, id_: str) -> None:
        self._held.pop(id_, None)
        self._left.discard(id_)
        self._checks.pop(id_, None)
        await self._agent.deregister(id_)

    # Reading

    def _compared(
        self,
        candidates: Mapping[Key, Instance],
        there: AgentService | None,
        checks: Mapping[str, AgentCheck],
    ) -> set[Key]:
        """Return the keys of one id that are wrong; several want it: one of them is enough."""
        for key, instance in candidates.items():
            if there is None or not is_registered(instance, there):
                continue
            try:
                told = registration(instance, is_fed=self._is_fed)
            except ValueError:
                continue
            if is_told(instance, told, checks):
                self._held[key.id] = _Held(key, instance, told)
                self._doubted.discard(key.id)
                return set()
        id_ = next(iter(candidates)).id
        if there is not None and self._is_lost(id_, candidates):
            return set()
        self._held.pop(id_, None)
        return set(candidates)

    def _is_lost(self, id_: str, candidates: Mapping[Key, Instance]) -> bool:
        """Say whether another hand insists on its own form of an entry that is there."""
        now, held = self._clock.monotonic(), self._held.get(id_)
        if self._contests.is_lost(id_, now):
            return True
        was_ours = held is not None and candidates.get(held.key) == held.instance
        is_lost = was_ours and self._contests.changed(id_, now)
        if is_lost:
            _log.warning("another hand writes this entry too, left to it", id=id_)
        return is_lost

    async def _others(self, surplus: Iterable[str], holder: Holder) -> Mapping[str, str]:
        """Return the marks of other owners, if there is anything that they could decide."""
        marked = self._marks.ids
        if any(is_adopted(id_, holder.node) and id_ not in marked for id_ in surplus):
            return await self._marks.others()
        return {}

    async def _is_off(self) -> bool:
        began = self._progress.now()
        services = await self._agent.services()
        off = {
            id_
            for id_, held in self._held.items()
            if self._progress.is_settled(id_, began)
            and ((found := services.get(id_)) is None or not is_registered(held.instance, found))
        }
        self._doubted |= off
        return bool(off)

    def _doubt(self) -> None:
        """Believe nothing that was written any more: the agent may be another."""
        self._doubted |= self._held.keys()
        self._disturbance.tell()

    def _feeds(self) -> list[Feed]:
        return [
            feed
            for id_, held in self._held.items()
            if id_ not in self._left
            for feed in held.told.feeds
        ]
