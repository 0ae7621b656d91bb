"""User events: a ring of the last 256 (Consul's ``/v1/event``). Pure.

Their index is a hash of the last event's id, not a counter: a reader waits for it to *differ*.
Filters are kept and shown, never evaluated: an expression from the network could take for ever.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from sidecar.errors import ApiError

__all__ = ["Event", "Events", "index_of"]

_KEPT: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; ``time`` is its place in the order of all events, 0 before it is fired."""

    id: str
    name: str
    payload: bytes = b""
    node_filter: str = ""
    service_filter: str = ""
    tag_filter: str = ""
    time: int = 0


class Events:
    """The last events, oldest first."""

    def __init__(self) -> None:
        """Start with none."""
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self._time = 0

    def fire(self, event: Event) -> None:
        """Add an event; raises ApiError with Consul's words."""
        if not event.name:
            raise ApiError(400, "Missing name")
        if event.tag_filter and not event.service_filter:
            raise ApiError(500, "Cannot provide tag filter without service filter")
        self._time += 1
        self._events.append(replace(event, time=self._time))

    def list(self, name: str = "") -> tuple[Event, ...]:
        """Return the events (of one name), oldest first."""
        return tuple(event for event in self._events if not name or event.name == name)


def index_of(events: tuple[Event, ...]) -> int:
    """Return the index of a list of events: both halves of the last id xor'ed, 1 for none."""
    if not events:
        return 1
    number = int(events[-1].id.replace("-", ""), 16)
    return (number >> 64) ^ (number & 0xFFFF_FFFF_FFFF_FFFF)
