"""A node's lease and its denial, on keys in memory."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import pytest

from sidecar.catalog.kv import Entry
from sidecar.catalog.live import Catalog
from sidecar.errors import EngineUnavailable
from sidecar.runtime.clock import FakeClock
from sidecar.scheduler.agent import halting
from sidecar.scheduler.agent.halting import Halter
from sidecar.scheduler.agent.lease import NodeLease, Superseded, boot_id
from sidecar.scheduler.fencer import Fencer
from sidecar.scheduler.fencing import Fences, Fencing, Record, Tenure, agent_key, record_of
from sidecar.stores.keyvalue import EmbeddedKeyValue

if TYPE_CHECKING:
    from sidecar.engine.operations import Operations

KEY = agent_key("n1")


class Kit:
    """Keys in memory and a clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.keys = EmbeddedKeyValue(Catalog(), self.clock)

    def lease(self, boot: str = "boot") -> NodeLease:
        return NodeLease(self.keys, "n1", boot, ttl=10.0, margin=2.0, clock=self.clock)

    def fencer(self, *hook: str) -> Fencer:
        return Fencer(self.keys, margin=1.0, clock=self.clock, hook=hook)

    async def record(self) -> Record:
        entry = await self.keys.get(KEY)
        assert entry is not None
        return record_of(entry.value)


@pytest.fixture
async def kit() -> Kit:
    return Kit()


def test_there_is_no_time_left_before_the_first_renewal() -> None:
    assert Tenure(10.0, 2.0).until() == float("-inf")
    assert Tenure(10.0, 2.0, 5.0).until() == 13.0


def test_what_is_no_record_is_nobodys() -> None:
    assert record_of(b"x") == record_of(b"[]") == Record()


async def test_a_lease_is_renewed_by_writing_it_again(kit: Kit) -> None:
    lease = kit.lease()
    await lease.renew()
    await kit.clock.advance(3.0)
    await lease.renew()
    record = await kit.record()
    assert (record.count, record.ttl, record.holder[:5]) == (2, 10.0, "boot/")
    assert lease.tenure.until() == 11.0


async def test_a_denied_lease_cannot_be_renewed_until_it_is_given_back(kit: Kit) -> None:
    lease, fencer = kit.lease(), kit.fencer()
    await lease.renew()
    await fencer.fence("n1", Fencing.SELF, 7)
    await fencer.fence("n1", Fencing.SELF, 6)  # an old leader
    assert (await kit.record()).denied == 7
    await kit.clock.advance(1.0)
    await lease.renew()
    assert lease.trouble == "the lease is denied by the scheduler of epoch 7"
    assert lease.tenure.until() == 8.0
    fences = fencer.fences(100.0)
    assert fences == Fences(denied={"n1": 99.0}, wait=11.0)
    assert not fences.is_over("n1", Fencing.SELF, 109.9)
    assert fences.is_over("n1", Fencing.SELF, 110.0)
    await fencer.fence("n1", Fencing.SELF, 8)  # the next leader
    assert fencer.fences(100.0).denied == {"n1": 99.0}
    await fencer.unfence("n1", Fencing.SELF, 7)
    assert (await kit.record()).denied == 8
    await fencer.unfence("n1", Fencing.SELF, 8)
    await lease.renew()
    assert lease.trouble is None


async def test_a_node_without_an_agent_is_never_taken_for_fenced(kit: Kit) -> None:
    fencer = kit.fencer()
    await fencer.fence("n1", Fencing.SELF, 7)
    assert await kit.keys.get(KEY) is None
    lease = kit.lease()
    await lease.renew()
    await lease.give_up()
    await fencer.fence("n1", Fencing.SELF, 7)
    assert (await kit.record()).denied == 0
    assert not fencer.fences(0.0).is_over("n1", Fencing.SELF, 1e9)


async def test_without_a_store_nothing_is_denied(kit: Kit) -> None:
    fencer = Fencer(None, margin=1.0, clock=kit.clock)
    await fencer.fence("n1", Fencing.SELF, 7)
    await fencer.unfence("n1", Fencing.SELF, 7)
    assert fencer.fences(0.0) == Fences(wait=1.0)


