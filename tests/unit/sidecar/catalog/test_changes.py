from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog import (
    EMPTY,
    Change,
    Check,
    Drop,
    DropNode,
    InstanceId,
    Node,
    Put,
    PutNode,
    Status,
    apply,
    diff,
)
from tests.support.catalog import instance, puts, snapshot

_names = st.sampled_from(["web", "api", "db"])
_ids = st.sampled_from(["a", "b", "c", "d"]).map(InstanceId)
_changes: st.SearchStrategy[list[Change]] = st.lists(
    st.one_of(
        st.builds(
            lambda service, id_, port: Put(instance(service, id_, port=port)),
            _names,
            _ids,
            st.integers(1, 3),
        ),
        st.builds(Drop, _names, _ids),
        st.builds(lambda name: PutNode(Node(name=name, address="192.0.2.9")), _names),
        st.builds(DropNode, _names),
    )
)


def test_a_commit_raises_the_index_by_one_however_many_changes() -> None:
    after = apply(EMPTY, puts(instance(id_="a"), instance(id_="b"), instance("api", "c")))
    assert after.index == 1
    assert [i.id for i in after.services["web"]] == ["a", "b"]


def test_untouched_services_are_the_same_object() -> None:
    before = snapshot(instance("web", "a"), instance("api", "b"))
    after = apply(before, puts(instance("web", "c")))
    assert after.services["api"] is before.services["api"]
    assert after.services["web"] is not before.services["web"]
    assert after.nodes is before.nodes


def test_a_put_of_the_same_instance_changes_nothing() -> None:
    before = snapshot(instance())
    assert apply(before, puts(instance())) is before


def test_changes_that_cancel_out_change_nothing() -> None:
    before = snapshot(instance())
    changed: list[Change] = [Drop("web", InstanceId("web-1")), Put(instance())]
    assert apply(before, changed) is before


def test_instances_are_ordered_by_id_whatever_the_order_of_registration() -> None:
    after = snapshot(instance(id_="c"), instance(id_="a"), instance(id_="b"))
    assert [i.id for i in after.services["web"]] == ["a", "b", "c"]


def test_a_service_that_is_gone_leaves_no_trace_but_the_index_of_all_services() -> None:
    before = snapshot(instance("web", "a", checks=(Check(id="c", name="c"),)), instance("api", "b"))
    after = apply(before, [Drop("web", InstanceId("a"))])
    assert "web" not in after.services
    assert after.modified == after.registered == {"api": 1}
    assert after.services_index == after.checks_index == 2


def test_a_change_of_health_is_no_change_of_registration() -> None:
    before = snapshot(instance())
    after = apply(before, puts(instance(status=Status.CRITICAL)))
    assert after.modified == {"web": 2}
    assert after.registered == {"web": 1}
    assert (after.services_index, after.checks_index) == (1, 2)


def test_a_change_of_registration_is_no_change_of_health() -> None:
    check = Check(id="c", name="c")
    before = snapshot(instance(checks=(check,)))
    after = apply(before, puts(instance(port=1, checks=(check,))))
    assert after.modified == after.registered == {"web": 2}
    assert (after.services_index, after.checks_index) == (2, 1)


def test_a_departure_moves_the_index_of_all_checks_even_without_any() -> None:
    before = snapshot(instance())  # as Consul 1.8.7
    after = apply(before, [Drop("web", InstanceId("web-1"))])
    assert (before.checks_index, after.checks_index, after.services_index) == (0, 2, 2)


def test_a_node_moves_only_the_index_of_nodes_unless_its_checks_change() -> None:
    before = snapshot(instance())
    node = Node(name="n", address="192.0.2.9")
    with_node = apply(before, [PutNode(node)])
    assert (with_node.nodes_index, with_node.services_index) == (2, 1)
    sick = Node(name="n", address="192.0.2.9", checks=(Check(id="c", name="c"),))
    with_check = apply(with_node, [PutNode(sick)])
    assert (with_check.nodes_index, with_check.checks_index) == (2, 3)  # as Consul 1.8.7
    assert (with_check.nodes["n"].created, with_check.nodes["n"].modified) == (2, 2)


