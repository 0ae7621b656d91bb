"""Shapes that only some entries have; recorded from Consul 1.8.7."""

import pytest

from sidecar.catalog import Check, Node, PutNode, Status, apply
from sidecar.web.consul import shapes
from sidecar.web.consul.filters import compiled
from sidecar.web.consul.listings import Params
from sidecar.web.consul.reads import reads
from sidecar.web.consul.view import View
from tests.support.catalog import instance, snapshot
from tests.support.served import LOCAL


def test_a_containers_bad_health_is_a_check_though_nobody_registered_one() -> None:
    sick = instance(owner="registrar:h", status=Status.CRITICAL)
    (check,) = shapes.all_checks(sick)
    assert (check.id, check.status) == ("service:web-1", Status.CRITICAL)
    assert shapes.all_checks(instance(owner="api", status=Status.CRITICAL)) == []
    assert shapes.all_checks(instance(owner="registrar:h")) == []


def test_a_drain_is_shown_as_maintenance() -> None:
    (check,) = shapes.all_checks(instance(draining=True))
    assert (check.id, check.name) == ("_service_maintenance:web-1", "Service Maintenance Mode")


def test_a_container_has_the_tagged_addresses_an_agent_would_add() -> None:
    shown = shapes.agent_service(instance(owner="registrar:h"))
    assert shown["TaggedAddresses"]["lan_ipv4"] == {"Address": "192.0.2.1", "Port": 8080}
    assert "TaggedAddresses" not in shapes.agent_service(instance(owner="api"))


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (10_000_000_000, "10s"),
        (1_500_000_000, "1.5s"),
        (90_000_000_000, "1m30s"),
        (3_600_000_000_000, "1h0m0s"),
        (5_000_000, "5ms"),
    ],
)
def test_durations_are_written_as_go_writes_them(nanoseconds: int, text: str) -> None:
    assert shapes.go_text(nanoseconds) == text


def test_only_other_nodes_tell_how_their_checks_are_run() -> None:
    check = Check(id="c", name="c", definition='{"HTTP":"http://x","Interval":10000000000}')
    for node, definition in (("ext", {"HTTP": "http://x", "Interval": "10s"}), ("node-1", {})):
        one = instance(node=node, checks=(check,))
        (shown,) = shapes.checks_of_instance(one, local="node-1")
        assert shown["Definition"] == definition


def test_a_foreign_node_without_meta_has_nulls() -> None:
    held = apply(snapshot(instance(node="ext")), [PutNode(Node(name="ext", address="192.0.2.9"))])
    view = View(held, LOCAL)
    found = view.node("EXT")
    assert found is not None
    shown = shapes.node(found, "dc1")
    assert (shown["TaggedAddresses"], shown["Meta"]) == (None, None)
    assert view.node_of(instance(node="unheard-of")).address == "192.0.2.1"


def test_checks_and_nodes_are_listed_in_the_order_of_lower_case() -> None:
    checks = (Check(id="b", name="b"), Check(id="A", name="A"), Check(id="c", name="c"))
    view = View(snapshot(instance(node="Z", checks=checks)), LOCAL)
    make = reads(compiled)["health/checks/"]
    body = make("web", Params()).body(view)
    assert [check["CheckID"] for check in body] == ["A", "b", "c"]
