"""Any order of events, answers and cuts: in the end the catalogue is what runs."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from registrar.component import Registrar
from registrar.embedded import EmbeddedEdge
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Node
from sidecar.config.model import RegistrarSettings
from sidecar.runtime.clock import FakeClock
from sidecar.stores.embedded import EmbeddedStore
from tests.support.docker import PLACE
from tests.support.fake_engine import FakeEngine

STEP = st.tuples(
    st.sampled_from(["start", "start", "die", "kill", "lose", "connect", "forget", "wait"]),
    st.integers(0, 3),
    st.integers(0, 6),
)


class Story:
    """Plays steps on a fake engine whose containers share two names."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.catalog = Catalog()
        self.alive: dict[int, str] = {}
        self.seconds = 0

    def play(self, step: str, who: int) -> None:
        match step:
            case "start" if who not in self.alive and not self._is_taken(who):
                self.seconds += 1
                fields: dict[str, Any] = {
                    "id_": f"id{who}",
                    "published": {"80/tcp": f":{8000 + who}"},
                }
                fields["StartedAt"] = (
                    f"2023-11-14T22:{20 + self.seconds // 60}:{self.seconds % 60:02}Z"
                )
                self.engine.time = 0
                self.alive[who] = self.engine.add(self.name(who), **fields)
                self._tell("start", self.alive[who])
            case "die" | "forget" if who in self.alive:
                id_ = self.alive.pop(who)
                self.engine.documents.pop(id_)
                if step == "die":
                    self._tell("die", id_)
            case "kill" if who in self.alive:
                self._tell("kill", self.alive[who], signal=15)
            case "lose":
                self.engine.lose()
            case "connect" if not self.engine.up:
                self.engine.connect()

    def name(self, who: int) -> str:
        return f"name{who % 2}"

    def _is_taken(self, who: int) -> bool:
        return self.name(who) in {self.name(other) for other in self.alive}

    def _tell(self, action: str, id_: str, **fields: Any) -> None:
        if self.engine.up:
            self.engine.time = 1_700_000_400_000_000_000 + self.seconds * 1_000_000_000
            self.engine.tell(action, id_, **fields)

    @property
    def expected(self) -> dict[str, int]:
        return {f"vm:{self.name(who)}:80": 8000 + who for who in self.alive}

    @property
    def found(self) -> dict[str, int]:
        services = self.catalog.snapshot.services.values()
        return {instance.id: instance.port for members in services for instance in members}


async def play(steps: list[tuple[str, int, int]]) -> None:
    story, clock = Story(), FakeClock()
    edges = [EmbeddedEdge(EmbeddedStore(story.catalog), Node(name="vm", address="192.0.2.7"))]
    registrar = Registrar(story.engine, edges, RegistrarSettings(), place=PLACE, clock=clock)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(registrar.run(lambda: None))
        for step, who, turns in steps:
            story.play(step, who)
            for _ in range(turns):
                await asyncio.sleep(0)
        story.engine.connect()
        await clock.advance(1.0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert story.found == story.expected
        task.cancel()


@given(st.lists(STEP, max_size=30))
@settings(max_examples=150)
def test_in_the_end_the_catalogue_is_what_runs(steps: list[tuple[str, int, int]]) -> None:
    asyncio.run(play(steps))


async def test_a_storm_of_events_keeps_memory_bounded_and_the_last_state() -> None:
    story = Story()
    edges = [EmbeddedEdge(EmbeddedStore(story.catalog), Node(name="vm", address="192.0.2.7"))]
    registrar = Registrar(story.engine, edges, RegistrarSettings(), place=PLACE, clock=FakeClock())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(registrar.run(lambda: None))
        await asyncio.sleep(0)
        for round_ in range(2000):
            for step in ("start", "die"):
                story.play(step, round_ % 4)
            if round_ % 50 == 0:
                await asyncio.sleep(0)
        story.play("start", 1)
        for _ in range(100):
            await asyncio.sleep(0)
        assert story.found == story.expected != {}
        assert len(story.engine.inspects) < 1000, "looks are conflated"
        assert registrar._lanes._lanes == {}
        task.cancel()
