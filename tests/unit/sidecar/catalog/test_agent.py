"""What an agent's operations make of a snapshot."""

from dataclasses import replace
from typing import Any

import pytest

from sidecar.catalog import Check, Instance, Node, Put, PutNode, Snapshot, Status, apply
from sidecar.catalog.agent import NODE_MAINTENANCE, Agent, LocalNode, Plan, maintenance_id
from sidecar.catalog.entries import Locals
from sidecar.catalog.model import EMPTY
from sidecar.errors import ApiError
from tests.support.catalog import instance

LOCAL = LocalNode(name="node-1", address="192.0.2.7")


class Holder:
    """Carries plans out on a snapshot of its own."""

    def __init__(self, *instances: Instance) -> None:
        self.snapshot: Snapshot = apply(EMPTY, [Put(each) for each in instances])
        self.locals = Locals("node-1")

    @property
    def agent(self) -> Agent:
        return Agent(self.snapshot, self.locals.of(self.snapshot), LOCAL)

    def do(self, plan: Plan) -> Plan:
        self.snapshot = apply(self.snapshot, plan.changes)
        return plan

    def one(self, id_: str = "web-1") -> Instance:
        return self.agent.instances[id_]


def check(id_: str = "c", **fields: Any) -> Check:
    return Check(**({"id": id_, "name": id_, "definition": "{}"} | fields))


def test_a_service_registered_again_keeps_checks_and_what_they_said() -> None:
    holder = Holder()
    plan = holder.do(
        holder.agent.register(instance(), [check("a"), check("b")], replace_checks=False)
    )
    assert [each.id for each in plan.start] == ["a", "b"]
    holder.do(holder.agent.set_check("a", Status.PASSING, "fine"))
    plan = holder.do(holder.agent.register(instance(port=1), [check("a")], replace_checks=False))
    assert [(c.id, c.status, c.output) for c in holder.one().checks] == [
        ("a", "passing", "fine"),
        ("b", "critical", ""),
    ]
    assert (holder.one().port, plan.stop) == (1, ())


def test_replacing_checks_stops_those_not_named_and_ends_maintenance() -> None:
    holder = Holder()
    holder.do(holder.agent.register(instance(), [check("a"), check("b")], replace_checks=False))
    holder.do(holder.agent.service_maintenance("web-1", "", enable=True))
    plan = holder.do(holder.agent.register(instance(), [check("b")], replace_checks=True))
    holder.do(Plan(plan.later))
    assert [c.id for c in holder.one().checks] == ["b"]  # as Consul 1.8.7
    assert (plan.stop, holder.one().draining) == (("a", maintenance_id("web-1")), False)


def test_an_id_that_moves_to_another_service_leaves_the_old_one() -> None:
    holder = Holder(instance("web", "x"))
    holder.do(holder.agent.register(instance("api", "x"), [], replace_checks=False))
    assert list(holder.snapshot.services) == ["api"]


def test_deregistering_stops_checks_and_nothing_for_the_unknown() -> None:
    holder = Holder(instance(checks=(check("a"),)))
    assert holder.do(holder.agent.deregister("nope")) == Plan()
    assert holder.do(holder.agent.deregister("web-1")).stop == ("a",)
    assert holder.snapshot.services == {}


def test_maintenance_drains_and_leaves_the_status_to_the_checks() -> None:
    holder = Holder(instance())
    holder.do(holder.agent.service_maintenance("web-1", "moving", enable=True))
    one = holder.one()
    assert (one.draining, one.status, one.checks[0].notes) == (True, Status.PASSING, "moving")
    assert holder.agent.service_maintenance("web-1", "again", enable=True) == Plan()
    holder.do(holder.agent.service_maintenance("web-1", "", enable=False))
    assert (holder.one().draining, holder.one().checks) == (False, ())
    with pytest.raises(ApiError, match='No service registered with ID "x"'):
        holder.agent.service_maintenance("x", "", enable=True)


