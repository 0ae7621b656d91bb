"""The entries of one edge as nodes: what is known of them, and making them what they should be.

All work on them goes through one lock, so an answer is never older than what is known.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from sidecar.errors import StoreUnavailable
from sidecar.stores.zookeeper.answers import Answer, Fault, Read
from sidecar.stores.zookeeper.client import Client
from sidecar.stores.zookeeper.codec import Place
from sidecar.stores.zookeeper.steps import Actual, Doubt, Held, Step, is_right, next_step
from sidecar.stores.zookeeper.threads import Call

__all__ = ["Nodes"]

_ROUNDS: Final = 8  # create, read, replace, and what others do meanwhile
_AGAIN: Final = frozenset({Fault.PRESENT, Fault.CHANGED})


class Nodes:
    """What this process knows of the nodes it cares for. Callers hold ``lock``."""

    def __init__(self, client: Client) -> None:
        """Know nothing yet."""
        self.lock = asyncio.Lock()
        self.made: set[Place] = set()
        """Where this process put something that it did not remove."""
        self.earlier: frozenset[int] = frozenset()
        """Sessions of our predecessors."""
        self._client = client
        self._actual: dict[Place, Actual] = {}
        self._parents: set[str] = set()
        self._session = 0
        self._past: set[int] = set()

    def path(self, *parts: str) -> str:
        """Return the path of a service or an entry."""
        return "/".join((self._client.location.base, *parts)) or "/"

    def place(self, path: str) -> Place:
        """Return the place of an entry's path."""
        service, _, leaf = path.removeprefix(self._client.location.base)[1:].partition("/")
        return service, leaf

    def actual(self, at: Place) -> Actual:
        """Return what is known of a node."""
        return self._actual.get(at, Doubt.UNSEEN)

    def is_right(self, at: Place, wanted: bytes | None) -> bool:
        """Say whether this node can stay as it was seen."""
        return is_right(wanted, self.actual(at), self._client.session, was_ours=self._was_ours(at))

    async def read(self, places: Iterable[Place], watch: Callable[[Any], None] | None) -> None:
        """Look at these nodes. Raises StoreUnavailable."""
        self._begin()
        places = list(places)
        answers = await self._client.run([self._client.get(self.path(*at), watch) for at in places])
        for at, answer in zip(places, answers, strict=True):
            self._actual[at] = _seen(answer)

    async def bring(self, wanted: Mapping[Place, bytes | None]) -> dict[Place, str]:
        """Make these nodes what they should be; return what ZooKeeper refuses, and why.

        Raises StoreUnavailable or StoreDenied; what the nodes hold is in doubt then.
        """
        refused: dict[Place, str] = {}
        try:
            for _ in range(_ROUNDS):
                self._begin()
                steps = dict(self._steps(wanted, refused))
                if not steps:
                    return refused
                await self._round(steps, wanted, refused)
        except BaseException:
            for at in wanted:
                self._actual.pop(at, None)
            raise
        raise StoreUnavailable(f"{self._client.location.url}: entries keep changing")

    async def tidy(self, services: Collection[str]) -> None:
        """Remove the nodes of these services where no child is left."""
        if services:
            self._parents -= set(services)
            await self._client.run([self._client.delete(self.path(each)) for each in services])

    def _begin(self) -> None:
        """Take note of the session: what an older one made is gone, or goes soon."""
        if self._client.session != self._session:
            if self._session:
                self._past.add(self._session)
            self._session = self._client.session
            self._actual.clear()
            self._parents.clear()

    def _was_ours(self, at: Place) -> bool:
        actual = self.actual(at)
        return at in self.made and isinstance(actual, Held) and actual.session not in self._past

    def _steps(
        self, wanted: Mapping[Place, bytes | None], refused: Collection[Place]
    ) -> Iterable[tuple[Place, Step]]:
        for at, data in wanted.items():
            step = next_step(
                data,
                self.actual(at),
                self._session,
                was_ours=self._was_ours(at),
                earlier=self.earlier | self._past,
            )
            if step is not None and at not in refused:
                yield at, step

    async def _round(
        self,
        steps: Mapping[Place, Step],
        wanted: Mapping[Place, bytes | None],
        refused: dict[Place, str],
    ) -> None:
        services = {at[0] for at, step in steps.items() if step is Step.CREATE} - self._parents
        above = self._above() if services else []
        calls = [
            *(self._client.create(path) for path in above),
            *(self._client.create(self.path(each)) for each in services),
            *(self._call(at, step, wanted[at]) for at, step in steps.items()),
        ]
        answers = (await self._client.run(calls))[len(above) :]
        parents = dict(zip(services, answers, strict=False))
        self._parents |= services
        for (at, step), answer in zip(steps.items(), answers[len(services) :], strict=True):
            fault = self._take(at, step, wanted[at], answer)
            if fault is Fault.ABSENT:  # the node above
                self._parents.discard(at[0])
                above_fault = parents.get(at[0])
                if isinstance(above_fault, Fault) and above_fault is not Fault.PRESENT:
                    refused[at] = above_fault.value
            elif fault is not None:
                refused[at] = fault.value

    def _above(self) -> list[str]:
        """Return the base path and all paths above it, the highest first."""
        parts = self._client.location.base.split("/")[1:]
        return ["/" + "/".join(parts[: number + 1]) for number in range(len(parts))]

    def _call(self, at: Place, step: Step, data: bytes | None) -> Call:
        path, actual = self.path(*at), self.actual(at)
        match step, data:
            case Step.CREATE, bytes():
                return self._client.create(path, data, ephemeral=True)
            case Step.SET, bytes():
                return self._client.set(path, data)
            case Step.REPLACE, bytes() if isinstance(actual, Held):
                return self._client.replace(path, actual.version, data)
            case Step.DELETE, _:
                return self._client.delete(path)
        return self._client.get(path)

    def _take(self, at: Place, step: Step, data: bytes | None, answer: Answer) -> Fault | None:
        """Take note of an answer; return what is wrong with the node itself, or its parent."""
        if step is Step.READ:
            self._actual[at] = _seen(answer)
            return answer if answer is Fault.DENIED else None
        if not isinstance(answer, Fault):
            self._done(at, data, 0 if step is not Step.SET else answer.version)
        elif answer is Fault.ABSENT:
            self._actual[at] = None
            return answer if step is Step.CREATE else None
        elif answer in _AGAIN:
            self._actual[at] = Doubt.PRESENT
        else:
            return answer
        return None

    def _done(self, at: Place, data: bytes | None, version: int) -> None:
        if data is None:
            self._actual.pop(at, None)
            self._actual[at] = None
            self.made.discard(at)
        else:
            self._actual[at] = Held(data, self._session, version)
            self.made.add(at)


def _seen(answer: Answer) -> Actual:
    if isinstance(answer, Read):
        return answer.held
    return None if answer is Fault.ABSENT else Doubt.PRESENT
