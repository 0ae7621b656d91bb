"""Commands that took long, the newest in memory; values are never kept. Pure."""

from collections import deque
from typing import NamedTuple

from ambassador.redis.commands import Route
from ambassador.redis.run import ClientRun

__all__ = ["Slow", "SlowLog"]

_SHOWN = 128


class Slow(NamedTuple):
    """One run that took long."""

    command: str
    kind: str
    node: str
    commands: int
    seconds: float


class SlowLog:
    """Keeps the last of them."""

    def __init__(self, limit: float, size: int) -> None:
        """Keep what took longer than ``limit`` seconds; 0: nothing."""
        self.limit = limit or float("inf")
        self.entries: deque[Slow] = deque(maxlen=size)

    def add(self, run: ClientRun, node: str, seconds: float) -> None:
        """Keep a run: the name and first key of its first command, no more."""
        kind = Route(run.kind).name.lower() if run.kind else "other"
        self.entries.append(Slow(_shown(run.data), kind, node, run.count, round(seconds, 6)))


def _shown(data: bytes) -> str:
    """Return the first two words of a command in array form, cut."""
    at = data.index(b"\r") + 2
    words = []
    for _ in range(min(int(data[1 : at - 2]), 2)):
        begin = data.index(b"\r", at) + 2
        end = begin + int(data[at + 1 : begin - 2])
        words.append(data[begin : min(end, begin + _SHOWN)])
        at = end + 2
    return b" ".join(words)[:_SHOWN].decode(errors="backslashreplace")
