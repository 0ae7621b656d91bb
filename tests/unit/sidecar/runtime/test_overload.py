import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from sidecar.metrics import REGISTRY
from sidecar.runtime.clock import FakeClock
from sidecar.runtime.overload import (
    Action,
    Overload,
    active,
    descriptor_limit,
    memory_limit,
    pressures,
)

NONE: frozenset[Action] = frozenset()
ALL = frozenset(Action)


@pytest.mark.parametrize(
    ("before", "pressure", "count"),
    [
        (NONE, 0.69, 0), (NONE, 0.7, 1), (NONE, 0.81, 2), (NONE, 0.9, 3), (NONE, 2.0, 4),
        (ALL, 0.91, 4), (ALL, 0.89, 3), (ALL, 0.76, 2), (ALL, 0.66, 1), (ALL, 0.64, 0),
    ],
)  # fmt: skip
def test_actions_begin_in_order_and_end_a_little_below(
    before: frozenset[Action], pressure: float, count: int
) -> None:
    assert active(before, pressure) == frozenset(list(Action)[:count])


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, 0),
        ({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n"}, 0),
        ({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "5000\n"}, 5000),
        ({"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max": "7\n"}, 7),
        (
            {
                "/proc/self/cgroup": "9:cpu,memory:/d\n8:pids:/d\n",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "/sys/fs/cgroup/memory/d/memory.limit_in_bytes": "48\n",
            },
            48,
        ),
    ],
    ids=["unknown", "none", "in a container", "of a service", "first version"],
)
def test_the_memory_limit_is_the_control_groups(files: Mapping[str, str], limit: int) -> None:
    assert memory_limit(lambda path: files.get(str(path), "")) == limit


def test_pressures_are_of_this_process() -> None:
    found = pressures(1 << 40)
    assert 0 < found["memory"] < 0.01
    open_now = len(list(Path("/proc/self/fd").iterdir()))
    assert found["descriptors"] == pytest.approx(open_now / descriptor_limit(), abs=0.05)
    assert pressures(0)["memory"] == 0.0


def _value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"pinnace_runtime_{name}", labels)


async def test_both_edges_are_told_and_the_worst_pressure_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    clock, told = FakeClock(), list[frozenset[Action]]()
    now = {"memory": 0.2, "descriptors": 0.1}
    overload = Overload(clock, told.append, lag=lambda: 0.0, look=lambda _: dict(now))
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(overload.run(lambda: None))
        while _value("pressure_ratio", resource="memory") != 0.2:
            await clock.advance(1.0)
        assert told == []
        now["descriptors"] = 0.92
        while not told:
            await clock.advance(1.0)
        assert told == [ALL - {Action.NO_CONNECTIONS}]
        assert _value("overload_active", action="no_waits") == 1.0
        assert _value("pressure_ratio", resource="descriptors") == 0.92
        now["descriptors"] = 0.1
        while len(told) < 2:
            await clock.advance(1.0)
        assert told[1:] == [NONE]
        assert _value("overload_active", action="no_waits") == 0.0
        task.cancel()
    lines = [r.getMessage() for r in caplog.records if "load is shed" in r.getMessage()]
    assert len(lines) == 6


async def test_one_long_pause_of_the_loop_sheds_nothing_but_lasting_lateness_does() -> None:
    clock, told = FakeClock(), list[frozenset[Action]]()
    looks = 0
    lags = [0.0, 0.98, 0.0, 0.99, 0.99, 0.97, 0.0, *[0.96] * 9]

    def lag() -> float:
        nonlocal looks
        looks += 1
        return lags[min(looks, len(lags)) - 1]

    overload = Overload(clock, told.append, lag=lag, look=lambda _: {"memory": 0.1})
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(overload.run(lambda: None))
        while looks < 8:
            await clock.advance(0.5)
        assert told == []
        while not told:
            await clock.advance(0.5)
        assert told == [ALL]
        assert looks >= 11
        task.cancel()
