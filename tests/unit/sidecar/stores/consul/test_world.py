from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.catalog.changes import Change, Drop, DropNode, Put, PutNode, apply
from sidecar.catalog.model import EMPTY, Instance, Snapshot, Status
from sidecar.stores.consul.shapes import CheckEntry, NodeEntry, ServiceEntry
from sidecar.stores.consul.world import World

SERF = CheckEntry(node="n1", id="serfHealth", status="passing", modified=1)


def service(id_: str = "i1", name: str = "web", **fields: Any) -> ServiceEntry:
    return ServiceEntry(id=id_, service=name, port=80, **fields)


def check(id_: str = "c1", of: str = "i1", status: str = "passing", **fields: Any) -> CheckEntry:
    fields.setdefault("modified", 5)
    return CheckEntry(node="n1", id=id_, service=of, status=status, **fields)


class Seen:
    """A catalogue fed by a world."""

    def __init__(self) -> None:
        self.world = World()
        self.snapshot: Snapshot = EMPTY
        self.take(self.world.take_nodes([NodeEntry(name="n1", address="192.0.2.1")]))

    def take(self, changes: list[Change]) -> list[Change]:
        self.snapshot = apply(self.snapshot, changes)
        return changes

    def services(self, *entries: ServiceEntry, checks: Any = (), index: int = 9) -> list[Change]:
        return self.take(self.world.take_services("n1", entries, checks, index))

    def checks(self, *entries: CheckEntry, index: int = 9) -> list[Change]:
        return self.take(self.world.take_checks(entries, index))

    @property
    def web(self) -> list[Instance]:
        return list(self.snapshot.services.get("web", ()))

    def status(self) -> Status:
        (found,) = self.web
        return found.status


def test_a_service_becomes_an_instance_with_all_it_has() -> None:
    seen = Seen()
    entry = ServiceEntry(
        id="i1",
        service="web",
        tags=("b", "a"),
        meta={"k": "v"},
        address="192.0.2.7",
        port=8080,
        override=True,
    )
    seen.services(entry, checks=[check(output="fine", notes="n", type="http", name="N")])
    (found,) = seen.web
    assert (found.id, found.node, found.address, found.port) == ("i1", "n1", "192.0.2.7", 8080)
    assert (found.tags, dict(found.meta), found.tag_override) == (("b", "a"), {"k": "v"}, True)
    assert (found.weight, found.warning_weight) == (1, 1)
    (its,) = found.checks
    assert (its.id, its.name, its.output, its.notes, its.type) == ("c1", "N", "fine", "n", "http")
    assert its.service_tags == ("b", "a")


def test_a_node_is_kept_with_its_checks() -> None:
    seen = Seen()
    seen.checks(SERF)
    assert [each.id for each in seen.snapshot.nodes["n1"].checks] == ["serfHealth"]
    seen.take(seen.world.take_nodes([NodeEntry(name="n1", address="192.0.2.9")]))
    assert seen.snapshot.nodes["n1"].address == "192.0.2.9"
    assert len(seen.snapshot.nodes["n1"].checks) == 1


def test_a_node_that_goes_takes_its_instances_along() -> None:
    seen = Seen()
    seen.services(service(), service("i2"))
    changes = seen.take(seen.world.take_nodes([]))
    assert DropNode("n1") in changes
    assert not seen.snapshot.services
    assert not seen.snapshot.nodes
    assert seen.world.take_services("n1", [service()], [], 9) == []  # an answer that comes late


def test_what_is_the_same_changes_nothing() -> None:
    seen = Seen()
    seen.services(service(), checks=[check(), SERF])
    assert seen.services(service(), checks=[check(), SERF]) == []
    assert seen.checks(check(), SERF) == []
    assert seen.take(seen.world.take_nodes([NodeEntry(name="n1", address="192.0.2.1")])) == []


def test_the_worst_check_is_the_status_the_nodes_included() -> None:
    seen = Seen()
    seen.services(service(), checks=[check(), check("c2", status="warning"), SERF])
    assert seen.status() is Status.WARNING
    seen.checks(
        check(),
        check("c2"),
        CheckEntry(node="n1", id="serfHealth", status="critical", modified=6),
    )
    assert seen.status() is Status.CRITICAL
    seen.checks(check(), check("c2"))
    assert seen.status() is Status.PASSING


