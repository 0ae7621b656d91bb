from sidecar.catalog import InstanceId, Node, PutNode, Status, apply
from sidecar.catalog.model import Check, worst
from sidecar.catalog.query import address_of, check_statuses, find, instances_of, owned_by, tags_of
from tests.support.catalog import instance, snapshot

SNAPSHOT = snapshot(
    instance(id_="ok", tags=("blue", "v1"), owner="me"),
    instance(id_="warn", status=Status.WARNING, tags=("v1",)),
    instance(id_="bad", status=Status.CRITICAL, tags=("blue",)),
    instance(id_="leaving", draining=True, tags=("blue",)),
    instance("api", "x", owner="me"),
)


def test_critical_and_draining_instances_get_no_new_work() -> None:
    assert [i.id for i in instances_of(SNAPSHOT, "web")] == ["ok", "warn"]


def test_only_passing_leaves_out_warnings() -> None:
    assert [i.id for i in instances_of(SNAPSHOT, "web", only_passing=True)] == ["ok"]


def test_all_tags_must_match() -> None:
    assert [i.id for i in instances_of(SNAPSHOT, "web", tags=["v1", "blue"])] == ["ok"]
    assert instances_of(SNAPSHOT, "web", tags=["green"]) == ()


def test_an_unknown_service_has_no_instances() -> None:
    assert instances_of(SNAPSHOT, "nothing") == ()


def test_find_returns_the_instance_or_none() -> None:
    found = find(SNAPSHOT, "web", InstanceId("bad"))
    assert found is not None
    assert found.status is Status.CRITICAL
    assert find(SNAPSHOT, "web", InstanceId("zzz")) is None


def test_owned_by_spans_services() -> None:
    assert {i.id for i in owned_by(SNAPSHOT, "me")} == {"ok", "x"}


def test_tags_of_a_service_are_the_sorted_union() -> None:
    assert tags_of(SNAPSHOT) == {"web": ("blue", "v1"), "api": ()}


def test_the_worst_status_wins() -> None:
    assert worst([]) is Status.PASSING
    assert worst([Status.PASSING, Status.CRITICAL, Status.WARNING]) is Status.CRITICAL
    assert worst([Status.WARNING, Status.PASSING]) is Status.WARNING


def test_the_checks_of_a_node_are_its_own_and_those_of_its_instances() -> None:
    sick = Check(id="disk", name="disk", status=Status.CRITICAL)
    web = Check(id="service:web", name="web", status=Status.PASSING)
    before = snapshot(instance(node="n", checks=(web,)), instance(id_="other", node="m"))
    found = apply(before, [PutNode(Node(name="n", address="192.0.2.1", checks=(sick,)))])
    assert check_statuses(found, "n", own="n") == {
        "serfHealth": "passing",
        "disk": "critical",
        "service:web": "passing",
    }
    assert check_statuses(found, "unknown", own="n") is None
    assert check_statuses(found, "me", own="me") == {"serfHealth": "passing"}


def test_an_instance_without_an_address_is_where_its_node_is() -> None:
    nodes = {"node-1": Node(name="node-1", address="192.0.2.9")}
    assert address_of(instance(), nodes) == "192.0.2.1"
    assert address_of(instance(address=""), nodes) == "192.0.2.9"
    assert address_of(instance(address="", node="elsewhere"), nodes) == ""