async def test_a_command_fences_when_it_ends_with_0(kit: Kit) -> None:
    python = (sys.executable, "-c", "import sys; sys.exit(sys.argv[1] != 'n1')")
    fencer = kit.fencer(*python)
    await fencer.fence("n2", Fencing.EXEC, 7)
    await fencer.fence("n1", Fencing.EXEC, 7)
    fences = fencer.fences(0.0)
    assert fences.cleared == {"n1"}
    assert fences.is_over("n1", Fencing.EXEC, 0.0)
    assert not fences.is_over("n2", Fencing.EXEC, 0.0)
    await fencer.unfence("n1", Fencing.EXEC, 7)
    assert fencer.fences(0.0).cleared == frozenset()
    nothing = kit.fencer()
    await nothing.fence("n1", Fencing.EXEC, 7)
    assert nothing.fences(0.0).cleared == frozenset()


@pytest.mark.parametrize("fencing", [Fencing.NONE, Fencing.CATALOG])
async def test_other_levels_wait_for_nothing(kit: Kit, fencing: Fencing) -> None:
    fencer = kit.fencer()
    await fencer.fence("n1", fencing, 7)
    assert fencer.fences(0.0).is_over("n1", fencing, 0.0)


async def test_an_agent_that_begins_takes_the_lease_of_the_one_before(kit: Kit) -> None:
    before, after = kit.lease(), kit.lease()
    await before.renew()
    await after.renew()
    assert after.trouble is None
    with pytest.raises(Superseded):
        await before.renew()


async def test_a_second_host_of_the_same_name_does_not_share_the_lease(kit: Kit) -> None:
    one, two = kit.lease("one"), kit.lease("two")
    await one.renew()
    await two.renew()  # as after a restart of the machine
    assert two.trouble is None
    await one.renew()
    assert one.trouble == "another host has taken the name of this node"


async def test_a_write_that_comes_between_is_seen(kit: Kit, monkeypatch: Any) -> None:
    lease = kit.lease()
    await lease.renew()
    get = kit.keys.get

    async def stale(key: str) -> Entry | None:
        found = await get(key)
        await kit.keys.put(key, Record(holder="boot/x", denied=0).packed())
        return found

    monkeypatch.setattr(kit.keys, "get", stale)
    await lease.renew()
    assert lease.trouble == "the lease was written by another"


def test_all_agents_of_a_machine_know_its_start_by_the_same_name() -> None:
    assert boot_id() == boot_id() != ""


class Engine:
    """Containers as an engine lists them; ``deaf`` lets every stop fail."""

    def __init__(self, *listed: Mapping[str, Any]) -> None:
        self.listed = list(listed)
        self.deaf = False
        self.stopped: list[str] = []

    async def containers(self) -> list[Mapping[str, Any]]:
        if self.deaf:
            raise EngineUnavailable("hangs")
        return self.listed

    async def inspect(self, id_: str) -> Mapping[str, Any]:
        return {"State": {"Pid": 4242 if id_ == "b" else 0}}

    async def halt(self, id_: str, _grace: int) -> None:
        if self.deaf:
            raise EngineUnavailable("hangs")
        self.stopped.append(id_)
        self.listed = [each for each in self.listed if each["Id"] != id_]


def listed(id_: str, state: str = "running", fencing: str = "self") -> Mapping[str, Any]:
    return {"Id": id_, "State": state, "Labels": {"pinnace.fencing": fencing}}


async def test_only_what_is_labelled_and_runs_is_stopped() -> None:
    engine = Engine(listed("a"), listed("c", "exited"), listed("d", fencing="none"))
    halter = Halter(cast("Operations", engine), grace=1.0)
    await halter.look()
    assert halter.running == {"a"}
    assert await halter.halt()
    assert engine.stopped == ["a"]
    assert await halter.halt()


async def test_where_the_engine_hangs_processes_are_killed(monkeypatch: Any) -> None:
    alive, killed = {4242: 77}, []

    def kill(pid: int, _signal: int) -> None:
        killed.append(pid)
        alive.pop(pid)

    monkeypatch.setattr(halting, "_begun", lambda pid: alive.get(pid, 0))
    monkeypatch.setattr("os.kill", kill)
    engine = Engine(listed("b"))
    halter = Halter(cast("Operations", engine), grace=1.0)
    await halter.look()
    await halter.look()
    engine.deaf = True
    assert not await halter.halt()
    assert killed == [4242]
    assert await halter.halt()
