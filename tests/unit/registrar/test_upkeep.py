import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from registrar.endings import Endings
from registrar.holdings import Holdings
from registrar.sweep import Sweep
from registrar.upkeep import Upkeep
from sidecar.catalog.model import Instance, InstanceId, Key, Status
from sidecar.errors import StoreDenied
from sidecar.runtime.clock import FakeClock
from tests.support.catalog import instance
from tests.support.docker import PLACE, container, event
from tests.support.fake_edge import FakeEdge

OWNER = PLACE.owner


class World:
    """One upkeep of a fake store."""

    def __init__(self, endings: Endings | None = None) -> None:
        self.clock = FakeClock()
        self.edge = FakeEdge()
        self.looks = 0
        self.asked_again = 0
        self.holdings = Holdings(PLACE, endings)
        self.upkeep = Upkeep(
            self.edge,
            self.holdings,
            Sweep(endings or Endings(), cleanup=False),
            self.clock,
            look_again=self._again,
        )

    def _again(self) -> None:
        self.asked_again += 1

    def start(self, name: str = "box", port: int = 8080, **fields: object) -> None:
        found = container(name, published={"80/tcp": f":{port}"}, **fields)
        self.upkeep.write(self.holdings.see(f"{name}-id", found, None))

    def die(self, name: str = "box") -> None:
        self.upkeep.write(self.holdings.ended(event("die", f"{name}-id")))

    def look(self, *, is_complete: bool = True) -> None:
        self.looks += is_complete
        self.upkeep.looked(self.looks, is_complete=is_complete)

    async def settle(self) -> None:
        await self.clock.advance(0)


@asynccontextmanager
async def working(world: World) -> AsyncIterator[World]:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(world.upkeep.run())
        await world.settle()
        yield world
        task.cancel()


def key(id_: str) -> Key:
    return Key("bb", "vm", InstanceId(id_))


async def test_what_changes_during_a_write_goes_with_the_next_one() -> None:
    async with working(World()) as world:
        world.edge.freeze()
        world.start("one")
        await world.settle()
        for port in range(1, 10):
            world.start("one", port)
        world.start("two")
        world.edge.thaw()
        await world.upkeep.settled()
        assert [[i.port for i in w.values() if i] for w in world.edge.writes] == [[8080], [9, 8080]]


async def test_an_outage_is_told_once_loses_nothing_and_ends_with_one_audit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with working(World()) as world:
        world.edge.is_down = True
        world.start("one")
        await world.settle()
        assert world.upkeep.trouble() == "store: down"
        world.start("two")
        await world.clock.advance(600.0)
        assert world.upkeep.outage() == 600.0
        assert 20 < len(world.edge.writes) < 50, "about one try in thirty seconds"
        world.die("one")
        world.edge.is_down = False
        await world.clock.advance(30.0)
        assert (world.edge.ids, world.upkeep.trouble()) == (["vm:two:80"], None)
        assert (world.edge.audits, world.upkeep.outage()) == (1, 0.0)
    assert [r.levelname for r in caplog.records if r.levelno > logging.INFO] == ["ERROR"]


async def test_a_store_that_denies_is_tried_on_too() -> None:
    async with working(World()) as world:
        answer = world.edge.write

        async def deny(_: object) -> dict[Key, str]:
            world.edge.write = answer  # type: ignore[method-assign]
            raise StoreDenied("token")

        world.edge.write = deny  # type: ignore[method-assign,assignment]
        world.start()
        await world.clock.advance(1.0)
        assert world.edge.ids == ["vm:box:80"]


async def test_an_unchanged_audit_writes_nothing() -> None:
    async with working(World()) as world:
        world.start()
        world.look()
        await world.settle()
        for _ in range(5):
            world.look()
            await world.settle()
        assert (len(world.edge.writes), world.edge.audits) == (1, 6)


async def test_a_wiped_store_is_filled_again_without_a_look() -> None:
    async with working(World()) as world:
        world.start("one")
        world.start("two")
        await world.settle()
        world.edge.wipe()
        await world.settle()
        assert world.edge.ids == ["vm:one:80", "vm:two:80"]


async def test_a_disturbed_edge_ends_the_pause_after_a_failure() -> None:
    async with working(World()) as world:
        world.edge.is_down = True
        world.start()
        await world.clock.advance(600.0)
        world.edge.is_down = False
        world.edge.wipe()
        await world.clock.advance(0.1)
        assert world.edge.ids == ["vm:box:80"]


