from dataclasses import replace

from sidecar.catalog.model import Instance, InstanceId, Origin, key_of
from sidecar.stores.zookeeper.codec import encoded
from sidecar.stores.zookeeper.layout import Layout, Node
from tests.support.catalog import instance

PLAIN = ("dns", "192.0.2.1:53")
TWIN = ("dns", "192.0.2.1:53:udp")
TCP = instance("dns", "dns-tcp", port=53, origin=Origin("c", "c", 53, "tcp"))
UDP = instance("dns", "dns-udp", port=53, tags=("udp",), origin=Origin("c", "c", 53, "udp"))
NEWER = replace(TCP, id=InstanceId("dns-new"), tags=("new",))


def node(each: Instance) -> Node:
    return Node(key_of(each), encoded(each))


def test_udp_alone_has_the_plain_name_as_in_registrator() -> None:
    assert Layout({key_of(UDP): UDP}).nodes() == {PLAIN: node(UDP)}


def test_beside_its_tcp_twin_udp_gets_a_suffix_whoever_came_first() -> None:
    for pair in ((TCP, UDP), (UDP, TCP)):
        layout = Layout({key_of(each): each for each in pair})
        assert layout.nodes() == {PLAIN: node(TCP), TWIN: node(UDP)}


def test_udp_moves_back_when_tcp_goes() -> None:
    layout = Layout({key_of(each): each for each in (TCP, UDP)})
    assert layout.change({key_of(TCP): None}) == {PLAIN}
    assert layout.targets([PLAIN], made={PLAIN, TWIN}) == {PLAIN: node(UDP), TWIN: None}
    assert layout.targets([PLAIN], made={PLAIN}) == {PLAIN: node(UDP)}


def test_of_two_containers_of_one_port_the_one_written_last_stands_there() -> None:
    layout = Layout({key_of(TCP): TCP})
    layout.change({key_of(NEWER): NEWER})
    assert layout.nodes() == {PLAIN: node(NEWER)}
    layout.change({key_of(TCP): TCP})  # the same again: not written later
    assert layout.nodes() == {PLAIN: node(NEWER)}
    layout.change({key_of(NEWER): None})
    assert layout.nodes() == {PLAIN: node(TCP)}


def test_a_late_removal_of_the_older_one_leaves_the_newer() -> None:
    layout = Layout({key_of(TCP): TCP, key_of(NEWER): NEWER})
    layout.change({key_of(TCP): None})
    assert layout.nodes() == {PLAIN: node(NEWER)}


def test_a_moved_instance_leaves_its_old_place() -> None:
    layout = Layout({key_of(TCP): TCP})
    moved = replace(TCP, port=54)
    assert layout.change({key_of(TCP): moved}) == {PLAIN, ("dns", "192.0.2.1:54")}
    assert layout.targets([PLAIN]) == {PLAIN: None}
    assert layout.nodes() == {("dns", "192.0.2.1:54"): node(moved)}


def test_a_draining_instance_stands_nowhere() -> None:
    layout = Layout({key_of(TCP): TCP})
    assert not layout.is_empty("dns")
    assert layout.change({key_of(TCP): replace(TCP, draining=True)}) == {PLAIN}
    assert layout.nodes() == {}
    assert layout.is_empty("dns")


def test_removing_what_is_not_there_touches_nothing() -> None:
    assert Layout().change({key_of(TCP): None}) == frozenset()
