"""Histories of numbers that clients write and read, and what in them no single Redis could give.

Each key has one writer, which writes 1, 2, 3 and so on; so a number says how new a state is, and a
history is checked in one pass. Times are when a command was sent and when its reply was there: what
overlaps may come in any order, what does not may not.
"""

import heapq
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ambassador.redis.resp import Failure
from tests.support.ambassador import Caller

__all__ = ["Operation", "recorded", "violations"]

_SCRIPT = "return redis.call('SET', KEYS[1], ARGV[1])"


class Operation(NamedTuple):
    """One command: who sent it when, when it was answered, and the number."""

    client: str
    key: str
    is_write: bool
    number: int
    begin: float
    end: float


def violations(history: Iterable[Operation], *, is_shared: bool = False) -> list[str]:
    """Return what is wrong: reads older than what is known, or from the future.

    Known to a client is what it wrote and read itself, or (``is_shared``) what anybody did: then a
    history without violations is linearizable.
    """
    by_key: dict[str, list[Operation]] = defaultdict(list)
    for operation in history:
        by_key[operation.key].append(operation)
    found: list[str] = []
    for operations in by_key.values():
        found += _of_key(sorted(operations, key=lambda one: one.begin), is_shared=is_shared)
    return found


def _of_key(operations: Sequence[Operation], *, is_shared: bool) -> list[str]:
    found = []
    known: dict[str, int] = defaultdict(int)
    ended: list[tuple[float, int]] = []
    writes = [one for one in operations if one.is_write]
    for place, one in enumerate(operations):
        while ended and ended[0][0] <= one.begin:
            _, at = heapq.heappop(ended)
            whose = "" if is_shared else operations[at].client
            known[whose] = max(known[whose], operations[at].number)
        heapq.heappush(ended, (one.end, place))
        if one.is_write:
            continue
        floor = known["" if is_shared else one.client]
        if one.number < floor:
            found.append(f"{one.client} saw {one.key} = {one.number} after {floor}")
        newest = max((write.number for write in writes if write.begin < one.end), default=0)
        if one.number > newest:
            found.append(f"{one.client} saw {one.key} = {one.number} before it was written")
    return found


def recorded(ports: Sequence[int], rounds: int) -> list[Operation]:
    """Let one client for each port write and read, all at once; return what happened.

    Each has a key of its own to write and reads it, and that of the one before it.
    """
    histories: list[list[Operation]] = [[] for _ in ports]
    wrong: list[BaseException] = []

    def work(place: int) -> None:
        try:
            other = f"key{(place - 1) % len(ports)}"
            with Caller(ports[place]) as caller:
                _Writer(caller, f"client{place}", histories[place]).run(
                    f"key{place}", other, rounds
                )
        except BaseException as error:  # noqa: BLE001 - told to the caller
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(ports))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
    return [operation for history in histories for operation in history]


class _Writer:
    def __init__(self, caller: Caller, name: str, history: list[Operation]) -> None:
        self._caller, self._name, self._history = caller, name, history

    def run(self, own: str, other: str, rounds: int) -> None:
        """Write in one of several ways, read at once and again."""
        ways = (self._plain, self._pipelined, self._plain, self._transaction, self._script)
        for number in range(1, rounds + 1):
            begin = time.monotonic()
            ways[number % len(ways)](own, str(number))
            self._note(own, number, begin, is_write=True)
            for key in (own, own, other):
                begin = time.monotonic()
                seen = self._caller.do("GET", key)
                assert not isinstance(seen, Failure), seen
                self._note(key, int(seen or 0), begin, is_write=False)

    def _note(self, key: str, number: int, begin: float, *, is_write: bool) -> None:
        end = time.monotonic()
        self._history.append(Operation(self._name, key, is_write, number, begin, end))

    def _plain(self, key: str, number: str) -> None:
        assert self._caller.do("SET", key, number) == b"OK"

    def _pipelined(self, key: str, number: str) -> None:
        self._caller.send("SET", f"{key}:other", number)
        self._caller.send("SET", key, number)
        self._caller.send("GET", key)
        begin = time.monotonic()
        replies = [self._caller.read() for _ in range(3)]
        assert replies[:2] == [b"OK", b"OK"], replies
        self._note(key, int(number), begin, is_write=True)
        self._note(key, int(replies[2] or 0), time.monotonic(), is_write=False)

    def _transaction(self, key: str, number: str) -> None:
        for words in (("MULTI",), ("SET", key, number), ("EXEC",)):
            self._caller.send(*words)
        replies = [self._caller.read() for _ in range(3)]
        assert replies == [b"OK", b"QUEUED", [b"OK"]], replies

    def _script(self, key: str, number: str) -> None:
        assert self._caller.do("EVAL", _SCRIPT, "1", key, number) == b"OK"
