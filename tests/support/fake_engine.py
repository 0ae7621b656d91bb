"""An engine in memory for tests of the registrar: answers at once, or when told to."""

import asyncio
from collections.abc import Callable
from typing import Any

from sidecar.engine.client import EngineInfo
from sidecar.engine.events import Connected, Lost, Signal
from sidecar.engine.facts import Container, Event, container_of
from sidecar.errors import EngineUnavailable
from tests.support.docker import START, document

__all__ = ["FakeEngine"]


class FakeEngine:
    """Containers are inspect documents by id; ``up`` says whether it answers."""

    def __init__(self) -> None:
        self.up = True
        self.id = "e"
        self.documents: dict[str, dict[str, Any]] = {}
        self.inspects: list[str] = []
        self.inspecting = 0
        self.most_inspecting = 0
        self.gates: dict[str, asyncio.Event] = {}
        self.errors: dict[str, Exception] = {}
        self.listed: tuple[str, ...] | None = None
        self.time = START
        self._deliver: Callable[[Signal], None] | None = None
        self._following = asyncio.Event()

    def add(self, name: str = "box", **fields: Any) -> str:
        """Put a running container there without an event; return its id."""
        fields.setdefault("published", {"80/tcp": ":8080"})
        built = document(name, **fields)
        self.documents[built["Id"]] = built
        return str(built["Id"])

    def start(self, name: str = "box", **fields: Any) -> str:
        """Start a container and tell."""
        id_ = self.add(name, **fields)
        self.tell("start", id_)
        return id_

    def remove(self, id_: str, *, tell: bool = True) -> None:
        """Let a container die and vanish."""
        self.documents.pop(id_, None)
        if tell:
            self.tell("die", id_)

    def tell(self, action: str, id_: str, **fields: Any) -> None:
        """Send an event."""
        self.time += 1
        self.send(Event(id=id_, action=action, time_nano=self.time, **fields))

    def send(self, signal: Signal) -> None:
        """Deliver a signal as the event stream would."""
        if self._deliver is not None:
            self._deliver(signal)

    def connect(self) -> None:
        """Come up."""
        self.up = True
        self.send(Connected())

    def lose(self) -> None:
        """Go away."""
        self.up = False
        self.send(Lost("gone"))

    def hold(self, id_: str) -> asyncio.Event:
        """Make inspects of a container wait; set the event to let them go."""
        return self.gates.setdefault(id_, asyncio.Event())

    async def info(self) -> EngineInfo:
        self._answer()
        return EngineInfo(id=self.id, name="vm", version="1")

    async def running(self) -> tuple[str, ...]:
        self._answer()
        if self.listed is not None:
            return self.listed
        return tuple(i for i, d in self.documents.items() if container_of(d).running)

    async def stopped(self) -> tuple[tuple[str, int], ...]:
        self._answer()
        found = [container_of(document) for document in self.documents.values()]
        return tuple((each.name, each.exit_code) for each in found if not each.running)

    async def inspect(self, id_: str) -> Container | None:
        self._answer()
        self.inspects.append(id_)
        found = self.documents.get(id_)  # read before the wait: an answer can be old
        self.inspecting += 1
        self.most_inspecting = max(self.most_inspecting, self.inspecting)
        try:
            if id_ in self.gates:
                await self.gates[id_].wait()
            else:
                await asyncio.sleep(0)
        finally:
            self.inspecting -= 1
        if id_ in self.errors:
            raise self.errors[id_]
        return container_of(found) if found is not None else None

    async def follow(self, deliver: Callable[[Signal], None], *, ping: float) -> None:
        self._deliver = deliver
        deliver(Connected() if self.up else Lost("connection refused"))
        await asyncio.Event().wait()

    def _answer(self) -> None:
        if not self.up:
            raise EngineUnavailable("connection refused")
