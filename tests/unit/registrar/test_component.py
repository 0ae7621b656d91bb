import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from registrar.component import Registrar
from registrar.embedded import EmbeddedEdge
from sidecar.catalog import Change, Drop, Instance, Node, Put, Status
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import InstanceId, Key
from sidecar.config.model import RegistrarSettings
from sidecar.engine.events import Missed
from sidecar.errors import EngineUnavailable, ProtocolError, StoreUnavailable
from sidecar.runtime.clock import FakeClock
from sidecar.stores.base import Holder
from sidecar.stores.embedded import EmbeddedStore
from tests.support.catalog import instance, puts
from tests.support.docker import PLACE
from tests.support.fake_edge import FakeEdge
from tests.support.fake_engine import FakeEngine

OWNER = "registrar:e"


class Store(EmbeddedStore):
    """The embedded store; counts commits and can be down."""

    def __init__(self) -> None:
        super().__init__(Catalog())
        self.is_down = False
        self.commits: list[Sequence[Change]] = []

    async def commit(self, changes: Sequence[Change]) -> None:
        if self.is_down:
            raise StoreUnavailable("down")
        self.commits.append(changes)
        await super().commit(changes)


class World:
    """One registrar on a fake engine, a store in memory and a clock that stands still."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.store = Store()
        self.clock = FakeClock()
        self.readies = 0
        self.registrar = Registrar(
            self.engine,
            [EmbeddedEdge(self.store, Node(name="vm", address="192.0.2.7"))],
            RegistrarSettings(resync=30.0),
            place=PLACE,
            clock=self.clock,
            draw=lambda: 0.5,
        )

    def ready(self) -> None:
        self.readies += 1

    @property
    def ids(self) -> list[str]:
        services = self.store.catalog.snapshot.services
        return [each.id for members in services.values() for each in members]

    def entry(self, service: str = "bb") -> Instance:
        (found,) = self.store.catalog.snapshot.services[service]
        return found

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(500):
            if condition():
                return
            await asyncio.sleep(0)
        raise AssertionError("it did not come to pass")

    async def settle(self) -> None:
        for _ in range(60):
            await asyncio.sleep(0)


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.registrar.run(world.ready))
        await world.settle()
        yield world
        task.cancel()


async def test_what_runs_at_the_start_is_registered_and_synced() -> None:
    world = World()
    world.engine.add("one")
    world.engine.add("two", published={"80/tcp": ":8082"})
    async with running(world):
        assert world.ids == ["vm:one:80", "vm:two:80"]
        assert world.store.catalog.synced
        assert world.readies == 1
        assert world.registrar.trouble() is None
    assert world.store.catalog.snapshot.nodes == {"vm": Node(name="vm", address="192.0.2.7")}
    assert world.ids == ["vm:one:80", "vm:two:80"], "entries stay when the registrar stops"


async def test_a_start_registers_and_a_death_removes() -> None:
    async with running(World()) as world:
        id_ = world.engine.start()
        await world.settle()
        assert world.ids == ["vm:box:80"]
        assert world.entry().owner == OWNER
        world.engine.remove(id_)
        await world.settle()
        assert world.ids == []


async def test_a_container_dead_before_it_is_looked_at_is_never_registered() -> None:
    async with running(World()) as world:
        world.engine.start(Running=False)
        world.engine.tell("start", "vanished")
        await world.settle()
        assert world.ids == []
        assert all(not isinstance(c, Put) for changes in world.store.commits for c in changes)


async def test_an_answer_from_before_a_death_is_not_applied_after_it() -> None:
    async with running(World()) as world:
        gate = world.engine.hold("box-id")
        world.engine.start()
        await world.settle()
        world.engine.remove("box-id")
        again = world.engine.gates["box-id"] = asyncio.Event()
        gate.set()
        await world.settle()
        assert world.ids == []
        again.set()
        await world.settle()
        assert world.ids == []
        assert all(not isinstance(c, Put) for changes in world.store.commits for c in changes)
        assert world.engine.inspects == ["box-id", "box-id"]


async def test_events_during_a_look_lead_to_one_more_look() -> None:
    async with running(World()) as world:
        gate = world.engine.hold("box-id")
        world.engine.start()
        await world.settle()
        for _ in range(50):
            world.engine.tell("health_status", "box-id")
        gate.set()
        await world.settle()
        assert world.engine.inspects == ["box-id", "box-id"]


async def test_looks_are_bounded_and_side_by_side() -> None:
    world = World()
    ids = [world.engine.add(f"b{number}") for number in range(100)]
    gates = [world.engine.hold(id_) for id_ in ids]
    async with running(world):
        assert world.engine.inspecting == 32
        late = [world.engine.add(f"late{number}") for number in range(100)]
        gates += [world.engine.hold(id_) for id_ in late]
        for id_ in late:
            world.engine.tell("start", id_)
        await world.settle()
        assert world.engine.inspecting == 64, "events do not wait behind a reconcile"
        for gate in gates:
            gate.set()
        await world.until(lambda: len(world.ids) == 200)
        assert world.engine.most_inspecting == 64


async def test_a_stop_signal_drains_without_waiting_for_a_look() -> None:
    async with running(World()) as world:
        world.engine.start()
        await world.settle()
        world.engine.hold("box-id")
        world.engine.tell("kill", "box-id", signal=15)
        await world.settle()
        assert world.entry().draining


async def test_the_next_start_ends_the_draining_even_when_clocks_stepped_back() -> None:
    async with running(World()) as world:
        id_ = world.engine.start()
        await world.settle()
        world.engine.tell("kill", id_, signal=15)
        world.engine.tell("die", id_)
        world.engine.start(StartedAt="2023-11-14T22:13:19Z")
        await world.settle()
        assert not world.entry().draining


async def test_a_signal_like_hup_changes_nothing() -> None:
    async with running(World()) as world:
        world.engine.start()
        await world.settle()
        world.engine.tell("kill", "box-id", signal=1)
        world.engine.tell("exec_start", "box-id")
        await world.settle()
        assert not world.entry().draining
        assert world.engine.inspects == ["box-id"]


async def test_a_signal_to_an_unknown_container_makes_us_look() -> None:
    async with running(World()) as world:
        id_ = world.engine.add()
        world.engine.tell("kill", id_, signal=15)
        await world.settle()
        assert world.entry().draining


async def test_pause_and_health_are_followed() -> None:
    async with running(World()) as world:
        id_ = world.engine.start()
        await world.settle()
        world.engine.documents[id_]["State"]["Paused"] = True
        world.engine.tell("pause", id_)
        await world.settle()
        assert world.entry().status is Status.CRITICAL


async def test_the_late_death_of_an_old_container_keeps_the_new_one_of_its_name() -> None:
    async with running(World()) as world:
        world.engine.start(id_="old", published={"80/tcp": ":1"})
        await world.settle()
        world.engine.start(id_="new", published={"80/tcp": ":2"}, StartedAt="2023-11-14T22:13:21Z")
        await world.settle()
        assert world.entry().port == 2
        world.engine.remove("old")
        await world.settle()
        assert (world.ids, world.entry().port) == (["vm:box:80"], 2)


async def test_a_new_event_stream_means_a_look_at_everything() -> None:
    async with running(World()) as world:
        gone = world.engine.start("gone")
        await world.settle()
        world.engine.lose()
        world.engine.remove(gone, tell=False)
        world.engine.add("new")
        await world.settle()
        assert world.ids == ["vm:gone:80"], "nothing is removed while the engine is away"
        assert world.registrar.trouble() == "docker: gone"
        world.engine.connect()
        await world.settle()
        assert world.ids == ["vm:new:80"]
        assert world.registrar.trouble() is None


async def test_an_unreadable_event_means_a_look_at_everything() -> None:
    async with running(World()) as world:
        world.engine.add()
        world.engine.send(Missed("garbage"))
        await world.settle()
        assert world.ids == ["vm:box:80"]


async def test_the_periodic_reconcile_rights_what_no_event_told_and_writes_only_that() -> None:
    async with running(World()) as world:
        gone = world.engine.start("gone")
        world.engine.start("stays", published={"80/tcp": ":8081"})
        await world.settle()
        before = len(world.store.commits)
        await world.clock.advance(30.0)
        await world.settle()
        assert len(world.store.commits) == before, "no write when nothing differs"
        world.engine.remove(gone, tell=False)
        await world.clock.advance(30.0)
        await world.settle()
        assert world.ids == ["vm:stays:80"]
        assert [type(c) for c in world.store.commits[-1]] == [Drop]


async def test_a_failed_list_removes_nothing_and_is_asked_again() -> None:
    async with running(World()) as world:
        world.engine.start()
        await world.settle()
        world.engine.up = False
        await world.clock.advance(31.0)
        await world.settle()
        assert world.ids == ["vm:box:80"]
        assert world.registrar.trouble() == "reconcile: connection refused"
        world.engine.up = True
        await world.clock.advance(5.0)
        await world.settle()
        assert world.registrar.trouble() is None


async def test_an_engine_that_is_away_at_the_start_does_not_hold_the_program() -> None:
    world = World()
    world.engine.up = False
    async with running(world):
        assert world.readies == 1
        assert world.registrar.trouble() == "docker: connection refused"
        assert world.store.catalog.snapshot.services == {}
        catalog = world.store.catalog
        assert [catalog.synced] == [False]
        world.engine.add()
        world.engine.connect()
        await world.settle()
        assert world.ids == ["vm:box:80"]
        assert [catalog.synced] == [True]
        assert world.readies == 1


async def test_only_our_own_orphans_are_removed_at_the_start() -> None:
    world = World()
    orphan = instance(id_="vm:dead:80", owner=OWNER)
    foreign = instance(id_="other:x:80", owner="registrar:other")
    await world.store.commit(puts(orphan, foreign))
    world.engine.add()
    async with running(world):
        assert sorted(world.ids) == ["other:x:80", "vm:box:80", "vm:dead:80"], "one look is none"
        await world.clock.advance(0.5)
        await world.settle()
        assert sorted(world.ids) == ["other:x:80", "vm:box:80"]


async def test_an_empty_list_at_the_start_is_asked_twice_before_it_empties_the_store() -> None:
    world = World()
    world.engine.listed = ()
    await world.store.commit(puts(instance("bb", "vm:box:80", node="vm", owner=OWNER)))
    async with running(world):
        world.engine.add()
        world.engine.listed = None
        await world.clock.advance(1.0)
        await world.settle()
        assert world.ids == ["vm:box:80"]
        assert not any(isinstance(c, Drop) for commit in world.store.commits for c in commit)


async def test_an_entry_lost_by_the_store_is_written_again() -> None:
    async with running(World()) as world:
        world.engine.start()
        await world.settle()
        world.store.catalog.commit([Drop("bb", world.entry().id)])
        assert world.ids == []
        await world.clock.advance(30.0)
        await world.settle()
        assert world.ids == ["vm:box:80"]


async def test_a_store_that_is_down_gets_the_newest_state_when_it_is_back() -> None:
    async with running(World()) as world:
        world.store.is_down = True
        first = world.engine.start("first")
        world.engine.start("second", published={"80/tcp": ":8081"})
        await world.settle()
        assert world.registrar.trouble() == "store: down"
        world.engine.remove(first)
        await world.settle()
        world.store.is_down = False
        await world.clock.advance(1.0)
        await world.settle()
        assert world.ids == ["vm:second:80"]
        assert world.registrar.trouble() is None


async def test_one_container_that_cannot_be_looked_at_holds_nobody_else() -> None:
    world = World()
    world.engine.add("fine")
    stuck = world.engine.add("stuck")
    world.engine.errors[stuck] = EngineUnavailable("does not answer")
    orphan = instance("bb", "vm:stuck:80", node="vm", owner=OWNER)
    await world.store.commit(puts(orphan))
    async with running(world):
        assert sorted(world.ids) == ["vm:fine:80", "vm:stuck:80"], "its entry may be its own"
        assert world.store.catalog.synced
        del world.engine.errors[stuck]
        await world.clock.advance(1.0)
        await world.settle()
        assert (sorted(world.ids), world.registrar.trouble()) == (
            ["vm:fine:80", "vm:stuck:80"],
            None,
        )


async def test_an_unreadable_container_is_told_once_and_keeps_its_entry(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(World()) as world:
        id_ = world.engine.start()
        await world.settle()
        world.engine.errors[id_] = ProtocolError("nonsense")
        for _ in range(3):
            world.engine.tell("update", id_)
            await world.settle()
        assert world.ids == ["vm:box:80"]
    told = [record for record in caplog.records if record.getMessage() == "unreadable container"]
    assert len(told) == 1


async def test_a_bad_label_is_told_once_and_not_at_each_resync(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(World()) as world:
        world.engine.start(env=("SERVICE_NAME=../../etc",))
        await world.clock.advance(95.0)
        await world.settle()
        assert world.ids == []
    told = [r for r in caplog.records if r.getMessage() == "label problem"]
    assert len(told) == 1
    fields = told[0].pinnace_fields  # type: ignore[attr-defined]
    assert (fields["container"], fields["label"]) == ("box", "SERVICE_NAME")


async def test_an_engine_with_another_id_takes_over_what_still_runs() -> None:
    async with running(World()) as world:
        world.engine.start()
        await world.settle()
        world.engine.id = "f"
        world.engine.connect()
        await world.settle()
        assert world.entry().owner == "registrar:f"


async def test_a_shared_network_is_looked_up_in_its_owner() -> None:
    async with running(World()) as world:
        world.engine.add("peer", networks={"bridge": "172.17.0.5"})
        world.engine.start("box", mode="container:peer-id", exposed=("99/tcp",), published={})
        await world.settle()
        assert world.entry().address == "172.17.0.5"


async def test_a_restart_of_the_registrar_changes_nothing() -> None:
    world = World()
    world.engine.add()
    async with running(world):
        pass
    before = world.store.catalog.snapshot
    async with running(world):
        await world.settle()
    assert world.store.catalog.snapshot is before


# Several stores


class Stores:
    """One registrar of several fake stores."""

    def __init__(self, *edges: FakeEdge, **settings: Any) -> None:
        self.engine = FakeEngine()
        self.edges = edges or (FakeEdge("a"), FakeEdge("b"))
        self.clock = FakeClock()
        self.readies = 0
        self.registrar = Registrar(
            self.engine,
            self.edges,
            RegistrarSettings(**settings),
            place=PLACE,
            clock=self.clock,
            draw=lambda: 0.5,
        )

    def ready(self) -> None:
        self.readies += 1

    async def settle(self) -> None:
        for _ in range(100):
            await asyncio.sleep(0)

    @property
    def ids(self) -> list[list[str]]:
        return [edge.ids for edge in self.edges]


@asynccontextmanager
async def serving(world: Stores) -> AsyncIterator[Stores]:
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(world.registrar.run(world.ready))
        await world.settle()
        yield world
        task.cancel()


async def test_a_frozen_store_and_a_dead_one_hold_no_other() -> None:
    frozen, dead, fine = FakeEdge("frozen"), FakeEdge("dead"), FakeEdge("fine")
    frozen.freeze()
    dead.is_down = True
    async with serving(Stores(frozen, dead, fine)) as world:
        world.engine.start("one")
        world.engine.start("two", published={"80/tcp": ":8081"})
        await world.settle()
        assert world.ids == [[], [], ["vm:one:80", "vm:two:80"]]
        assert world.registrar.trouble() == "store: down"
        await world.clock.advance(40.0)
        away = world.registrar.outages()
        assert (away["docker"], away["fine"]) == (0.0, 0.0)
        assert away["dead"] == 40.0
        world.engine.remove("one-id")
        await world.settle()
        frozen.thaw()
        dead.is_down = False
        await world.clock.advance(60.0)
        await world.settle()
        assert world.ids == [["vm:two:80"]] * 3
        assert (world.registrar.trouble(), world.readies) == (None, 1)


async def test_stores_that_are_down_at_the_start_get_all_when_they_come() -> None:
    world = Stores()
    for edge in world.edges:
        edge.is_down = True
    world.engine.add("box")
    async with serving(world):
        assert world.readies == 1, "who waits for us is not held"
        await world.clock.advance(600.0)
        for edge in world.edges:
            edge.is_down = False
        await world.clock.advance(30.0)
        assert world.ids == [["vm:box:80"]] * 2


async def test_fifty_containers_of_one_name_and_the_late_deaths_of_the_old_ones() -> None:
    async with serving(Stores()) as world:
        started = 1_700_000_000
        for number in range(50):
            at = datetime.fromtimestamp(started + number, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            world.engine.start(
                "box", id_=f"c{number}", published={"80/tcp": f":{9000 + number}"}, StartedAt=at
            )
            if number % 7 == 0:
                await world.settle()
        world.engine.time += 10**12
        for number in range(49):
            world.engine.remove(f"c{number}")
            if number % 5 == 0:
                await world.settle()
        await world.settle()
        for edge in world.edges:
            assert [i.port for i in edge.held.values()] == [9049]
        drops = [w for w in world.edges[0].writes if None in w.values()]
        assert drops == [], "the name was never without an entry"


async def test_a_list_that_came_back_empty_once_deletes_nothing() -> None:
    async with serving(Stores()) as world:
        world.engine.start("one")
        await world.settle()
        for edge in world.edges:  # left behind by another run, its container unknown to us
            key = Key("bb", "vm", InstanceId("vm:two:80"))
            edge.held[key], edge.marks[key] = instance("bb", "vm:two:80"), "registrar:e"
        world.engine.add("two", published={"80/tcp": ":8081"})
        world.engine.listed = ()
        await world.clock.advance(30.0)
        await world.settle()
        world.engine.listed = None
        await world.clock.advance(0.5)
        await world.settle()
        assert world.ids == [["vm:one:80", "vm:two:80"]] * 2
        assert all(None not in w.values() for edge in world.edges for w in edge.writes)


async def test_a_list_that_fails_between_two_others_deletes_nothing() -> None:
    async with serving(Stores()) as world:
        for edge in world.edges:
            edge.marks[Key("bb", "vm", InstanceId("vm:dead:80"))] = "registrar:e"
        await world.clock.advance(30.0)
        await world.settle()
        world.engine.up = False
        await world.clock.advance(0.5)
        await world.settle()
        assert all(edge.marks for edge in world.edges)
        world.engine.up = True
        await world.clock.advance(0.3)  # the first look after it
        await world.settle()
        assert all(edge.marks for edge in world.edges)
        await world.clock.advance(30.0)
        await world.settle()
        assert not any(edge.marks for edge in world.edges)


async def test_on_success_keeps_what_failed_and_what_failed_before_we_began() -> None:
    world = Stores(deregister="on-success")
    world.engine.add("before", Running=False, ExitCode=1)
    for edge in world.edges:
        key = Key("bb", "vm", InstanceId("vm:before:80"))
        edge.held[key], edge.marks[key] = instance("bb", "vm:before:80"), "registrar:e"
    async with serving(world):
        failed, done = world.engine.start("failed"), world.engine.start("done")
        await world.settle()
        world.engine.documents[failed]["State"] |= {"Running": False, "ExitCode": 3}
        world.engine.tell("die", failed, exit_code=3)
        world.engine.documents.pop(done)
        world.engine.tell("die", done, exit_code=0)
        await world.clock.advance(100.0)
        await world.settle()
        assert world.ids == [["vm:before:80", "vm:failed:80"]] * 2
        assert world.edges[0].released == {Key("bb", "vm", InstanceId("vm:failed:80"))}
        world.engine.documents.pop("before-id")
        world.engine.documents.pop(failed)
        world.engine.tell("destroy", failed)
        await world.clock.advance(100.0)
        await world.settle()
        assert world.ids == [[], []]


@pytest.mark.parametrize(("on_exit", "left"), [("keep", 1), ("deregister", 0), ("maintenance", 1)])
async def test_what_becomes_of_entries_when_it_ends(on_exit: str, left: int) -> None:
    world = Stores(on_exit=on_exit)
    async with serving(world):
        world.engine.start()
        await world.settle()
    for edge in world.edges:
        assert len(edge.held) == left
        assert all(i.draining is (on_exit == "maintenance") for i in edge.held.values())


async def test_a_store_that_is_away_at_the_end_is_told_and_holds_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = Stores(on_exit="deregister")
    async with serving(world):
        world.engine.start()
        await world.settle()
        world.edges[0].is_down = True
    assert world.ids == [["vm:box:80"], []]
    assert "entries stay as they are" in caplog.messages


async def test_a_drain_on_request_is_written_everywhere_and_taken_back() -> None:
    async with serving(Stores()) as world:
        id_ = world.engine.start()
        await world.settle()
        assert [i.draining for i in world.registrar.drain(id_, on=True)] == [True]
        await world.registrar.written()
        assert all(i.draining for edge in world.edges for i in edge.held.values())
        world.registrar.drain(id_, on=False)
        await world.registrar.written()
        assert not any(i.draining for edge in world.edges for i in edge.held.values())


async def test_cleanup_adopts_what_nobody_marked() -> None:
    for cleanup, node in ((False, ""), (True, "vm")):
        holders: list[Holder] = []
        edge = FakeEdge()
        audit = edge.audit

        async def noted(desired: Any, holder: Holder) -> frozenset[Key]:
            holders.append(holder)  # noqa: B023 - called in this round only
            return await audit(desired, holder)  # noqa: B023

        edge.audit = noted  # type: ignore[method-assign]
        async with serving(Stores(edge, cleanup=cleanup)):
            pass
        assert holders == [Holder("registrar:e", node)]
