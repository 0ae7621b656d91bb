"""Keys and values of entries, byte for byte what Registrator writes, and marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog.model import Instance, InstanceId, Key
from sidecar.stores.etcd.address import address_of
from sidecar.stores.etcd.entries import (
    Found,
    Layout,
    Unreadable,
    is_nodes,
    layout_of,
    mark_of,
    owner_in,
)

PLAIN = Layout("/services/")
SKYDNS = Layout("/skydns/local/cluster/", is_skydns=True)
ID = "vm:web:80"
WEB = Key("web", "vm", InstanceId(ID))


def instance(address: str = "10.9.8.7", port: int = 21001) -> Instance:
    return Instance(id=InstanceId(ID), service="web", node="vm", address=address, port=port)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("etcd2://a/services", "/services/web/vm:web:80"),
        ("skydns2://a/cluster.local", "/skydns/local/cluster/web/vm:web:80"),
    ],
)
def test_a_blank_is_a_plus_where_registrators_keys_are_wanted(url: str, key: str) -> None:
    entry = Key("my web", "vm", InstanceId("a b"))
    where = key.removesuffix("web/vm:web:80")
    assert layout_of(address_of(url, {})).key(entry) == f"{where}my web/a b"
    exact = layout_of(address_of(url, {}), is_original=True)
    assert exact.key(entry) == f"{where}my+web/a+b"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("etcd://a/services", "/services/web/vm:web:80"),
        ("etcd://a/deep/er/", "/deep/er/web/vm:web:80"),
        ("etcd://a", "/web/vm:web:80"),
        ("etcd2://a/services", "/services/web/vm:web:80"),
        ("skydns2://a/cluster.local", "/skydns/local/cluster/web/vm:web:80"),
        ("skydns2://a/consul.", "/skydns/consul/web/vm:web:80"),
    ],
)
def test_an_entry_stands_where_registrator_puts_it(url: str, key: str) -> None:
    assert layout_of(address_of(url, {})).key(WEB) == key


def test_a_value_is_address_and_port_with_ipv6_in_brackets() -> None:
    assert PLAIN.value(instance()) == b"10.9.8.7:21001"
    assert PLAIN.value(instance("2001:db8::7")) == b"[2001:db8::7]:21001"
    assert PLAIN.value(instance("")) == b":21001"


def test_skydns_gets_json_without_blanks() -> None:
    assert SKYDNS.value(instance()) == b'{"host":"10.9.8.7","port":21001}'
    assert SKYDNS.value(instance("2001:db8::7")) == b'{"host":"2001:db8::7","port":21001}'


@pytest.mark.parametrize("name", ["", ".", "..", "a/../b", "/a", "a/", "a//b", "a\nb", "a\x00"])
def test_a_name_that_would_leave_its_place_makes_no_key(name: str) -> None:
    for entry in (Key(name, "vm", InstanceId("x")), Key("x", "vm", InstanceId(name))):
        with pytest.raises(Unreadable, match="cannot be part of a key"):
            PLAIN.key(entry)


def test_an_entry_of_any_host_is_read() -> None:
    key = "/services/web/vm-2:web:80:udp"
    assert PLAIN.found(key, b"[2001:db8::7]:53") == Found("web", key[14:], "2001:db8::7", 53)
    found = SKYDNS.found("/skydns/local/cluster/web/x", b'{"host":"10.0.0.1","port":80,"ttl":9}')
    assert found == Found("web", "x", "10.0.0.1", 80)
    assert PLAIN.found("/services/a/b/c", b"10.0.0.1:1").service == "a/b"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("/services/web", b"10.0.0.1:80", "no service and id"),
        ("/services/web/", b"10.0.0.1:80", "no service and id"),
        ("/services//x", b"10.0.0.1:80", "no service and id"),
        ("/other/web/x", b"10.0.0.1:80", "no service and id"),
        ("/services/web/x\ny", b"10.0.0.1:80", "control"),
        ("/services/web/x", b"", "not address:port"),
        ("/services/web/x", b"\xff\xfe", "not address:port"),
        ("/services/web/x", b"10.0.0.1:http", "not address:port"),
        ("/services/web/x", "10.0.0.1:٣".encode(), "not address:port"),
        ("/services/web/x", b"10.0.0.1:80\n", "not address:port"),
        ("/services/web/x", b"2001:db8::7:80", "without brackets"),
        ("/services/web/x", b"example.org:80", "no address"),
        ("/services/web/x", b":80", "no address"),
        ("/services/web/x", b"10.0.0.1:0", "no port"),
        ("/services/web/x", b"10.0.0.1:65536", "no port"),
    ],
)
def test_what_is_no_entry_is_told_with_its_reason(key: str, value: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        PLAIN.found(key, value)


@pytest.mark.parametrize(
    "value", [b"{", b"[]", b"{}", b'{"host":1,"port":1}', b'{"host":"10.0.0.1","port":true}']
)
def test_what_is_no_record_of_skydns_is_unreadable(value: bytes) -> None:
    with pytest.raises(Unreadable):
        SKYDNS.found("/skydns/local/cluster/web/x", value)


@pytest.mark.parametrize(
    ("id_", "address", "node"),
    [
        ("vm:web:80", "10.0.0.1", "vm"),
        ("vm:web:53:udp", "10.0.0.1", "vm"),
        ("web", "10.0.0.1", "ip-10-0-0-1"),
        ("web", "2001:db8::7", "ip-2001-db8-7"),
        ("vm:web:tcp", "10.0.0.1", "ip-10-0-0-1"),
    ],
)
def test_the_node_is_the_host_in_the_id_or_named_by_the_address(
    id_: str, address: str, node: str
) -> None:
    assert Found("web", id_, address, 80).instance().node == node


def test_only_usual_ids_of_the_node_itself_are_its_own() -> None:
    assert is_nodes("vm:web:80", "vm")
    assert is_nodes("vm:web:53:udp", "vm")
    for other in ("vm-2:web:80", "web", "vm:x/y:80", "vm:web:tcp", "xvm:web:80"):
        assert not is_nodes(other, "vm")


def test_a_mark_names_owner_service_and_id() -> None:
    assert owner_in(mark_of(WEB, "registrar:é\n")) == ("registrar:é\n", "web", ID)
    for none in (b"", b"{", b"[]", b'{"owner":1,"service":"","id":""}', b"\xff", b"[" * 9_999):
        assert owner_in(none) == ("", "", "")


names = st.text(min_size=1).filter(
    lambda n: n.isprintable() and not {"", ".", ".."} & {*n.split("/")}
)


@given(names.filter(lambda n: "/" not in n), names, st.ip_addresses(), st.integers(1, 65535))
def test_what_is_written_is_read_again(id_: str, service: str, ip: object, port: int) -> None:
    written = Instance(id=InstanceId(id_), service=service, node="vm", address=str(ip), port=port)
    for layout in (PLAIN, SKYDNS, Layout("/")):
        key = layout.key(Key(service, "vm", written.id))
        assert layout.found(key, layout.value(written)) == Found(service, id_, str(ip), port)


@given(st.text(), st.binary())
def test_any_key_and_value_are_an_entry_or_unreadable(key: str, value: bytes) -> None:
    for layout in (PLAIN, SKYDNS):
        for each in (key, layout.root + key):
            try:
                found = layout.found(each, value)
            except Unreadable:
                continue
            assert found.service
            assert found.id