def test_an_instance_remembers_when_it_was_made_and_changed() -> None:
    before = snapshot(instance(), instance(id_="other"))
    after = apply(before, puts(instance(port=1), instance(id_="other")))
    other, changed = after.services["web"]
    assert (other.created, other.modified) == (1, 1)
    assert (changed.created, changed.modified) == (1, 2)


def test_one_id_on_two_nodes_is_two_instances() -> None:
    both = snapshot(instance(node="n1"), instance(node="n2"))
    assert len(both.services["web"]) == 2
    assert apply(both, [Drop("web", InstanceId("web-1"))]).services == {}
    (left,) = apply(both, [Drop("web", InstanceId("web-1"), "n1")]).services["web"]
    assert left.node == "n2"


def test_a_commit_may_be_given_its_index() -> None:
    assert apply(EMPTY, puts(instance()), 7).services["web"][0].created == 7


def test_dropping_what_is_not_there_changes_nothing() -> None:
    before = snapshot(instance())
    unknown: list[Change] = [Drop("web", InstanceId("zzz")), Drop("no", InstanceId("a"))]
    assert apply(before, unknown) is before
    assert apply(before, [DropNode("nowhere")]) is before


def test_a_node_is_put_and_dropped() -> None:
    node = Node(name="n", address="192.0.2.9")
    with_node = apply(EMPTY, [PutNode(node)])
    assert with_node.nodes == {"n": node}
    assert apply(with_node, [PutNode(node)]) is with_node
    assert apply(with_node, [DropNode("n")]).nodes == {}


def test_diff_names_only_what_differs() -> None:
    old = snapshot(instance(id_="a"), instance(id_="b"), instance("api", "c"))
    moved = instance(id_="b", status=Status.CRITICAL)
    new = apply(old, [Drop("web", InstanceId("a")), Put(moved)])
    assert diff(old, new) == (Drop("web", InstanceId("a"), "node-1"), Put(moved))


@given(_changes, _changes)
def test_applying_a_diff_gives_the_other_snapshot(
    first: list[Change], second: list[Change]
) -> None:
    old = apply(EMPTY, first)
    new = apply(EMPTY, second)
    result = apply(old, diff(old, new))
    assert result.services == new.services
    assert result.nodes == new.nodes


@given(_changes)
def test_no_service_is_ever_empty_and_ids_are_unique_and_sorted(changes: list[Change]) -> None:
    for members in apply(EMPTY, changes).services.values():
        ids = [(member.node, member.id) for member in members]
        assert ids
        assert ids == sorted(set(ids))


def test_a_node_moves_the_index_of_its_services_and_its_checks_only_their_health() -> None:
    here, there = instance("web", "a", node="n1"), instance("api", "b", node="n2")
    old = apply(snapshot(here, there), [PutNode(Node(name="n1", address="192.0.2.1"))])
    assert (old.modified["web"], old.modified["api"]) == (2, 1)
    sick = Node(name="n1", address="192.0.2.1", checks=(Check(id="c", name="c"),))
    checked = apply(old, [PutNode(sick)])
    assert (checked.modified["web"], checked.registered["web"]) == (3, 2)
    moved = apply(checked, [PutNode(replace(sick, address="192.0.2.2"))])
    assert (moved.modified["web"], moved.registered["web"]) == (4, 4)
    assert (moved.modified["api"], moved.registered["api"]) == (1, 1)


def test_each_check_is_dated_by_its_own_last_change() -> None:
    first, second = Check(id="1", name="1"), Check(id="2", name="2")
    old = snapshot(instance(checks=(first,)))
    new = apply(old, puts(instance(checks=(first, second))))
    newer = apply(new, puts(instance(checks=(first, replace(second, output="x")))))
    (found,) = newer.services["web"]
    assert [(c.created, c.modified) for c in found.checks] == [(1, 1), (2, 3)]
    assert (found.created, found.modified) == (1, 1)


