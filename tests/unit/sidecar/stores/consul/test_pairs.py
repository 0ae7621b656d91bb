import base64

import msgspec
import pytest

from sidecar.catalog.kv import Entry
from sidecar.catalog.model import Instance, InstanceId
from sidecar.stores.consul.pairs import (
    Pair,
    Place,
    entry_of,
    key_of_place,
    parsed_key,
    parsed_value,
    unfit,
    value_of,
)


def instance(address: str) -> Instance:
    return Instance(id=InstanceId("i"), service="s", node="n", address=address, port=80)


@pytest.mark.parametrize(
    ("address", "value"),
    [("192.0.2.1", b"192.0.2.1:80"), ("2001:db8::1", b"[2001:db8::1]:80")],
)
def test_values_are_registrators_and_come_back(address: str, value: bytes) -> None:
    assert value_of(instance(address)) == value
    assert parsed_value(value) == (address, 80)


@pytest.mark.parametrize("value", [b"", b"web", b"web:", b":80", b"web:x", b"web:70000", b"\xff:x"])
def test_what_is_no_address_is_none(value: bytes) -> None:
    assert parsed_value(value) is None


def test_keys_are_registrators_and_come_back() -> None:
    key = key_of_place("a/b", "web", "vm:web/1:80")
    assert key == "a/b/web/vm:web/1:80"
    assert parsed_key("a/b", key) == Place("web", InstanceId("vm:web/1:80"))


@pytest.mark.parametrize(
    ("service", "id_"), [("team/web", "vm:web:80"), ("a/b/c", "vm:web:53:udp"), ("web", "my/own")]
)
def test_a_name_may_be_a_path_as_with_registrator(service: str, id_: str) -> None:
    assert unfit(service, id_) == ""
    assert parsed_key("p", key_of_place("p", service, id_)) == Place(service, InstanceId(id_))


@pytest.mark.parametrize(
    ("service", "id_"),
    [("", "i"), ("a/", "i"), ("a//b", "i"), ("..", "i"), ("a", "../i"), ("a", "")],
)
def test_what_consul_would_make_another_path_of_is_refused(service: str, id_: str) -> None:
    assert unfit(service, id_) == "name and id do not make a path"


@pytest.mark.parametrize(
    "key", ["a/b", "a/b/c//vm:web:80", "a/b/", "a/b/web", "a/b/web/", "a/bc/web/i", "a/b//i"]
)
def test_what_is_no_entry_is_none(key: str) -> None:
    assert parsed_key("a/b", key) is None


def test_a_pair_is_an_entry() -> None:
    text = (
        '{"Key":"k","Value":"%s","Flags":18446744073709551615,"LockIndex":1,"Session":"s",'
        '"CreateIndex":3,"ModifyIndex":4}'
    )
    pair = msgspec.json.decode(text % base64.b64encode(b"\xffv").decode(), type=Pair)
    assert entry_of(pair) == Entry(
        key="k",
        value=b"\xffv",
        flags=2**64 - 1,
        lock_index=1,
        session="s",
        create_index=3,
        modify_index=4,
    )
    assert Pair(key="k").data == b""
