from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog import (
    EMPTY,
    Change,
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


def test_a_service_without_instances_disappears_but_its_index_moves_up() -> None:
    before = snapshot(instance("web", "a"), instance("api", "b"))
    after = apply(before, [Drop("web", InstanceId("a"))])
    assert "web" not in after.services
    assert after.modified == {"web": 2, "api": 1}


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
    assert diff(old, new) == (Drop("web", InstanceId("a")), Put(moved))


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
        ids = [member.id for member in members]
        assert ids
        assert ids == sorted(set(ids))
