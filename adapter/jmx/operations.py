"""What only an operation of a JVM's threads tells: deadlocks, and threads by state. Pure.

Names as by Prometheus' Java client. An operation may change things, so JMX gives it only to users
with the right to; for others these metrics are absent, and nothing else is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from adapter.exposition import Family
from adapter.jmx.jvm import Read
from adapter.jmx.records import JavaArray
from adapter.jmx.values import Composite, Marker, items_of, meant

__all__ = ["FAILED", "Operation", "thread_families", "thread_operations"]

FAILED: Final = Marker("failed")
_BEAN: Final = "java.lang:type=Threading"
_IDS: Final = "AllThreadIds"
_INFO: Final = "getThreadInfo"
_AT_ONCE: Final = 500  # threads of one answer: some 200 kB
_MOST: Final = 20_000  # threads that are looked at
_STATES: Final = ("BLOCKED", "NEW", "RUNNABLE", "TERMINATED", "TIMED_WAITING", "WAITING")
_UNKNOWN: Final = "UNKNOWN"
_DEADLOCKS: Final[Mapping[str, tuple[str, str]]] = {
    "findDeadlockedThreads": (
        "jvm_threads_deadlocked",
        "Threads that wait for each other for ever, for monitors or other locks.",
    ),
    "findMonitorDeadlockedThreads": (
        "jvm_threads_deadlocked_monitor",
        "Threads that wait for each other for ever, for monitors.",
    ),
}


class Operation(NamedTuple):
    """An operation of a bean; its arguments are arrays of ``long``."""

    bean: str
    name: str
    arrays: tuple[Sequence[int], ...] = ()

    @property
    def signature(self) -> tuple[str, ...]:
        """The Java types of the arguments."""
        return ("[J",) * len(self.arrays)


def _ids_in(read: Read) -> Sequence[int] | None:
    """Return the numbers of all threads, if they were read."""
    for name, attributes in read:
        if name.domain == "java.lang" and name.properties.get("type") == "Threading":
            found = attributes.get(_IDS)
            if isinstance(found, JavaArray):
                ids = [number for number in found.items if type(number) is int]
                return ids[:_MOST]
    return None


def thread_operations(read: Read) -> list[Operation]:
    """Return what to ask for; nothing where the threads were not read."""
    ids = _ids_in(read)
    if ids is None:
        return []
    right = [number for number in ids if number > 0]  # the others are an error to Java
    parts = [right[at : at + _AT_ONCE] for at in range(0, len(right), _AT_ONCE)]
    return [
        *(Operation(_BEAN, name) for name in _DEADLOCKS),
        *(Operation(_BEAN, _INFO, (part,)) for part in parts),
    ]


def thread_families(read: Read, told: Iterable[tuple[Operation, object]]) -> list[Family]:
    """Return the families for what the operations returned, without those that failed."""
    ids = _ids_in(read) or ()
    found: list[Family] = []
    states = Counter(dict.fromkeys((*_STATES, _UNKNOWN), 0))
    states[_UNKNOWN] = sum(number <= 0 for number in ids)
    is_whole = True
    for operation, value in told:
        if operation.name in _DEADLOCKS:
            if value is None or isinstance(value, JavaArray):
                name, text = _DEADLOCKS[operation.name]
                family = Family(name, "gauge", text)
                family.add({}, float(len(value.items) if value is not None else 0))
                found.append(family)
        elif isinstance(value, JavaArray):
            states.update(_states_in(value))
        else:
            is_whole = False
    if is_whole and found:
        family = Family("jvm_threads_state", "gauge", "Threads by state.")
        for state in sorted(states):
            family.add({"state": state}, float(states[state]))
        found.append(family)
    return found


def _states_in(infos: JavaArray) -> Iterable[str]:
    for item in items_of(infos):
        info = meant(item)  # nothing: the thread has ended
        if isinstance(info, Composite):
            state = info.items.get("threadState")
            yield state if isinstance(state, str) and state in _STATES else _UNKNOWN
