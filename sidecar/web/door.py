"""What all connections of one server share, and the answers that need no parsing.

A ``Short`` looks at a target and has the whole answer, or says when it will be there (``Later``),
or leaves the request to the router.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from aiohttp.helpers import rfc822_formatted_time

__all__ = ["Cancel", "Deliver", "Door", "Later", "Short", "ShortAnswer"]


class ShortAnswer:
    """A 200: its headers and body, and the route that counts it."""

    __slots__ = ("_data", "body", "headers", "route")

    def __init__(self, route: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take what is told of it."""
        self.route = route
        self.headers = headers
        self.body = body
        self._data = b""

    @property
    def data(self) -> bytes:
        """All of it as it goes over the wire, made once for all who get it."""
        if not self._data:
            lines = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
            head = (
                f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {len(self.body)}\r\n"
                f"Date: {rfc822_formatted_time()}\r\n\r\n"
            )
            self._data = head.encode() + self.body
        return self._data


Deliver = Callable[[ShortAnswer | Exception], None]
"""Takes an answer, or why there is none."""
Cancel = Callable[[], None]


class Later(NamedTuple):
    """An answer that is still waited for.

    ``begin`` takes what is called with it, once and on the loop, and for how many seconds at the
    most; it returns how to wait no more.
    """

    begin: Callable[[Deliver, float], Cancel]


Short = Callable[[str, bool], ShortAnswer | Later | None]
"""From a target, and whether gzip is taken, to an answer; None: not this one."""


@dataclass(slots=True)
class Door:
    """What all connections of one server share."""

    most: int = 0
    """Connections per client address; 0: as many as they like."""
    short: Short = lambda _target, _gzip: None
    count: Callable[[str, int], None] = lambda _route, _status: None
    most_waiting: int = 0
    """Requests that may wait for a change at the same time."""
    waiting: int = 0
    open: Counter[str] = field(default_factory=Counter)
    lingering: int = 0
    longest: float = inf
    """Seconds that a request may wait; less when load is shed."""
    takes_waits: bool = True
    takes_connections: bool = True
    descriptors: int = 0
    """A connection with this descriptor or a higher one is one too many; 0: none is.

    A descriptor is always the lowest free one, so its number says how many there are.
    """

    @property
    def has_room(self) -> bool:
        """Whether one more request may wait."""
        return self.takes_waits and self.waiting < self.most_waiting
