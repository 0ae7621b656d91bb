import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import pytest

from sidecar.catalog.model import Status
from sidecar.checks.definition import CheckDefinition, Kind
from sidecar.checks.policy import CheckPolicy
from sidecar.checks.runner import CheckRunner, NotTtl
from sidecar.checks.state import Result
from sidecar.runtime.clock import FakeClock

PASSING = Result(Status.PASSING, "ok")


class Prober:
    """Answers from a table; counts how many probes are under way."""

    def __init__(self, clock: FakeClock, takes: float = 0.0) -> None:
        self.clock = clock
        self.takes = takes
        self.answers: dict[str, Result | Exception] = {}
        self.asked: list[tuple[str, float]] = []
        self.now = self.most = 0

    async def run(self, definition: CheckDefinition, *, local: bool) -> Result:
        self.asked.append((definition.name, self.clock.monotonic()))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.takes:
                await self.clock.sleep(self.takes)
        finally:
            self.now -= 1
        answer = self.answers.get(definition.name, PASSING)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Bench:
    """A runner on a fake clock, and what it said."""

    def __init__(self, *, takes: float = 0.0, concurrency: int = 64, draw: float = 0.5) -> None:
        self.clock = FakeClock()
        self.prober = Prober(self.clock, takes)
        self.said: list[tuple[Hashable, Result]] = []
        self.gone: list[Hashable] = []
        self.runner = CheckRunner(
            self.clock,
            lambda key, result: self.said.append((key, result)),
            CheckPolicy(),
            on_deregister=self.gone.append,
            concurrency=concurrency,
            draw=lambda: draw,
            prober=self.prober,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Bench"]:
        served = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.runner.run(served.set))
            await served.wait()
            await self.clock.advance(0)
            yield self
            task.cancel()

    def statuses(self) -> list[tuple[Hashable, Status]]:
        return [(key, result.status) for key, result in self.said]


def web(name: str = "n", interval: float = 10.0, **more: object) -> CheckDefinition:
    return CheckDefinition(name=name, kind=Kind.HTTP, interval=interval, **more)  # type: ignore[arg-type]


def ttl(
    seconds: float = 10.0, status: Status = Status.PASSING, after: float = 0
) -> CheckDefinition:
    return CheckDefinition(
        name="t", kind=Kind.TTL, ttl=seconds, status=status, deregister_after=after
    )


async def test_a_check_runs_first_at_a_random_part_of_its_interval_then_every_interval() -> None:
    async with Bench().running() as bench:
        bench.runner.add("a", web())
        await bench.clock.advance(26)
    assert bench.prober.asked == [("n", 5.0), ("n", 15.0), ("n", 25.0)]


async def test_only_news_is_told() -> None:
    async with Bench().running() as bench:
        bench.runner.add("a", web())
        await bench.clock.advance(30)
        assert bench.said == [("a", PASSING)]
        bench.prober.answers["n"] = Result(Status.CRITICAL, "bad")
        await bench.clock.advance(10)
    assert bench.statuses() == [("a", Status.PASSING), ("a", Status.CRITICAL)]
    assert bench.runner.result("a") == Result(Status.CRITICAL, "bad")
    assert bench.runner.result("b") is None


async def test_a_removed_check_is_neither_run_nor_told() -> None:
    async with Bench(takes=2.0).running() as bench:
        bench.runner.add("a", web())
        bench.runner.add("b", web("b"))
        bench.runner.remove("b")
        bench.runner.remove("never there")
        await bench.clock.advance(6)
        bench.runner.remove("a")
        await bench.clock.advance(30)
    assert bench.prober.asked == [("n", 5.0)]
    assert bench.said == []


async def test_a_replaced_check_starts_again() -> None:
    async with Bench(takes=2.0).running() as bench:
        bench.runner.add("a", web("old"))
        await bench.clock.advance(6)
        bench.runner.add("a", web("new"))
        await bench.clock.advance(15)
    assert [name for name, _ in bench.prober.asked] == ["old", "new"]
    assert bench.said == [("a", PASSING)]


async def test_no_more_probes_than_allowed_are_under_way() -> None:
    async with Bench(takes=1.0, concurrency=3).running() as bench:
        for number in range(10):
            bench.runner.add(number, web(str(number), interval=100.0))
        await bench.clock.advance(70)
    assert len(bench.prober.asked) == 10
    assert bench.prober.most == 3


async def test_thousands_of_checks_cost_no_task_each() -> None:
    async with Bench().running() as bench:
        before = len(asyncio.all_tasks())
        for number in range(5000):
            bench.runner.add(number, ttl(100.0))
        await bench.clock.advance(1)
        assert len(asyncio.all_tasks()) <= before + 2


