from typing import Any

import pytest

from sidecar.catalog.events import Event, Events, concerns, index_of
from sidecar.errors import ApiError


def _event(number: int, name: str = "deploy") -> Event:
    return Event(id=f"{number:08x}-0000-4000-8000-00000000000f", name=name)


def test_the_ring_keeps_the_last_256_in_order() -> None:
    events = Events()
    for number in range(300):
        events.fire(_event(number))
    assert [event.time for event in events.list()] == list(range(46, 302))


def test_a_list_can_be_of_one_name() -> None:
    events = Events()
    events.fire(_event(1, "a"))
    events.fire(_event(2, "b"))
    assert [event.name for event in events.list("b")] == ["b"]


def test_the_index_is_both_halves_of_the_last_id_xored() -> None:
    assert index_of(()) == 1
    one = Event(id="00000000-0000-00ff-0000-00000000000f", name="x")
    assert index_of((_event(1), one)) == 0xF0


@pytest.mark.parametrize(
    ("event", "status", "text"),
    [
        (Event(id="", name=""), 400, "Missing name"),
        (
            Event(id="", name="x", tag_filter="t"),
            500,
            "Cannot provide tag filter without service filter",
        ),
    ],
)
def test_bad_events_are_refused(event: Event, status: int, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        Events().fire(event)
    assert (caught.value.status, str(caught.value)) == (status, text)


@pytest.mark.parametrize(
    ("filters", "heard"),
    [
        ({}, True),
        ({"node_filter": "^node-[0-9]$"}, True),
        ({"node_filter": "other"}, False),
        ({"service_filter": "^web"}, True),
        ({"service_filter": "^db"}, False),
        ({"service_filter": "web", "tag_filter": "^v1$"}, True),
        ({"service_filter": "web", "tag_filter": "v2"}, False),
        ({"node_filter": "(a?){900}x"}, False),
    ],
)
def test_an_event_concerns_whom_its_filters_let_through(
    filters: dict[str, Any], heard: bool
) -> None:
    event = Event(id="x", name="deploy", **filters)
    assert concerns(event, "node-1", {"web-1": ("v1",)}) is heard


@pytest.mark.parametrize("pattern", ["(", "((a{9}){9}){99}"])
def test_a_filter_that_is_none_or_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(ApiError, match="Invalid service filter: "):
        concerns(Event(id="x", name="deploy", service_filter=pattern), "n", {})


def test_a_filter_that_takes_too_long_lets_nothing_through() -> None:
    event = Event(id="x", name="deploy", service_filter="(a|b|c|d)*e")
    assert not concerns(event, "n", {"abcd" * 200_000 + str(n): () for n in range(3)})
