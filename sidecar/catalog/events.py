"""User events: a ring of the last 256 (Consul's ``/v1/event``). Pure.

Their index is a hash of the last event's id, not a counter: a reader waits for it to *differ*.
Filters are regular expressions in Go's syntax; what they may cost is bounded.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sidecar.catalog.automaton import Automaton, Budget, TooExpensive, TooLarge
from sidecar.catalog.pattern import PatternError, parse_pattern
from sidecar.errors import ApiError

__all__ = ["Event", "Events", "concerns", "index_of"]

_KEPT: Final = 256
_STEPS: Final = 1_000_000


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
        self._time = 1  # Serf's clock, which has told that the node joined

    def fire(self, event: Event, *, concerns: bool = True) -> None:
        """Add an event unless its filters leave us out; raises ApiError with Consul's words."""
        if not event.name:
            raise ApiError(400, "Missing name")
        if event.tag_filter and not event.service_filter:
            raise ApiError(500, "Cannot provide tag filter without service filter")
        self._time += 1
        if concerns:
            self._events.append(replace(event, time=self._time))

    def list(self, name: str = "") -> tuple[Event, ...]:
        """Return the events (of one name), oldest first."""
        return tuple(event for event in self._events if not name or event.name == name)


def concerns(event: Event, node: str, services: Mapping[str, Iterable[str]]) -> bool:
    """Whether the filters let through a node with these services, tags by id.

    Raises ApiError 500 for a filter that is none.
    """
    names = ("node", "service", "tag")
    texts = (event.node_filter, event.service_filter, event.tag_filter)
    on_node, on_service, on_tag = (_search(n, t) for n, t in zip(names, texts, strict=True))
    if not on_node(node):
        return False
    return not event.service_filter or any(
        on_service(id_) and (not event.tag_filter or any(map(on_tag, tags)))
        for id_, tags in services.items()
    )


def _search(name: str, text: str) -> Callable[[str], bool]:
    if not text:
        return lambda _: True
    try:
        automaton = Automaton(parse_pattern(text))
    except PatternError as error:
        raise ApiError(500, f"Invalid {name} filter: {error}") from None
    except TooLarge:
        raise ApiError(500, f"Invalid {name} filter: too large") from None
    budget = Budget(_STEPS)

    def found(candidate: str) -> bool:
        try:
            return automaton.search(candidate, budget)
        except TooExpensive:
            return False

    return found


def index_of(events: tuple[Event, ...]) -> int:
    """Return the index of a list of events: both halves of the last id xor'ed, 1 for none."""
    if not events:
        return 1
    number = int(events[-1].id.replace("-", ""), 16)
    return (number >> 64) ^ (number & 0xFFFF_FFFF_FFFF_FFFF)
