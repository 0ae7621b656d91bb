"""Registrations of other nodes."""

from typing import Any

import pytest

from sidecar.catalog import Check, Node, Snapshot, Status, apply
from sidecar.catalog.entries import ForeignCheck, Registration, deregister, register
from sidecar.catalog.model import EMPTY
from sidecar.errors import ApiError
from tests.support.catalog import instance

NODE = Node(name="ext", address="192.0.2.1")


def given(snapshot: Snapshot = EMPTY, **fields: Any) -> Snapshot:
    return apply(snapshot, register(snapshot, Registration(**({"node": NODE} | fields))))


def on(service: str = "db", id_: str = "db-1", **fields: Any) -> Any:
    return instance(service, id_, node="ext", **fields)


def said(id_: str, status: Status, service: str = "") -> ForeignCheck:
    return ForeignCheck(Check(id=id_, name=id_, status=status), service)


def test_a_node_with_an_instance_and_checks_of_both() -> None:
    checks = (said("own", Status.WARNING, "db-1"), said("disk", Status.CRITICAL))
    found = given(instance=on(), checks=checks)
    (one,) = found.services["db"]
    assert ([c.id for c in one.checks], one.status) == (["own"], Status.CRITICAL)
    assert [c.id for c in found.nodes["ext"].checks] == ["disk"]
    again = given(found, instance=on(), checks=checks)
    assert (again.services, again.nodes) == (found.services, found.nodes)
    assert (again.checks_index, again.modified) == (found.index + 1, found.modified)
    assert given(found, instance=on()) is found


def test_an_instance_registered_again_keeps_its_checks() -> None:
    found = given(instance=on(), checks=(said("own", Status.WARNING, "db-1"),))
    again = given(found, instance=on(port=1))
    (one,) = again.services["db"]
    assert (one.port, one.status) == (1, Status.WARNING)


def test_a_check_moves_between_node_and_instances() -> None:
    found = given(instance=on(), checks=(said("c", Status.CRITICAL),))
    found = given(found, checks=(said("c", Status.WARNING, "db-1"),))
    assert (found.nodes["ext"].checks, found.services["db"][0].status) == ((), Status.WARNING)
    found = given(found, checks=(said("c", Status.PASSING),))
    assert found.services["db"][0].checks == ()
    with pytest.raises(ApiError, match='Missing service registration on node "ext"'):
        given(found, checks=(said("c", Status.PASSING, "nope"),))


def test_each_registration_replaces_the_node_unless_told_to_skip_it() -> None:
    found = given(node=Node(name="ext", address="192.0.2.1", meta={"a": "1"}, id="x"))
    skipped = given(found, node=Node(name="ext", address=""), skip_node_update=True)
    assert skipped is found
    replaced = given(found, node=NODE)
    assert (replaced.nodes["ext"].meta, replaced.nodes["ext"].id) == ({}, "x")


def test_an_id_under_another_service_moves() -> None:
    found = given(given(instance=on()), instance=on("api", "db-1"))
    assert list(found.services) == ["api"]


def test_deregistering_a_check_an_instance_a_node() -> None:
    found = given(instance=on(), checks=(said("c", Status.CRITICAL), said("d", Status.WARNING)))
    less = apply(found, deregister(found, "ext", check_id="c"))
    assert less.services["db"][0].status is Status.WARNING
    gone = apply(less, deregister(less, "ext", service_id="db-1"))
    assert (gone.services, list(gone.nodes)) == ({}, ["ext"])
    assert apply(found, deregister(found, "ext")).nodes == {}
    for asked in ({}, {"service_id": "x"}, {"check_id": "x"}):
        assert apply(EMPTY, deregister(EMPTY, "nowhere", **asked)) is EMPTY
