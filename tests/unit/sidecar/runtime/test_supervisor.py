import asyncio
from collections.abc import Callable

import pytest

from sidecar.errors import AddressInUse, StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import FakeClock
from sidecar.runtime.component import Phase
from sidecar.runtime.supervisor import Supervisor

Ready = Callable[[], None]


class Part:
    """A component whose runs are scripted: each entry is 'serve' or an exception to raise."""

    def __init__(self, name: str, journal: list[str], *script: Exception | str) -> None:
        self.name = name
        self._journal = journal
        self._script = list(script) or ["serve"]
        self.complaint: str | None = None

    async def run(self, ready: Ready) -> None:
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        self._journal.append(f"{self.name} starts")
        if isinstance(step, Exception):
            raise step
        try:
            if step != "silent":
                ready()
            if step == "end":
                return
            if step == "break":
                await asyncio.sleep(0)
                raise StoreUnavailable("lost it")
            await asyncio.get_running_loop().create_future()
        finally:
            self._journal.append(f"{self.name} stops")

    def trouble(self) -> str | None:
        return self.complaint


def _supervisor(clock: FakeClock, *parts: Part) -> Supervisor:
    return Supervisor(parts, clock=clock, backoff=lambda: Backoff(1.0, 30.0, draw=lambda: 1.0))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(1):
        while not condition():
            await asyncio.sleep(0)


async def test_parts_start_in_order_and_stop_in_reverse() -> None:
    journal: list[str] = []
    supervisor = _supervisor(FakeClock(), Part("a", journal), Part("b", journal))
    async with asyncio.timeout(1):
        await supervisor.run(supervisor.stop)
    assert journal == ["a starts", "b starts", "b stops", "a stops"]
    assert {h.phase for h in supervisor.health().values()} == {Phase.STOPPED}


async def test_a_failed_part_is_started_again_alone_after_its_delay() -> None:
    journal: list[str] = []
    clock = FakeClock()
    supervisor = _supervisor(clock, Part("a", journal), Part("b", journal, "break", "serve"))
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await _until(lambda: supervisor.health()["b"].phase is Phase.FAILED)
        health = supervisor.health()
        assert health["b"].trouble == "lost it"
        assert health["b"].restarts == 1
        assert health["a"].ready
        await clock.advance(1.0)
        await _until(lambda: supervisor.health()["b"].ready)
        supervisor.stop()
    assert journal.count("a starts") == 1
    assert journal.count("b starts") == 2


async def test_delays_grow_while_a_part_keeps_failing() -> None:
    journal: list[str] = []
    clock = FakeClock()
    supervisor = _supervisor(clock, Part("a", journal, ValueError("bug")))
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        for expected, seconds in enumerate((1.0, 2.0, 4.0), start=1):
            await _until(lambda n=expected: supervisor.health()["a"].restarts == n)  # type: ignore[misc]
            await clock.advance(seconds - 0.01)
            assert journal.count("a starts") == expected
            await clock.advance(0.01)
        assert supervisor.health()["a"].trouble == "ValueError: bug"
        supervisor.stop()


async def test_a_part_that_ends_by_itself_counts_as_failed() -> None:
    supervisor = _supervisor(FakeClock(), Part("a", [], "end"))
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await _until(lambda: supervisor.health()["a"].restarts == 1)
        assert supervisor.health()["a"].trouble == "ended by itself"
        supervisor.stop()


async def test_a_permanent_error_before_the_first_service_ends_the_program() -> None:
    journal: list[str] = []
    supervisor = _supervisor(
        FakeClock(), Part("a", journal), Part("b", journal, AddressInUse("8500 is taken"))
    )
    with pytest.raises(AddressInUse, match="8500 is taken"):
        async with asyncio.timeout(1):
            await supervisor.run()
    assert journal == ["a starts", "b starts", "a stops"]


async def test_an_error_wrapped_by_a_task_group_counts_as_itself() -> None:
    wrapped = ExceptionGroup("tasks", [ExceptionGroup("inner", [AddressInUse("taken")])])
    supervisor = _supervisor(FakeClock(), Part("a", [], wrapped))
    with pytest.raises(AddressInUse, match="taken"):
        async with asyncio.timeout(1):
            await supervisor.run()


async def test_a_permanent_error_after_service_is_only_a_failure() -> None:
    journal: list[str] = []
    clock = FakeClock()
    part = Part("a", journal, "break", AddressInUse("taken meanwhile"), "serve")
    supervisor = _supervisor(clock, part)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await _until(lambda: supervisor.health()["a"].restarts == 1)
        await clock.advance(1.0)
        await _until(lambda: supervisor.health()["a"].restarts == 2)
        await clock.advance(2.0)
        await _until(lambda: supervisor.health()["a"].ready)
        supervisor.stop()


async def test_a_slow_part_does_not_hold_the_next_for_ever() -> None:
    journal: list[str] = []
    clock = FakeClock()
    supervisor = _supervisor(clock, Part("slow", journal, "silent"), Part("b", journal))
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await clock.advance(9.9)
        assert journal == ["slow starts"]
        await clock.advance(0.2)
        await _until(lambda: "b starts" in journal)
        supervisor.stop()


async def test_a_part_that_serves_with_trouble_is_not_ready() -> None:
    part = Part("a", [])
    supervisor = _supervisor(FakeClock(), part)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await _until(lambda: supervisor.health()["a"].ready)
        part.complaint = "no engine"
        assert not supervisor.health()["a"].ready
        assert supervisor.health()["a"].trouble == "no engine"
        supervisor.stop()


async def test_a_stop_during_the_start_starts_no_more_parts() -> None:
    journal: list[str] = []
    supervisor = _supervisor(FakeClock(), Part("a", journal, "silent"), Part("b", journal))
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await _until(lambda: journal == ["a starts"])
        supervisor.stop()
    assert journal == ["a starts", "a stops"]