def on(node: str, *checks: str, status: Status = Status.CRITICAL) -> PutNode:
    found = tuple(Check(id=id_, name=id_, status=status) for id_ in checks)
    return PutNode(Node(name=node, address="192.0.2.9", checks=found), told=bool(checks))


def with_checks(*ids: str, service: str = "web") -> Put:
    checks = tuple(Check(id=id_, name=id_) for id_ in ids)
    return Put(instance(service, service, owner="api", checks=checks), told=True)


# Each of these was recorded on Consul 1.8.7.


def test_a_check_told_again_moves_only_the_index_of_all_checks() -> None:
    before = apply(EMPTY, [with_checks("c"), on("n", "d")])
    after = apply(before, [with_checks("c")])
    assert (after.services, after.modified) == (before.services, before.modified)
    assert (after.index, after.checks_index) == (2, 2)
    again = apply(after, [on("n", "d")])
    assert (again.checks_index, again.modified, again.nodes_index) == (3, before.modified, 1)


def test_a_check_told_again_is_run_as_told_last() -> None:
    before = apply(EMPTY, [with_checks("c")])
    other = Check(id="c", name="c", type="tcp", definition="{}")
    after = apply(before, [Put(instance("web", "web", owner="api", checks=(other,)), told=True)])
    (check,) = after.services["web"][0].checks
    assert (check.type, check.definition, check.modified) == ("tcp", "{}", 1)


def test_a_check_of_a_node_that_goes_moves_every_service_there_and_all_services() -> None:
    before = apply(EMPTY, [Put(instance(node="n")), Put(instance("api", node="m")), on("n", "c")])
    after = apply(before, [on("n")])
    assert (after.services_index, after.checks_index, after.nodes_index) == (2, 2, 1)
    assert after.modified == {"web": 2, "api": 1}


def test_a_check_that_moves_keeps_its_date_and_moves_nothing_where_it_was() -> None:
    before = apply(EMPTY, [with_checks("c"), with_checks(service="db")])
    after = apply(before, [with_checks(), with_checks("c", service="db")])
    assert after.modified == {"web": 1, "db": 2}
    (check,) = after.services["db"][0].checks
    assert (check.created, check.modified) == (1, 2)


def test_a_check_that_moves_from_its_node_to_an_instance_leaves_all_services_alone() -> None:
    member = Put(instance(node="n", owner="api"))
    before = apply(EMPTY, [member, on("n", "c")])
    own = Put(instance(node="n", owner="api", checks=(Check(id="c", name="c"),)), told=True)
    after = apply(before, [on("n"), own])
    assert (after.services_index, after.checks_index) == (1, 2)
    assert after.services["web"][0].checks[0].created == 1


def test_what_only_takes_another_name_is_not_extinct() -> None:
    before = snapshot(instance("web", "a"), instance("api", "b"))
    renamed = apply(before, [Drop("web", InstanceId("a")), Put(instance("db", "a"))])
    assert (renamed.extinct_index, renamed.services_index) == (0, 2)
    gone = apply(renamed, [Drop("db", InstanceId("a"))])
    assert gone.extinct_index == 3


def test_a_check_shows_the_tags_its_instance_had_when_it_last_changed() -> None:
    check = Check(id="c", name="c")
    before = apply(EMPTY, puts(instance(tags=("a",), checks=(check,))))
    after = apply(before, puts(instance(tags=("b",), checks=(check,))))
    assert after.services["web"][0].checks[0].service_tags == ("a",)
    changed = apply(after, puts(instance(tags=("b",), checks=(replace(check, output="x"),))))
    assert changed.services["web"][0].checks[0].service_tags == ("b",)