async def test_leftovers_go_after_two_complete_looks_and_only_ours() -> None:
    world = World()
    for name, owner in (("dead", OWNER), ("other", "registrar:x")):
        left = instance("bb", f"vm:{name}:80", node="vm", owner=owner)
        world.edge.held[key(left.id)], world.edge.marks[key(left.id)] = left, owner
    async with working(world):
        world.start()
        world.look()
        await world.settle()
        assert (len(world.edge.ids), world.asked_again) == (3, 1)
        world.look(is_complete=False)
        await world.settle()
        world.look()
        await world.settle()
        assert len(world.edge.ids) == 3, "the looks were not consecutive"
        world.look()
        await world.settle()
        assert world.edge.ids == ["vm:box:80", "vm:other:80"]
        assert all(i is None or i.id == "vm:box:80" for w in world.edge.writes for i in w.values())


async def test_a_failed_look_between_two_looks_keeps_leftovers() -> None:
    world = World()
    world.edge.marks[key("vm:dead:80")] = OWNER
    async with working(world):
        world.look()
        await world.settle()
        world.upkeep.distrust()
        world.look()
        await world.settle()
        assert world.edge.marks != {}
        world.look()
        await world.settle()
        assert world.edge.marks == {}


async def test_a_refusal_is_told_once_harms_nobody_else_and_is_tried_after_a_change(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with working(World()) as world:
        world.edge.refusals["vm:bad:80"] = "invalid key"
        world.start("bad")
        world.start("good")
        world.look()
        await world.settle()
        world.look()
        await world.settle()
        assert world.edge.ids == ["vm:good:80"]
        assert (len(world.edge.writes), world.upkeep.trouble()) == (1, None)
        world.edge.refusals.clear()
        world.start("bad", 9)
        await world.settle()
        assert world.edge.ids == ["vm:bad:80", "vm:good:80"]
    told = [r for r in caplog.records if r.getMessage() == "store refuses an entry"]
    assert len(told) == 1


async def test_what_is_let_go_is_neither_written_nor_removed_nor_refreshed() -> None:
    async with working(World(Endings("on-success"))) as world:
        world.start()
        await world.settle()
        keys = world.holdings.ended(event("die", exit_code=1))
        world.upkeep.let_go(keys)
        world.upkeep.write(keys)
        for _ in range(3):
            world.look()
            await world.settle()
        assert world.edge.ids == ["vm:box:80"]
        assert len(world.edge.writes) == 1
        assert frozenset(world.edge.released) == keys


async def test_an_audit_before_the_engine_is_known_removes_nothing() -> None:
    world = World()
    world.holdings.place = PLACE.__class__(node="vm", address="192.0.2.7", owner="")
    world.edge.marks[key("vm:x:80")] = ""
    async with working(world):
        world.edge.wipe()
        await world.settle()
        assert world.edge.audits == 0


async def test_the_last_write_takes_everything_away_or_marks_it() -> None:
    async with working(World()) as world:
        world.start("one")
        world.start("two")
        await world.settle()

        def sick(found: Instance) -> Instance | None:
            return None if "one" in found.id else instance("bb", found.id, status=Status.CRITICAL)

        await world.upkeep.write_now(sick)
        assert [i.status for i in world.edge.held.values()] == [Status.CRITICAL]


async def test_ten_flips_while_the_store_is_slow_are_two_writes() -> None:
    async with working(World()) as world:
        world.start()
        await world.settle()
        world.edge.freeze()
        for number in range(10):
            health = "unhealthy" if number % 2 == 0 else "healthy"
            world.start(Health={"Status": health})
            await world.settle()
        world.edge.thaw()
        await world.settle()
        assert len(world.edge.writes) == 3
        assert world.edge.held[key("vm:box:80")].status is Status.PASSING


async def test_an_audit_that_failed_is_made_again() -> None:
    async with working(World()) as world:
        world.start()
        await world.settle()
        world.edge.is_down = True
        world.look()
        await world.settle()
        assert world.upkeep.trouble() == "store: down"
        world.edge.held.clear()
        world.edge.is_down = False
        await world.clock.advance(1.0)
        assert world.edge.ids == ["vm:box:80"]
