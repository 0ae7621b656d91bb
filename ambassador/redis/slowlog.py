"""Commands that took long, the newest in memory; values are never kept. Pure."""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from ambassador.redis.commands import Command, Route
from ambassador.redis.run import ClientRun

__all__ = ["Slow", "SlowLog", "first_words"]

Find = Callable[[bytes, bytes], Command]
_SHOWN: Final = 128
_WORDS: Final = 8  # no first key is further behind


class Slow(NamedTuple):
    """One run that took long: before it was sent, and until it was answered."""

    command: str
    kind: str
    node: str
    commands: int
    seconds: float
    queue: float
    wire: float


class SlowLog:
    """Keeps the last of them."""

    def __init__(self, limit: float, size: int) -> None:
        """Keep what took longer than ``limit`` seconds; 0: nothing."""
        self.entries: deque[Slow] = deque()
        self.resize(limit, size)

    def resize(self, limit: float, size: int) -> None:
        """Take another limit and size; what is kept stays as far as it has room."""
        self.limit = limit or float("inf")
        self.entries = deque(self.entries, maxlen=size)

    def add(self, run: ClientRun, node: str, heard: float, find: Find) -> Slow:
        """Keep a run: the name and first key of its first command, no more."""
        kind = Route(run.kind).name.lower() if run.kind else "other"
        times = (heard - run.since, run.sent - run.since, heard - run.sent)
        shown = _shown(first_words(run.data), find)
        slow = Slow(shown, kind, node, run.count, *(round(time, 6) for time in times))
        self.entries.append(slow)
        return slow


def first_words(data: bytes) -> list[bytes]:
    """Return the first words of a command in array form, each cut."""
    at = data.index(b"\r") + 2
    words = []
    for _ in range(min(int(data[1 : at - 2]), _WORDS)):
        begin = data.index(b"\r", at) + 2
        if begin < 2 or begin > len(data):
            break  # what is passed on as it comes has only begun
        end = begin + int(data[at + 1 : begin - 2])
        words.append(data[begin : min(end, begin + _SHOWN)])
        at = end + 2
        if at >= len(data):
            break
    return words


def _shown(words: list[bytes], find: Find) -> str:
    """Return a command's name and first key, where that has a fixed place."""
    found = find(words[0], words[1] if len(words) > 1 else b"")
    shown = words[: 2 if "|" in found.name else 1]
    shown += words[found.first : found.first + 1] if found.first else []
    return b" ".join(shown)[:_SHOWN].decode(errors="backslashreplace")
