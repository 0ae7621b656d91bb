"""A cluster with what was begun and is not seen yet, and where making failed of late."""

from sidecar.scheduler.actions import Alarm, Create, Drain, Fence, Stop
from sidecar.scheduler.cluster import Cluster, Copy, Stage
from sidecar.scheduler.failing import Failing
from sidecar.scheduler.fencing import Fencing
from sidecar.scheduler.model import NodeView, Placement, Port, Request
from sidecar.scheduler.underway import key_of_slot, with_under_way, without

REQUEST = Request(service="web", stack="shop", slot="1", ports=(Port(80),))
CREATE = Create("shop/web", "1", "abc", 2, Placement(REQUEST, "n1"))
COPY = Copy(name="a", node="n1", slot="1", spec="abc", incarnation=2, id="c1")


def cluster(*copies: Copy) -> Cluster:
    return Cluster((NodeView(name="n1"),), {"shop/web": copies} if copies else {})


def test_what_is_being_made_counts_for_its_slot_and_for_ports() -> None:
    found = with_under_way(cluster(), [CREATE], drained=(), now=5.0)
    (copy,) = found.copies["shop/web"]
    assert (copy.stage, copy.id, copy.since) == (Stage.CREATED, "", 5.0)
    assert found.nodes[0].containers[0].ports == (Port(80),)


def test_what_is_seen_already_is_counted_once() -> None:
    found = with_under_way(cluster(COPY), [CREATE], drained=(), now=5.0)
    assert found.copies["shop/web"] == (COPY,)
    gone = Create("shop/web", "1", "abc", 2, Placement(REQUEST, "gone"))
    assert with_under_way(cluster(), [gone], drained=(), now=5.0).copies == {}


def test_what_drains_is_marked_until_it_is_done() -> None:
    (copy,) = with_under_way(cluster(COPY), [Drain("shop/web", COPY)], drained=(), now=0.0).copies[
        "shop/web"
    ]
    assert (copy.is_draining, copy.is_drained) == (True, False)
    (copy,) = with_under_way(cluster(COPY), [], drained={"c1"}, now=0.0).copies["shop/web"]
    assert (copy.is_draining, copy.is_drained) == (True, True)


def test_one_thing_at_a_time_is_done_to_a_slot() -> None:
    stop = Stop("shop/web", COPY)
    assert key_of_slot(CREATE) == key_of_slot(stop) == "shop/web/1/2"
    assert key_of_slot(Fence("n1", Fencing.SELF)) == "fence/n1/self"
    assert key_of_slot(Alarm("help")) == ""


def test_requests_avoid_nodes_too() -> None:
    found = without({"1": REQUEST}, frozenset({"n2"}))
    assert found["1"].avoid == {"n2"}


def test_a_node_where_making_failed_is_left_alone_for_longer_each_time() -> None:
    failing = Failing().failed("web", "a", "n1", 0.0)
    assert failing.nodes("web", "a", 4.9) == {"n1"}
    assert failing.nodes("web", "a", 5.0) == frozenset()
    assert failing.nodes("web", "b", 0.0) == frozenset()
    failing = failing.failed("web", "a", "n1", 5.0)
    assert failing.nodes("web", "a", 14.9) == {"n1"}
    for _ in range(20):
        failing = failing.failed("web", "a", "n1", 100.0)
    assert failing.look_again(100.0) == 400.0
    assert failing.look_again(400.0) is None


def test_what_worked_is_forgotten() -> None:
    failing = Failing().failed("web", "a", "n1", 0.0)
    assert failing.worked("web", "a", "n2") is failing
    assert failing.worked("web", "a", "n1").nodes("web", "a", 0.0) == frozenset()
