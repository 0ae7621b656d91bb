"""Readers that wait for the same: woken in one turn of the loop, with the same bytes.

Who waits here costs one entry and one timer: no task, no request. What a reader saw at its
beginning is part of what a group has in common, so that all of it is due at the same moment.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from sidecar.catalog.live import Catalog
from sidecar.web.blocking import with_jitter
from sidecar.web.consul.query import Wait
from sidecar.web.consul.reads import Read
from sidecar.web.consul.view import View
from sidecar.web.door import Cancel, Deliver, Later, ShortAnswer

__all__ = ["Waiting", "answered"]

Written = Callable[[View], ShortAnswer]


@dataclass(slots=True, eq=False)
class _Group:
    """Readers of one URL that have seen the same; ``seen`` is what must move, if not the index."""

    key: tuple[object, ...]
    read: Read
    index: int
    seen: int | None
    view: View
    written: Written
    readers: dict[Deliver, asyncio.TimerHandle] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    cancel: Cancel = lambda: None
    is_planned: bool = False

    def is_due(self, view: View) -> bool:
        if self.read.wakes is not None and self.read.wakes(view) == self.seen:
            return False
        return self.read.index(view) > self.index

    def answer(self, view: View) -> ShortAnswer | Exception:
        """Return the answer, or why there is none: nobody is left waiting (a wrong filter)."""
        try:
            return self.written(view)
        except Exception as error:  # noqa: BLE001 - the readers' own guards decide by its class
            return error


class Waiting:
    """All groups of one catalogue."""

    def __init__(self, catalog: Catalog, view: Callable[[], View]) -> None:
        """Wait for changes of ``catalog``, of which ``view`` is the newest."""
        self._catalog = catalog
        self._view = view
        self._groups: dict[tuple[object, ...], _Group] = {}

    def later(self, key: tuple[object, ...], read: Read, wait: Wait, written: Written) -> Later:
        """Return the answer to a read that is not due: at the next change, or when time is over.

        ``key`` stands for what ``written`` makes of a view.
        """
        view = self._view()
        whole = (key, wait.index, view.snapshot.index if read.wakes is not None else 0)

        def begin(deliver: Deliver, longest: float) -> Cancel:
            group = self._groups.get(whole)
            if group is None:
                seen = read.wakes(view) if read.wakes is not None else None
                group = _Group(whole, read, wait.index, seen, view, written)
                self._groups[whole] = group
                self._listen(group, view)
            loop = asyncio.get_running_loop()
            limit = with_jitter(min(wait.seconds, longest))
            group.readers[deliver] = loop.call_later(limit, self._late, group, deliver)
            return lambda: self._leave(group, deliver)

        return Later(begin)

    def _listen(self, group: _Group, view: View) -> None:
        topics = group.read.topics(view)
        if topics == group.topics:
            return
        group.cancel()
        group.topics = topics
        group.cancel = self._catalog.on_moved(topics, lambda: self._plan(group))

    def _plan(self, group: _Group) -> None:
        """Look after the commit: its writer does not wait for its readers."""
        if not group.is_planned:
            group.is_planned = True
            asyncio.get_running_loop().call_soon(self._look, group)

    def _look(self, group: _Group) -> None:
        group.is_planned = False
        view = self._view()
        if not group.readers:
            return
        if not group.is_due(view):
            self._listen(group, view)
            return
        answer = group.answer(view)
        readers, group.readers = group.readers, {}
        self._end(group)
        for deliver, timer in readers.items():
            timer.cancel()
            deliver(answer)

    def _late(self, group: _Group, deliver: Deliver) -> None:
        """Answer after the whole wait: from the beginning's view, if nothing woke the reader."""
        self._leave(group, deliver)
        view = self._view()
        keeps = group.read.wakes is not None and not group.is_due(view)
        deliver(group.answer(group.view if keeps else view))

    def _leave(self, group: _Group, deliver: Deliver) -> None:
        timer = group.readers.pop(deliver, None)
        if timer is not None:
            timer.cancel()
            if not group.readers:
                self._end(group)

    def _end(self, group: _Group) -> None:
        group.cancel()
        if self._groups.get(group.key) is group:
            del self._groups[group.key]


async def answered(later: Later) -> ShortAnswer:
    """Wait for an answer, for who has a task anyway."""
    waiter: asyncio.Future[ShortAnswer] = asyncio.get_running_loop().create_future()

    def deliver(answer: ShortAnswer | Exception) -> None:
        if waiter.done():
            return
        if isinstance(answer, Exception):
            waiter.set_exception(answer)
        else:
            waiter.set_result(answer)

    cancel = later.begin(deliver, inf)
    try:
        return await waiter
    finally:
        cancel()
