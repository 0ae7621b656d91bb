"""Follow a Redis Cluster: ask some of its nodes who has which slot, again and again."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from ambassador.frame.address import Address
from ambassador.redis.cluster.hub import ClusterHub
from ambassador.redis.cluster.slots import View, newest, view_of
from ambassador.redis.greeting import DEFAULT, Refused
from ambassador.redis.hub import Hub
from ambassador.redis.link import Link
from ambassador.redis.resp import Failure, packed
from sidecar.errors import ProtocolError, UpstreamUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.log import get_logger

__all__ = ["Clustered"]

_log = get_logger("ambassador")
_MOST_ASKED: Final = 3
_PERIOD: Final = 1.0
_LEAST_PAUSE: Final = 0.05
_SHARDS: Final = packed(b"CLUSTER", b"INFO") + packed(b"CLUSTER", b"SHARDS")
_SLOTS: Final = packed(b"CLUSTER", b"INFO") + packed(b"CLUSTER", b"SLOTS")


class Clustered:
    """A cluster, of which some nodes are known to begin with."""

    def __init__(self, seeds: Sequence[Address]) -> None:
        """Ask these first."""
        self._seeds = tuple(seeds)
        self._links: dict[Address, Link] = {}
        self._turn = 0

    async def follow(self, hub: Hub) -> None:
        """Tell what the cluster looks like until cancelled."""
        assert isinstance(hub, ClusterHub)  # noqa: S101 - the source says what hub there is
        backoff, was_well = Backoff(0.1, 2.0), True
        try:
            while True:
                hub.wanted.clear()
                views, why = await self._ask(hub)
                if views:
                    hub.take_view(newest(views))
                    hub.tallies.last_look = hub.now()
                    backoff.reset()
                elif was_well:
                    _log.warning("no node of the cluster answers", reason=why)
                was_well = bool(views)
                await asyncio.sleep(_LEAST_PAUSE if views else backoff.next())
                await _first(hub.wanted, _PERIOD)
        finally:
            for link in self._links.values():
                link.close("done")

    async def _ask(self, hub: ClusterHub) -> tuple[list[View], str]:
        """Return what several nodes say, or why none does."""
        places = self._places(hub)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._view(hub, place), name="view") for place in places]
        found = [task.result() for task in tasks]
        views = [one for one in found if isinstance(one, View)]
        return views, next((one for one in found if isinstance(one, str)), "none is known")

    def _places(self, hub: ClusterHub) -> Iterable[Address]:
        """Return who is asked this time: primaries in turn, then whoever else may answer."""
        known = [node.address for node in hub.primaries]
        self._turn += 1
        at = self._turn % len(known) if known else 0
        chosen = [*known[at:], *known[:at]][:_MOST_ASKED]
        if len(chosen) < _MOST_ASKED or hub.trouble() is not None:
            others = [*self._seeds, *(one for one in hub.nodes if one not in known)]
            chosen += [one for one in dict.fromkeys(others) if one not in chosen]
        for gone in [one for one in self._links if one not in chosen and one not in hub.nodes]:
            self._links.pop(gone).close("no member any more")
        return chosen[: 2 * _MOST_ASKED]

    async def _view(self, hub: ClusterHub, place: Address) -> View | str:
        link = self._links.get(place)
        try:
            async with asyncio.timeout(hub.settings.probe_timeout):
                if link is None or link.is_closed:
                    login = hub.with_login(DEFAULT)
                    link = Link(hub.dialer.to(place), login, name=b"ambassador:cluster")
                    self._links[place] = link
                    await link.open()
                info, told = await link.ask(_SHARDS, 2)
                if isinstance(told, Failure) and told.count(b"subcommand"):  # before Redis 7
                    info, told = await link.ask(_SLOTS, 2)
            return view_of(info, told, place, with_tls=hub.settings.tls is not None)
        except (UpstreamUnavailable, Refused, TimeoutError, ProtocolError) as error:
            if link is not None:
                link.close("it does not answer")
            return f"{place}: {str(error) or 'no answer in time'}"


async def _first(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
