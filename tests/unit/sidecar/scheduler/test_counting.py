"""What both sides of a canary are sent, summed up over reloads of the proxy."""

import asyncio
from collections.abc import Mapping

from sidecar.catalog.work import Load
from sidecar.runtime.clock import FakeClock
from sidecar.scheduler.canary import Sides, Tally
from sidecar.scheduler.cluster import Cluster, Copy, Stage
from sidecar.scheduler.counting import Counting
from tests.support.desk import Still


class Proxy(Still):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Load] = {}
        self.asked: list[Mapping[str, str]] = []

    async def loads(self, containers: Mapping[str, str]) -> Mapping[str, Load]:
        self.asked.append(containers)
        return self.found


def copy(id_: str, slot: str, stage: Stage = Stage.RUNNING) -> Copy:
    return Copy(name=id_, id=id_, node="n", slot=slot, spec="a", incarnation=1, stage=stage)


async def test_both_sides_are_summed_up_while_somebody_asks() -> None:
    proxy, clock = Proxy(), FakeClock()
    counting = Counting(proxy, clock)
    copies = (copy("a", "1"), copy("b", "canary-1"), copy("c", "2", Stage.EXITED))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(counting.run())
        await clock.advance(3.0)
        assert proxy.asked == []
        counting.want({"web": None}, Cluster((), {"web": copies}))
        proxy.found = {"a": Load(requests=100, failures=1), "b": Load(requests=10), "z": Load()}
        await clock.advance(1.0)
        assert counting.sides() == {"web": Sides()}
        proxy.found = {
            "a": Load(requests=160, failures=2),
            "b": Load(requests=40, failures=3, retries=1, latency=0.2),
        }
        await clock.advance(1.0)
        expected = Sides(Tally(30, 4), Tally(60, 1), 0.2)
        assert counting.sides() == {"web": expected}
        assert counting.changed.is_set()
        proxy.found = {"a": Load(requests=5), "b": Load(requests=7)}  # a new proxy
        await clock.advance(1.0)
        assert counting.sides() == {"web": Sides(Tally(37, 4), Tally(65, 1))}
        assert proxy.asked[-1] == {"a": "n", "b": "n"}
        counting.want({}, Cluster((), {"web": copies}))
        assert counting.sides() == {}
        task.cancel()
