"""Who leads, on real stores: leaders that freeze, die and are cut off."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.tools.consul import Consul
from deploy.tools.etcd import Etcd
from deploy.tools.zookeeper import ZooKeeper
from sidecar.scheduler.election.opening import open_election
from tests.support.contenders import Contender, Reign, reigns_of
from tests.support.oracle import consul_program
from tests.support.pace import allowed
from tests.support.pinnace import Pinnace
from tests.support.relay import TcpRelay

_TTL = 1.0


class Place(NamedTuple):
    """A store that runs: how its URL begins, and its port."""

    scheme: str
    port: int


@contextmanager
def _consul() -> Iterator[Place]:
    with Consul(program=consul_program()) as server:
        yield Place("consul", server.ports["http"])


@contextmanager
def _etcd() -> Iterator[Place]:
    with Etcd() as server:
        yield Place("etcd", server.port)


@contextmanager
def _zookeeper() -> Iterator[Place]:
    with ZooKeeper() as server:
        yield Place("zookeeper", server.port)


@contextmanager
def _embedded() -> Iterator[Place]:
    with Pinnace("unix:///nowhere", wait=False, lb=False) as server:
        yield Place("consul", server.http_port)


STORES = (_consul, _embedded, _etcd, _zookeeper)


async def _reign(contenders: list[Contender], epoch: int, limit: float = 30.0) -> Reign:
    """Return the first reign with an epoch above this one."""
    async with asyncio.timeout(allowed(limit)):
        while True:
            later = [each for each in reigns_of(contenders) if each.epoch > epoch]
            if later:
                return later[0]
            await asyncio.sleep(0.02)


async def _in_turn(url: str, epoch: int) -> None:
    """Lead by two in this process, one after the other, the second without waiting for any TTL."""
    one, two = (open_election(url, name, ttl=4.0) for name in "ab")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(one.run())
        while one.epoch is None:
            await one.changed.wait()
            one.changed.clear()
        assert epoch < one.epoch
        assert one.left() > 0
        second = group.create_task(two.run())
        await asyncio.sleep(1.0)
        assert (two.epoch, one.trouble()) == (None, None)
        epoch = one.epoch or 0
        first.cancel()
        await two.changed.wait()
        assert two.epoch is not None
        assert epoch < two.epoch
        second.cancel()


async def _trial(store: Callable[[], AbstractContextManager[Place]], folder: Path) -> str:
    """Freeze a leader, cut one off, kill one; return how long it took until another one led."""
    entered = store()
    place = await asyncio.to_thread(entered.__enter__)
    relays = [TcpRelay(place.port) for _ in range(2)]
    contenders: list[Contender] = []
    folder.mkdir()
    try:
        with ExitStack() as stack:
            for number, each in enumerate(relays):
                await each.open()
                url = f"{place.scheme}://127.0.0.1:{each.port}"
                contender = Contender(folder, f"c{number}", url, _TTL)
                contenders.append(stack.enter_context(contender))
            leaders = [await _reign(contenders, 0)]
            for harm in ("freeze", "cut", "kill"):
                number = int(leaders[-1].name[1])
                hurt: Contender | TcpRelay = relays[number] if harm == "cut" else contenders[number]
                hurt.kill() if harm == "kill" and isinstance(hurt, Contender) else hurt.freeze()
                leaders.append(await _reign(contenders, leaders[-1].epoch))
                if harm != "kill":
                    hurt.thaw()
            await asyncio.sleep(0.2)  # what comes late comes now
            found = reigns_of(contenders)
        await _in_turn(f"{place.scheme}://127.0.0.1:{place.port}", found[-1].epoch)
    finally:
        for each in relays:
            each.shut()
        await asyncio.to_thread(entered.__exit__, None, None, None)
    for one, following in pairwise(found):
        assert one.ended < following.begun, f"{store.__name__}: two led at once: {found}"
        assert one.epoch < following.epoch, f"{store.__name__}: {found}"
    ends = {each.epoch: each.ended for each in found}
    gaps = [after.begun - ends[before.epoch] for before, after in pairwise(leaders)]
    return f"{store.__name__}: " + ", ".join(f"{gap:.2f} s" for gap in gaps)


@pytest.mark.etcd
@pytest.mark.zookeeper
async def test_one_leads_at_a_time_whatever_befalls_the_leader(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        trials = [group.create_task(_trial(store, tmp_path / store.__name__)) for store in STORES]
    for trial in trials:
        print(trial.result())


async def test_a_file_is_free_as_soon_as_its_holder_is_killed(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/lock"
    with Contender(tmp_path, "c0", url, _TTL) as one, Contender(tmp_path, "c1", url, _TTL) as two:
        first = await _reign([one, two], 0)
        (one if first.name == "c0" else two).kill()
        second = await _reign([one, two], first.epoch)
        assert (first.epoch, second.epoch, second.name != first.name) == (1, 2, True)
        assert first.ended < second.begun
