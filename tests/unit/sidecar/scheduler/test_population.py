"""Copies of a simulated cluster: what did not change is handed out as it was."""

from sidecar.scheduler.cluster import Copy, Goal, Stage
from sidecar.scheduler.model import NANO, ContainerView, NodeView, Request, Resources
from sidecar.scheduler.population import Population
from sidecar.scheduler.simulation import Simulation

NODES = [NodeView(name=f"n{number}", capacity=Resources(8 * NANO)) for number in range(4)]


def _filled() -> Population:
    found = Population()
    for service, name, node in (("s", "s1", "n1"), ("s", "s2", "n2"), ("t", "t1", "n1")):
        copy = Copy(name=name, node=node, slot="1", spec="a", incarnation=1)
        found.add(service, copy, ContainerView(name=name))
    return found


def test_services_are_told_anew_only_when_a_copy_of_them_changed() -> None:
    found = _filled()
    before = found.copies()
    found.change("s2", is_draining=True)
    after = found.copies()
    assert after["t"] is before["t"]
    assert [each.is_draining for each in after["s"]] == [False, True]
    assert [each.is_draining for each in before["s"]] == [False, False]
    assert found.copies()["s"] is after["s"]


def test_nodes_are_told_once_when_what_they_hold_changed() -> None:
    found = _filled()
    assert {node: len(held) for node, held in found.moved()} == {"n1": 2, "n2": 1}
    found.change("s1", share=None)
    assert dict(found.moved()) == {}, "an engine knows nothing of that"
    found.change("s1", stage=Stage.EXITED)
    ((node, held),) = found.moved()
    assert (node, [each.is_over for each in held]) == ("n1", [True, False])
    assert [each.name for each in found.on("n1")] == ["s1", "t1"]


def test_what_is_removed_is_told_no_more() -> None:
    found = _filled()
    assert set(found.copies()) == {"s", "t"}
    found.remove("t1")
    found.remove("t1")
    found.change("t1", is_draining=True)
    assert found.copy("t1") is None
    assert set(found.copies()) == {"s"}
    assert list(found.on("n3")) == []


def test_what_others_run_on_a_simulated_node_takes_its_room() -> None:
    full = ContainerView(name="db", resources=Resources(8 * NANO))
    nodes = [
        NodeView(name=each.name, capacity=each.capacity, containers=(full,)) for each in NODES[:3]
    ]
    request = Request(service="s", slot="1", resources=Resources(NANO))
    world = Simulation([*nodes, NODES[3]], [Goal(service="s", spec="a", slots={"1": request})])
    world.until_quiet()
    assert [each.node for each in world.copies["s"]] == ["n3"]
