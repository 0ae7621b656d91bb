"""One ordered lane of work per container: look, then apply, never two at once.

A lane conflates: however many events come while a container is looked at, it is looked at once
more. What was seen before a death is never applied after it. Different containers go side by
side, bounded; looks that a reconcile asked for leave room for those that events asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Generic, TypeVar

from sidecar.errors import EngineDenied, EngineUnavailable

__all__ = ["Lanes"]

Facts = TypeVar("Facts")
_AT_ONCE: Final = 32  # of each kind, so at most 64 requests are in flight


class _Lane:
    __slots__ = ("deaths", "done", "is_bulk", "is_failed", "is_pending")

    def __init__(self, is_bulk: bool) -> None:
        self.is_bulk = is_bulk
        self.is_pending = True
        self.is_failed = False
        self.deaths = 0
        self.done = asyncio.Event()


class Lanes(Generic[Facts]):
    """Runs looks; a lane exists only while it has something to do."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        look: Callable[[str], Awaitable[Facts]],
        apply: Callable[[str, Facts], None],
        failed: Callable[[], None],
    ) -> None:
        """``apply`` gets what ``look`` returned; ``failed`` hears of looks the engine refused."""
        self._group = group
        self._look = look
        self._apply = apply
        self._failed = failed
        self._lanes: dict[str, _Lane] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._bulk_slots = asyncio.Semaphore(_AT_ONCE)

    def want(self, id_: str, *, bulk: bool = False) -> None:
        """Look at a container soon, in any case later than now."""
        lane = self._lanes.get(id_)
        if lane is not None:
            lane.is_pending = True
            return
        lane = self._lanes[id_] = _Lane(bulk)
        self._group.create_task(self._run(id_, lane), name=f"registrar lane {id_[:12]}")

    def died(self, id_: str) -> None:
        """Distrust a look that is under way; look again."""
        self.want(id_)
        self._lanes[id_].deaths += 1

    async def settle(self, ids: Iterable[str]) -> bool:
        """Look at all of these; return True when each was seen."""
        ids = tuple(ids)
        for id_ in ids:
            self.want(id_, bulk=True)
        lanes = [self._lanes[id_] for id_ in ids]
        for lane in lanes:
            await lane.done.wait()
        return not any(lane.is_failed for lane in lanes)

    async def _run(self, id_: str, lane: _Lane) -> None:
        try:
            while lane.is_pending:
                async with self._bulk_slots if lane.is_bulk else self._slots:
                    lane.is_pending = False
                    deaths = lane.deaths
                    await self._turn(id_, lane, deaths)
                lane.is_bulk = False
        finally:
            del self._lanes[id_]
            lane.done.set()

    async def _turn(self, id_: str, lane: _Lane, deaths: int) -> None:
        try:
            facts = await self._look(id_)
        except (EngineUnavailable, EngineDenied):
            lane.is_failed = True
            self._failed()
            return
        lane.is_failed = False
        if lane.deaths == deaths:
            self._apply(id_, facts)
