"""What ranks alike, in an order that does not tell who came first. Pure."""

from bisect import bisect_left
from collections.abc import Container, Iterator
from itertools import islice

from sidecar.scheduler.board import Bucket
from sidecar.scheduler.shelves import Branch
from sidecar.scheduler.strategies import Key

__all__ = ["Tier"]


class Tier:
    """Buckets with one key, in their order, each with the names of its nodes.

    A list of names is the board's own: it follows what is placed, and is empty when its bucket is.
    """

    __slots__ = ("branch", "buckets", "key", "names", "version")

    def __init__(self, branch: Branch, key: Key) -> None:
        """Begin with none."""
        self.branch = branch
        self.key = key
        self.buckets: list[Bucket] = []
        self.names: list[list[str]] = []
        self.version = 0
        """Grows with each bucket that comes."""

    def put(self, bucket: Bucket, names: list[str]) -> None:
        """Take in a bucket, or one that had run empty anew."""
        at = bisect_left(self.buckets, bucket)
        if at < len(self.buckets) and self.buckets[at] == bucket:
            self.names[at] = names
        else:
            self.buckets.insert(at, bucket)
            self.names.insert(at, names)
        self.version += 1

    def sweep(self) -> list[Bucket]:
        """Leave out the buckets that are empty; return them."""
        pairs = [*zip(self.buckets, self.names, strict=True)]
        self.buckets = [bucket for bucket, names in pairs if names]
        self.names = [names for _, names in pairs if names]
        return [bucket for bucket, names in pairs if not names]

    def pick(self, sizes: list[int], begin: int, but: Container[str]) -> tuple[str, str] | None:
        """Return the first node from ``begin`` on that is not left out, and the one after it."""
        first = ""
        for name in _walk(self.names, sizes, begin):
            if name not in but:
                if first:
                    return first, name
                first = name
        return (first, "") if first else None


def _walk(groups: list[list[str]], sizes: list[int], begin: int) -> Iterator[str]:
    """Return all names, from the one at ``begin`` on and round to it."""
    at, skip = 0, begin
    while skip >= sizes[at]:
        skip -= sizes[at]
        at += 1
    yield from islice(groups[at], skip, None)
    for other in (*range(at + 1, len(groups)), *range(at)):
        yield from groups[other]
    yield from islice(groups[at], skip)