def test_a_word_that_is_no_status_is_critical() -> None:
    seen = Seen()
    seen.services(service(), checks=[check(status="odd")])
    assert seen.status() is Status.CRITICAL


def test_maintenance_is_a_drain_and_no_status() -> None:
    seen = Seen()
    drain = check("_service_maintenance:i1", status="critical")
    seen.services(service(), checks=[check(), drain])
    (found,) = seen.web
    assert (found.draining, found.status) == (True, Status.PASSING)
    seen.checks(check())
    assert [each.draining for each in seen.web] == [False]


def test_a_removed_service_is_dropped_and_a_renamed_one_moves() -> None:
    seen = Seen()
    seen.services(service(), service("i2"))
    assert [type(each) for each in seen.services(service())] == [Drop]
    changes = seen.services(service(name="api"))
    assert [type(each) for each in changes] == [Drop, Put]
    assert set(seen.snapshot.services) == {"api"}


def test_consuls_own_service_is_left_out() -> None:
    seen = Seen()
    assert seen.services(service("consul", "consul")) == []
    assert not seen.snapshot.services


def test_only_what_changed_is_put() -> None:
    seen = Seen()
    seen.services(service(), service("i2"), service("i3"))
    (change,) = seen.checks(check(status="critical"))
    assert isinstance(change, Put)
    assert change.instance.id == "i1"


def test_an_older_table_of_checks_does_not_take_a_newer_check_away() -> None:
    seen = Seen()
    seen.services(service(), checks=[check(status="critical", modified=20)], index=20)
    seen.checks(index=15)  # on its way since before the registration
    assert seen.status() is Status.CRITICAL
    seen.checks(check(modified=10), index=15)
    assert seen.status() is Status.CRITICAL
    seen.checks(check(modified=21), index=21)
    assert seen.status() is Status.PASSING
    seen.checks(index=22)
    assert seen.web[0].checks == ()


def test_older_checks_of_a_node_do_not_undo_newer_ones_of_the_table() -> None:
    seen = Seen()
    seen.services(service(), checks=[check(modified=10)], index=10)
    seen.checks(check(status="critical", modified=20), index=20)
    seen.services(service(), checks=[check(modified=10)], index=12)
    assert seen.status() is Status.CRITICAL


def test_after_a_reset_no_index_of_the_former_life_counts() -> None:
    seen = Seen()
    seen.services(service(), checks=[check(status="critical", modified=500)], index=500)
    seen.world.forget_checks()
    seen.checks(check(modified=7), index=8)
    assert seen.status() is Status.PASSING


def test_a_check_that_moves_to_the_node_changes_every_instance() -> None:
    seen = Seen()
    seen.services(service(), service("i2"), checks=[check()])
    changes = seen.checks(check(of="", status="warning", modified=6))
    assert PutNode in map(type, changes)
    assert {each.status for each in seen.web} == {Status.WARNING}


ENTRIES = st.lists(
    st.builds(
        service,
        st.sampled_from(["i1", "i2", "i3"]),
        st.sampled_from(["web", "api"]),
        modified=st.integers(0, 3),
    ),
    max_size=4,
    unique_by=lambda entry: entry.id,
)
CHECKS = st.lists(
    st.builds(
        check,
        st.sampled_from(["c1", "c2", "_service_maintenance:i1"]),
        st.sampled_from(["i1", "i2", ""]),
        st.sampled_from(["passing", "critical"]),
    ),
    max_size=3,
    unique_by=lambda entry: entry.id,
)


@settings(max_examples=60)
@given(st.lists(st.tuples(ENTRIES, CHECKS), min_size=1, max_size=5))
def test_the_last_answers_alone_decide(states: list[tuple[Any, Any]]) -> None:
    seen, fresh = Seen(), Seen()
    for entries, checks in states:
        seen.services(*entries, checks=checks)
        seen.checks(*checks)
    fresh.services(*states[-1][0], checks=states[-1][1])
    fresh.checks(*states[-1][1])
    assert seen.snapshot.services == fresh.snapshot.services
    assert seen.snapshot.nodes == fresh.snapshot.nodes