def test_removing_the_maintenance_check_ends_the_drain() -> None:
    holder = Holder(instance())
    holder.do(holder.agent.service_maintenance("web-1", "", enable=True))
    holder.do(holder.agent.deregister_check(maintenance_id("web-1")))
    assert not holder.one().draining


def test_maintenance_of_the_node_makes_all_its_instances_critical_and_back() -> None:
    other = instance(id_="there", node="node-2")
    holder = Holder(instance(), other)
    holder.do(holder.agent.node_maintenance("", enable=True))
    assert holder.one().status is Status.CRITICAL
    assert holder.snapshot.services["web"][1].status is Status.PASSING
    assert holder.agent.node_maintenance("", enable=True) == Plan()
    holder.do(holder.agent.node_maintenance("", enable=False))
    assert holder.one().status is Status.PASSING
    assert holder.agent.node_maintenance("", enable=False) == Plan()
    assert holder.agent.find_check(NODE_MAINTENANCE) is None


def test_status_is_the_worst_of_own_checks_and_the_nodes() -> None:
    holder = Holder(instance(checks=(check("own", status=Status.WARNING),)))
    holder.do(holder.agent.register_check(check("disk", status=Status.PASSING), ""))
    assert holder.one().status is Status.WARNING
    holder.do(holder.agent.set_check("disk", Status.CRITICAL, "full"))
    assert holder.one().status is Status.CRITICAL
    assert holder.do(holder.agent.deregister_check("disk")).stop == ("disk",)
    assert holder.one().status is Status.WARNING


def test_a_check_id_tests_one_thing_at_a_time() -> None:
    holder = Holder(instance(), instance("api", "api-1"))
    for target in ("web-1", "api-1", "", "web-1"):
        holder.do(holder.agent.register_check(check("c"), target))
        found = holder.agent.find_check("c")
        assert found is not None
        assert (found[0].id if found[0] else "") == target
        held = [c for i in holder.agent.instances.values() for c in i.checks]
        assert len([*held, *holder.agent.node.checks]) == 1


def test_a_check_registered_again_keeps_what_it_said_wherever_it_goes() -> None:
    holder = Holder(instance())
    holder.do(holder.agent.register_check(check("c"), "web-1"))
    holder.do(holder.agent.set_check("c", Status.PASSING, "x"))
    holder.do(holder.agent.register_check(check("c", notes="new"), "web-1"))
    assert (holder.one().checks[0].status, holder.one().checks[0].output) == (Status.PASSING, "x")
    holder.do(holder.agent.register_check(check("c"), ""))
    assert holder.agent.node.checks[0].status is Status.PASSING


def test_what_is_unknown_changes_nothing() -> None:
    agent = Holder(instance()).agent
    assert agent.set_check("nope", Status.PASSING, "") == Plan()
    assert agent.deregister_check("nope") == Plan()
    with pytest.raises(ApiError, match='ServiceID "nope" does not exist') as caught:
        agent.register_check(check(), "nope")
    assert caught.value.status == 500


def test_the_nodes_own_entry_is_kept_when_it_gets_checks() -> None:
    holder = Holder(instance())
    node = Node(name="node-1", address="192.0.2.9", meta={"rack": "1"})
    holder.snapshot = apply(holder.snapshot, [PutNode(node)])
    holder.do(holder.agent.register_check(check("disk"), ""))
    assert replace(holder.agent.node, checks=()) == node


def test_locals_follow_every_change() -> None:
    locals_ = Locals("node-1")
    one = apply(
        EMPTY, [Put(instance()), Put(instance("api", "a")), Put(instance(id_="x", node="n"))]
    )
    assert sorted(locals_.of(one)) == ["a", "web-1"]
    assert locals_.of(one) is locals_.of(one)
    holder = Holder()
    holder.snapshot = one
    holder.do(holder.agent.register(instance("api", "web-1"), [], replace_checks=False))
    assert {k: i.service for k, i in locals_.of(holder.snapshot).items()} == {
        "a": "api",
        "web-1": "api",
    }
    assert locals_.of(EMPTY) == {}
