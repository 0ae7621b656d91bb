"""The drain contract: mark, wait for what is under way, stop.

The mark is first: names and proxies send nothing new. What is under way is known by who sends
work, the load balancer; where it knows nothing, ``SERVICE_DRAIN`` seconds stand for it. Whoever
leaves before the end takes the mark back.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from sidecar.catalog.model import Instance
from sidecar.catalog.work import InFlight, Step
from sidecar.config.units import duration
from sidecar.engine.facts import Container, is_container_reference
from sidecar.errors import ApiError
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

__all__ = ["Drainer", "Marks", "Stopper"]

_POLL: Final = 0.2  # also how long a proxy may take to hear of the mark
_TELL: Final = 1.0
_LIMIT: Final = 60.0
_WRITE: Final = 5.0
_log = get_logger("drain")


class Marks(Protocol):
    """Who marks entries as draining (registrar.component.Registrar)."""

    def drain(self, id_: str, *, on: bool) -> tuple[Instance, ...]:
        """Mark a container's entries, or take that back; return them as they are."""

    async def written(self) -> None:
        """Return when each store has what it should, or is known to be in trouble."""

    def trouble(self) -> str | None:
        """Return what keeps a store from having what it should, or None."""


class Stopper(Protocol):
    """Who stops containers (sidecar.engine.client.Engine)."""

    async def inspect(self, id_: str) -> Container | None:
        """Return a container's facts, or None when it is gone."""

    async def stop(self, id_: str) -> bool:
        """Stop it; False when it is gone."""


class Drainer:
    """Drains containers, each by one caller at a time."""

    def __init__(
        self,
        engine: Stopper,
        marks: Marks,
        clock: Clock,
        *,
        work: InFlight | None = None,
        default: float = 10.0,
        is_shared: bool = False,
        kept: Callable[[str], float] = lambda _: 0.0,
    ) -> None:
        """``default``: seconds to wait when neither ``work`` nor the container says more.

        ``is_shared``: other hosts send work too, which ``work`` does not count; so the container's
        own ``SERVICE_DRAIN`` is waited for besides. ``kept``: for how many seconds a client may
        use what the name of a service led to; no drain is shorter.
        """
        self._engine = engine
        self._marks = marks
        self._clock = clock
        self._work = work
        self._default = default
        self._is_shared = is_shared
        self._kept = kept
        self._busy: set[str] = set()

    async def drain(
        self, reference: str, *, timeout: float | None = None, stop: bool = True
    ) -> AsyncGenerator[Step, None]:
        """Yield each step (``sidecar.catalog.work.Drains``)."""
        container = await self._found(reference)
        id_ = container.id
        if id_ in self._busy:
            raise ApiError(409, f"{container.name} is being drained")
        self._busy.add(id_)
        begun = self._clock.monotonic()
        is_over = False
        try:
            instances = self._marks.drain(id_, on=True)
            _log.info("marked", container=container.name, instances=len(instances))
            # Who sends work hears of the mark from a shared store: if that has it not, a count of
            # nothing says nothing about the next moment.
            is_told = not self._is_shared
            with suppress(TimeoutError):  # a store that hangs is not waited for
                async with asyncio.timeout(_WRITE):
                    await self._marks.written()
                    is_told = is_told or self._marks.trouble() is None
            names = tuple(instance.id for instance in instances)
            yield Step(phase="marked", seconds=self._since(begun), instances=names)
            async for step in self._wait(instances, begun, timeout, is_counted=is_told):
                yield step
            if stop:
                await self._engine.stop(id_)
                _log.info("stopped", container=container.name)
                yield Step(phase="stopped", seconds=self._since(begun))
            is_over = True
        finally:
            self._busy.discard(id_)
            if not is_over:
                _log.info("mark taken back", container=container.name)
                self._marks.drain(id_, on=False)

    async def undo(self, reference: str) -> None:
        """Take a mark back that was left standing."""
        self._marks.drain((await self._found(reference)).id, on=False)
        await self._marks.written()

    async def has(self, reference: str) -> bool:
        """Say whether a container is here. Raises EngineUnavailable, EngineDenied."""
        known = is_container_reference(reference)
        return known and await self._engine.inspect(reference) is not None

    async def _found(self, reference: str) -> Container:
        known = is_container_reference(reference)
        container = await self._engine.inspect(reference) if known else None
        if container is None:
            raise ApiError(404, f"there is no container {reference[:100]!a}")
        if not container.alive:
            raise ApiError(409, f"{container.name} does not run")
        return container

    async def _wait(
        self,
        instances: Sequence[Instance],
        begun: float,
        timeout: float | None,
        *,
        is_counted: bool,
    ) -> AsyncIterator[Step]:
        """Yield what is still waited for, and at last ``done`` or ``overdue``."""
        kept = max((self._kept(each.service) for each in instances), default=0.0)
        limit = max(_LIMIT if timeout is None else timeout, kept)
        pause = _pause_of(instances, self._default)
        least = max(_pause_of(instances, 0.0) if self._is_shared else 0.0, kept)
        told, quiet = begun, 0
        while instances:
            await self._clock.sleep(_POLL)
            count = await self._count(instances) if is_counted else None
            waited = self._since(begun)
            quiet = quiet + 1 if count == 0 else 0
            over = least if quiet > 1 else max(pause, kept)
            if (quiet > 1 or count is None) and waited > over - _POLL / 2:
                break
            if waited >= limit:
                yield Step(phase="overdue", seconds=waited, in_flight=count)
                return
            if self._clock.monotonic() - told >= _TELL:
                told = self._clock.monotonic()
                left = max(pause, kept) - waited if count is None else None
                yield Step(phase="waiting", seconds=waited, in_flight=count, left=left)
        yield Step(phase="done", seconds=self._since(begun))

    async def _count(self, instances: Sequence[Instance]) -> int | None:
        if self._work is None:
            return None
        counts = [await self._work.in_flight(instance) for instance in instances]
        known = [count for count in counts if count is not None]
        return sum(known) if known else None

    def _since(self, begun: float) -> float:
        return self._clock.monotonic() - begun


def _pause_of(instances: Sequence[Instance], default: float) -> float:
    """Return the longest ``SERVICE_DRAIN`` of the instances, or the default."""
    given = [found for i in instances if (found := _seconds(i.meta.get("drain", ""))) is not None]
    return max(given, default=default)


def _seconds(text: str) -> float | None:
    try:
        return duration(text)
    except ValueError:
        return None