async def test_checks_that_come_and_go_leave_nothing_behind() -> None:
    bench = Bench()
    bench.runner.add("stays", ttl())
    for number in range(1000):
        bench.runner.add(number, ttl(3600.0))
        bench.runner.remove(number)
    assert len(bench.runner._heap) < 100
    async with bench.running():
        await bench.clock.advance(11)
    assert bench.statuses() == [("stays", Status.CRITICAL)]


async def test_a_probe_that_raises_makes_its_check_critical_and_no_other() -> None:
    async with Bench().running() as bench:
        bench.prober.answers["bad"] = RuntimeError("boom")
        bench.runner.add("a", web("bad"))
        bench.runner.add("b", web("good"))
        await bench.clock.advance(6)
    assert dict(bench.said) == {
        "a": Result(Status.CRITICAL, "RuntimeError: boom"),
        "b": PASSING,
    }


async def test_a_ttl_check_expires_when_no_heartbeat_comes() -> None:
    async with Bench().running() as bench:
        bench.runner.add("a", ttl())
        await bench.clock.advance(9)
        bench.runner.heartbeat("a", Status.PASSING, "fine")
        await bench.clock.advance(9.5)
        assert bench.statuses() == [("a", Status.PASSING)]
        await bench.clock.advance(0.5)
        assert bench.said[-1] == (
            "a",
            Result(Status.CRITICAL, "TTL expired (last output before timeout follows): fine"),
        )
        bench.runner.heartbeat("a", Status.PASSING, "back")
        await bench.clock.advance(9)
        assert bench.said[-1] == ("a", Result(Status.PASSING, "back"))
        await bench.clock.advance(1)
        assert bench.said[-1][1].status is Status.CRITICAL


async def test_a_heartbeat_for_what_is_no_ttl_check_is_refused() -> None:
    bench = Bench()
    bench.runner.add("h", web())
    for key in ("h", "nope"):
        with pytest.raises(NotTtl, match=f'^CheckID "{key}" does not have associated TTL$'):
            bench.runner.heartbeat(key, Status.PASSING)


async def test_an_alias_is_reported_by_others() -> None:
    bench = Bench()
    bench.runner.add("a", CheckDefinition(name="a", kind=Kind.ALIAS))
    bench.runner.add("h", web())
    for key in ("a", "h", "nope"):
        bench.runner.report(key, PASSING)
    assert bench.said == [("a", PASSING)]


@pytest.mark.parametrize("seconds", [5.0, 30.0, 3600.0])
async def test_after_a_pause_of_the_process_no_ttl_check_expires_at_once(seconds: float) -> None:
    async with Bench().running() as bench:
        for number in range(100):
            bench.runner.add(number, ttl())
        await bench.clock.advance(3.5)
        bench.clock._now += seconds  # what SIGSTOP and SIGCONT look like from inside
        await bench.clock.advance(5)
        assert bench.said == []
        await bench.clock.advance(2)
        assert len(bench.said) == 100


async def test_a_probe_that_slept_through_a_pause_is_tried_again() -> None:
    async with Bench(takes=1.0).running() as bench:
        bench.prober.answers["n"] = Result(Status.CRITICAL, "deadline")
        bench.runner.add("a", web())
        await bench.clock.advance(5.5)
        bench.clock._now += 60
        bench.prober.answers["n"] = Result(Status.CRITICAL, "deadline")
        await bench.clock.advance(0)
        assert bench.said == []
        bench.prober.answers["n"] = PASSING
        await bench.clock.advance(3)
    assert bench.said == [("a", PASSING)]


async def test_a_service_critical_for_too_long_is_to_go_at_the_next_reap() -> None:
    async with Bench().running() as bench:
        bench.runner.add("a", ttl(10.0, after=60.0))
        bench.runner.add("b", ttl(10.0))
        await bench.clock.advance(69)
        assert bench.gone == []
        await bench.clock.advance(25)
    assert bench.gone == ["a"]


async def test_a_restarted_runner_goes_on_with_grace() -> None:
    bench = Bench(takes=1.0)
    async with bench.running():
        bench.runner.add("t", ttl())
        bench.runner.add("a", web())
        await bench.clock.advance(5.5)
    await bench.clock.advance(100)
    async with bench.running():
        await bench.clock.advance(2)
        assert bench.said == [("a", PASSING)]


async def test_checks_added_before_the_start_run_after_it() -> None:
    bench = Bench()
    bench.runner.add("a", web())
    async with bench.running():
        await bench.clock.advance(6)
    assert bench.said == [("a", PASSING)]
