"""Where a proxy reaches an instance that others may know by another node or id."""

import pytest

from sidecar.catalog.model import Instance
from templater.names import Address, Port
from templater.reach import Reach, members_of, reach_of
from templater.routes import Protocol, Routes, Upstream, routes_of
from tests.support.catalog import instance, snapshot

KNOWN = (
    instance(node="n", id_="a", address="192.0.2.1", port=80),
    instance(node="n", id_="b", address="192.0.2.2", port=81),
)


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        (instance(node="n", id_="a", address="192.0.2.9", port=9), ("192.0.2.1", 80)),
        (instance(node="other", id_="x", address="192.0.2.2", port=81), ("192.0.2.2", 81)),
        (instance(node="other", id_="gone", address="192.0.2.7", port=7), ("192.0.2.7", 7)),
        (instance(node="other", id_="b", address="", port=0), ("192.0.2.2", 81)),
        (instance(node="other", id_="gone", address="", port=0), None),
    ],
)
def test_the_key_counts_then_the_address_then_the_id(
    asked: Instance, place: tuple[str, int] | None
) -> None:
    found = reach_of(members_of(_routes(), "web"), asked)
    assert found == (Reach(Address(place[0]), Port(place[1])) if place else None)


def test_members_are_those_of_the_service_alone() -> None:
    assert [one.key.id for one in members_of(_routes(), "web")] == ["a", "b"]
    assert members_of(_routes(), "db") == []
    assert Upstream(Protocol.HTTP, "web") in _routes().upstreams


def _routes() -> Routes:
    return routes_of(snapshot(*KNOWN), ("consul",))
