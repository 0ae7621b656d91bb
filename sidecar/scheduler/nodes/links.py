"""All nodes that are followed, by name; nodes may join and leave while they are."""

import asyncio
from collections.abc import Callable, Iterable

from sidecar.errors import EngineUnavailable
from sidecar.scheduler.model import State
from sidecar.scheduler.nodes.link import Link

__all__ = ["Links"]


class Links(dict[str, Link]):
    """A link for each node. What asks for one that left is told that it cannot be reached."""

    def __init__(self, links: Iterable[Link], *, is_complete: Callable[[], bool]) -> None:
        """``is_complete`` says whether all nodes that are known have joined."""
        super().__init__({link.name: link for link in links})
        self._is_complete = is_complete
        self._changed = asyncio.Event()

    def __missing__(self, name: str) -> Link:
        """Raise EngineUnavailable."""
        raise EngineUnavailable(f"{name} is listed no more")

    def join(self, link: Link) -> None:
        """Take one more."""
        self[link.name] = link
        self._changed.set()

    def leave(self, name: str) -> None:
        """Let one go: what runs there is not ours any more."""
        self.pop(name, None)
        self._changed.set()

    @property
    def are_known(self) -> bool:
        """Whether each was looked at once, or is known to be down."""
        joining = (link for link in self.values() if link.reach().state is State.JOINING)
        return self._is_complete() and not any(joining)

    async def run(self, wake: Callable[[], None]) -> None:
        """Follow all until cancelled; ``wake`` hears of each change."""
        tasks: dict[Link, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                now = {*self.values()}
                for link in tasks.keys() - now:
                    tasks.pop(link).cancel()
                for link in now - tasks.keys():
                    tasks[link] = group.create_task(link.run(wake), name=f"node {link.name}")
                wake()
                await self._changed.wait()
