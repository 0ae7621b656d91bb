"""Shed load before the process dies of it: pressures are watched, actions begin in a fixed order.

A pressure is the share of a resource that is in use: memory of the limit that the system set,
descriptors of theirs, and how late the loop is, of one second, at each of the last looks: one long
pause (a machine that was busy with others, a process that was stopped) is not too much work. The
largest counts. An action ends a little below where it began, so that it does not flicker. What is
promised to the end, names and deregistration, has no action (reliability, section 4).
"""

import asyncio
import enum
import os
import resource
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sidecar.metrics import gauge
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

__all__ = ["Action", "Overload", "active", "descriptor_limit", "memory_limit", "pressures"]

_pressure = gauge(
    "pinnace_runtime_pressure_ratio", "Share of a resource that is in use", ["resource"]
)
_active = gauge("pinnace_runtime_overload_active", "Whether load is shed in this way", ["action"])
_log = get_logger("overload")

_PERIOD: Final = 0.5
_RETURN: Final = 0.05
_LATE: Final = 1.0  # seconds of lag that count as a loop in full use
_LOOKS: Final = 4  # so many looks in a row must find the loop late
_CGROUPS: Final = Path("/sys/fs/cgroup")
_NO_LIMIT: Final = 1 << 60  # a first version of cgroups writes a number near 2^63


class Action(enum.Enum):
    """What is done, in order; the value is the pressure at which it begins."""

    NO_DASHBOARD = 0.70
    SHORT_WAITS = 0.80
    NO_WAITS = 0.90
    NO_CONNECTIONS = 0.95


def active(before: frozenset[Action], pressure: float) -> frozenset[Action]:
    """Return the actions at this pressure, given those of before."""
    return frozenset(
        action
        for action in Action
        if pressure >= action.value - (_RETURN if action in before else 0.0)
    )


def memory_limit(read: Callable[[Path], str]) -> int:
    """Return the bytes that this process's control group may use, 0 without a limit."""
    names = [("memory.max", "")]
    for line in read(Path("/proc/self/cgroup")).splitlines():
        _, kinds, path = [*line.split(":", 2), "", ""][:3]
        if not kinds:
            names.append(("memory.max", path))
        elif "memory" in kinds.split(","):
            names += [("memory/memory.limit_in_bytes", ""), ("memory/memory.limit_in_bytes", path)]
    limits = []
    for name, path in names:
        folder, _, file = name.rpartition("/")
        text = read(_CGROUPS / folder / path.strip("/") / file).strip()
        if text.isdigit() and int(text) < _NO_LIMIT:
            limits.append(int(text))
    return min(limits, default=0)


def descriptor_limit() -> int:
    """Return how many descriptors this process may open, 0 without a limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if soft == resource.RLIM_INFINITY else soft


def pressures(limit: int) -> Mapping[str, float]:
    """Look at this process; ``limit`` is that of its memory. Blocks for some microseconds."""
    resident = int(_read(Path("/proc/self/statm")).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = descriptor_limit()
    used = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return {
        "memory": resident / limit if limit else 0.0,
        "descriptors": used / most if most else 0.0,
    }


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


class Overload:
    """A component that watches pressures and tells which actions are on."""

    name = "overload"

    def __init__(
        self,
        clock: Clock,
        shed: Callable[[frozenset[Action]], None],
        *,
        lag: Callable[[], float],
        look: Callable[[int], Mapping[str, float]] = pressures,
    ) -> None:
        """Call ``shed`` with all actions when they change; ``lag`` says how late the loop is."""
        self._clock = clock
        self._shed = shed
        self._lag = lag
        self._look = look
        self._actions: frozenset[Action] = frozenset()
        self._lags: deque[float] = deque([0.0] * _LOOKS, _LOOKS)

    async def run(self, ready: Callable[[], None]) -> None:
        """Watch until cancelled."""
        ready()
        limit = await asyncio.to_thread(memory_limit, _read)
        while True:
            self._lags.append(self._lag())
            loop = min(self._lags) / _LATE
            found = {**await asyncio.to_thread(self._look, limit), "loop": loop}
            for name, pressure in found.items():
                _pressure.labels(name).set(pressure)
            self._take(found)
            await self._clock.sleep(_PERIOD)

    def _take(self, found: Mapping[str, float]) -> None:
        worst = max(found, key=lambda name: found[name])
        before, self._actions = self._actions, active(self._actions, found[worst])
        for action in Action:
            _active.labels(action.name.lower()).set(action in self._actions)
        if self._actions == before:
            return
        told = {"pressure": worst, "ratio": f"{found[worst]:.2f}"}
        for action in Action:
            if action in self._actions - before:
                _log.warning("load is shed", action=action.name.lower(), **told)
            elif action in before - self._actions:
                _log.info("load is shed no more", action=action.name.lower(), **told)
        self._shed(self._actions)
