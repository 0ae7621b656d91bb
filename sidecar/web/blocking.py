"""Blocking queries: wait until an index moves, as Consul's clients expect.

``index`` 0, absent or lower than the present one answers at once; one higher (a client from
another life of the server) waits and then gets the lower index, which tells it to start anew.
"""

import asyncio
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Snapshot
from sidecar.config.units import duration

__all__ = ["BadQuery", "Wait", "wait_for_change"]

_DEFAULT: Final = 300.0
_LONGEST: Final = 600.0
_UNIT: Final = re.compile(r"[a-zµ]$")


class BadQuery(ValueError):
    """A query parameter is wrong; the text is what Consul answers with status 400."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a reader asked for: the index it has, and for how many seconds it waits."""

    index: int
    seconds: float

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Wait":
        """Parse ``index`` and ``wait``; raises BadQuery."""
        index = query.get("index", "0") or "0"
        if not (index.isascii() and index.isdigit()):
            raise BadQuery("Invalid index")
        return cls(int(index), _seconds(query.get("wait", "")))


def _seconds(text: str) -> float:
    if not text:
        return _DEFAULT
    if not _UNIT.search(text):  # Go's durations need a unit
        raise BadQuery("Invalid wait time")
    try:
        return min(duration(text), _LONGEST) or _DEFAULT
    except ValueError as error:
        raise BadQuery("Invalid wait time") from error


async def wait_for_change(
    catalog: Catalog, wait: Wait, index_of: Callable[[Snapshot], int]
) -> Snapshot:
    """Return a snapshot whose index differs from the reader's, or the present one in the end.

    Up to a sixteenth is added to the wait, so that a fleet of readers does not march in step.
    """
    if wait.index == 0 or index_of(catalog.snapshot) > wait.index:
        return catalog.snapshot
    limit = wait.seconds * (1 + random.random() / 16)  # noqa: S311 - jitter, not a secret
    try:
        async with asyncio.timeout(limit):
            while index_of(catalog.snapshot) <= wait.index:
                await catalog.changed()
    except TimeoutError:
        pass
    return catalog.snapshot
