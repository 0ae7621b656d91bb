"""A running pinnace as a backend: its keys, and below ``/services`` the catalogue it keeps.

The catalogue is followed once for all who read it, by ``run``; before that, and where nobody runs
it, each read follows it until it is complete. Keys of the store below ``/services`` are hidden:
whoever may write keys may not add instances to a service.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress

from sidecar.catalog.live import Catalog
from sidecar.errors import PinnaceError
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Mirror
from templater.backends.adapted import Adapted
from templater.backends.base import Values
from templater.backends.services import ROOT, concerns, services_below

__all__ = ["PinnaceBackend"]

_log = get_logger("confd")


class PinnaceBackend:
    """Keys and services of one address."""

    def __init__(self, keys: Adapted, mirror: Callable[[Catalog], Mirror]) -> None:
        """``mirror`` makes what fills a catalogue; each runs once."""
        self.address = keys.address
        self._keys = keys
        self._mirror = mirror
        self._catalog = Catalog()
        self._told: set[str] = set()

    async def read(self, keys: Sequence[str]) -> Values:
        """Return what the keys stand for."""
        found = _without_services(await self._keys.read(keys))
        if any(map(concerns, keys)):
            if not self._catalog.synced:
                await self._follow_once()
            for key in keys:
                found |= self._services(key)
        return found

    async def watch(self, key: str) -> AsyncGenerator[Values]:
        """Yield the present state, then newer ones."""
        if key.startswith(f"{ROOT}/"):
            source = self._services_of(key)
        elif concerns(key):
            source = self._both(key)
        else:
            source = self._keys_of(key)
        async with aclosing(source) as states:
            async for values in states:
                yield values

    async def run(self) -> None:
        """Follow the catalogue until cancelled."""
        await self._mirror(self._catalog).run(lambda: None)

    async def probe(self) -> None:
        """Return when it answers."""
        await self._keys.probe()

    async def close(self) -> None:
        """Close the clients."""
        await self._keys.close()

    async def _follow_once(self) -> None:
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            mirror = self._mirror(self._catalog).run(ready.set)
            follower = group.create_task(mirror, name="mirror")
            await ready.wait()
            follower.cancel()

    async def _keys_of(self, key: str) -> AsyncGenerator[Values]:
        async with aclosing(self._keys.watch(key)) as states:
            async for values in states:
                yield _without_services(values)

    async def _services_of(self, key: str) -> AsyncGenerator[Values]:
        catalog = self._catalog
        last: object = None
        seen: Values | None = None
        while True:
            snapshot = catalog.snapshot
            if not catalog.synced or snapshot is last:
                await catalog.changed()
                continue
            last = snapshot
            now = self._services(key)
            if now != seen:
                seen = now
                yield now

    async def _both(self, key: str) -> AsyncGenerator[Values]:
        """Yield keys and services together, once both are known.

        The tasks note what is wrong and never raise: their group would cancel whoever asks, and
        that may be elsewhere at the time. For the same reason the group never sees that it is
        asked no more.
        """
        parts: dict[str, Values] = {}
        failed: list[PinnaceError] = []
        news = asyncio.Event()

        async def follow(name: str, source: AsyncGenerator[Values]) -> None:
            try:
                async with aclosing(source) as states:
                    async for values in states:
                        parts[name] = values
                        news.set()
            except PinnaceError as error:
                failed.append(error)
                news.set()

        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(follow("keys", self._keys_of(key)), name=f"keys {key}"),
                group.create_task(follow("services", self._services_of(key)), name="services"),
            ]
            with suppress(GeneratorExit):
                while not failed:
                    if len(parts) == len(tasks):
                        yield {**parts["keys"], **parts["services"]}
                    await news.wait()
                    news.clear()
            for task in tasks:
                task.cancel()
        if failed:
            raise failed[0]

    def _services(self, key: str) -> Values:
        found = services_below(self._catalog.snapshot, key)
        for problem in found.problems:
            if problem not in self._told:
                self._told.add(problem)
                _log.warning(f"left out: {problem}")
        return found.values


def _without_services(values: Values) -> dict[str, str]:
    return {key: value for key, value in values.items() if not key.startswith(f"{ROOT}/")}
