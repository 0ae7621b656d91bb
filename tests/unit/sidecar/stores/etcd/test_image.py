"""Entries of all hosts as changes of the catalogue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog.changes import apply
from sidecar.catalog.model import EMPTY, Snapshot
from sidecar.stores.etcd.entries import Layout
from sidecar.stores.etcd.image import Image
from sidecar.stores.etcd.keyspace import Event, Held

WEB, API = "/s/web/vm:web:80", "/s/api/vm-2:api:80"


class Shown:
    """An image and the catalogue it makes."""

    def __init__(self) -> None:
        self.unreadable: list[str] = []
        self.image = Image(Layout("/s/"), lambda key, _: self.unreadable.append(key))
        self.snapshot: Snapshot = EMPTY

    def read(self, **entries: bytes) -> None:
        self.replace({f"/s/web/{name}": value for name, value in entries.items()})

    def replace(self, entries: dict[str, bytes]) -> None:
        held = {key: Held(value) for key, value in entries.items()}
        self.snapshot = apply(self.snapshot, self.image.replaced(held))

    def change(self, key: str, value: bytes | None) -> None:
        event = Event(key, None if value is None else Held(value))
        self.snapshot = apply(self.snapshot, self.image.changed([event]))

    def rows(self) -> set[tuple[str, str, str, int]]:
        return {
            (i.service, i.node, i.address, i.port)
            for members in self.snapshot.services.values()
            for i in members
        }


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_a_full_reading_makes_instances_and_their_nodes(shown: Shown) -> None:
    shown.replace({WEB: b"10.0.0.1:80", API: b"10.0.0.2:81"})
    assert shown.rows() == {("web", "vm", "10.0.0.1", 80), ("api", "vm-2", "10.0.0.2", 81)}
    assert {n.name: n.address for n in shown.snapshot.nodes.values()} == {
        "vm": "10.0.0.1",
        "vm-2": "10.0.0.2",
    }


def test_the_same_reading_again_changes_nothing(shown: Shown) -> None:
    shown.replace({WEB: b"10.0.0.1:80"})
    before = shown.snapshot
    shown.replace({WEB: b"10.0.0.1:80"})
    shown.change(WEB, b"10.0.0.1:80")
    assert shown.snapshot is before


def test_events_change_and_remove(shown: Shown) -> None:
    shown.change(WEB, b"10.0.0.1:80")
    shown.change(WEB, b"10.0.0.1:81")
    assert shown.rows() == {("web", "vm", "10.0.0.1", 81)}
    shown.change(WEB, None)
    assert shown.rows() == set()
    assert shown.snapshot.nodes == {}
    shown.change(WEB, None)


def test_what_a_later_reading_does_not_hold_is_gone(shown: Shown) -> None:
    shown.replace({WEB: b"10.0.0.1:80", API: b"10.0.0.2:81"})
    shown.replace({API: b"10.0.0.2:81"})
    assert shown.rows() == {("api", "vm-2", "10.0.0.2", 81)}
    assert set(shown.snapshot.nodes) == {"vm-2"}


def test_an_entry_whose_node_is_its_address_moves_with_it(shown: Shown) -> None:
    shown.read(custom=b"10.0.0.1:80")
    shown.read(custom=b"10.0.0.2:80")
    assert shown.rows() == {("web", "ip-10-0-0-2", "10.0.0.2", 80)}
    assert set(shown.snapshot.nodes) == {"ip-10-0-0-2"}


def test_an_entry_that_becomes_garbage_is_gone_and_told(shown: Shown) -> None:
    shown.replace({WEB: b"10.0.0.1:80", API: b"10.0.0.2:81"})
    shown.change(WEB, b"garbage")
    assert shown.rows() == {("api", "vm-2", "10.0.0.2", 81)}
    assert shown.unreadable == [WEB]
    shown.change(WEB, b"10.0.0.1:80")
    assert len(shown.rows()) == 2


states = st.dictionaries(
    st.sampled_from(["web/vm:a:1", "web/vm:b:1", "api/vm:a:1", "web/custom", "junk"]),
    st.sampled_from([b"10.0.0.1:80", b"10.0.0.2:80", b"garbage"]),
)


@given(
    st.lists(states, max_size=4),
    st.lists(
        st.tuples(
            st.sampled_from(["web/vm:a:1", "web/custom"]),
            st.none() | st.sampled_from([b"10.0.0.1:80", b"10.0.0.2:80"]),
        )
    ),
)
def test_whatever_came_before_the_last_reading_decides(
    readings: list[dict[str, bytes]], events: list[tuple[str, bytes | None]]
) -> None:
    shown, fresh = Shown(), Shown()
    for reading in readings:
        shown.replace({f"/s/{key}": value for key, value in reading.items()})
        for key, value in events:
            shown.change(f"/s/{key}", value)
    last = {f"/s/{key}": value for key, value in (readings[-1] if readings else {}).items()}
    shown.replace(last)
    fresh.replace(last)
    assert shown.rows() == fresh.rows()
    assert set(shown.snapshot.nodes) == set(fresh.snapshot.nodes)
