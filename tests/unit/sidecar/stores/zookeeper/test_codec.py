import json

import pytest

from sidecar.catalog.model import Instance, Origin
from sidecar.stores.zookeeper.codec import decoded, encoded, place, unfit
from tests.support.catalog import instance

HTTPS = instance(
    "https",
    address="10.9.8.7",
    port=21004,
    tags=("www",),
    meta={"sni": "enabled"},
    origin=Origin("99659e4b4ee3f00d", "99659e4b4ee3", 443),
)


def test_an_entry_is_what_registrator_writes() -> None:
    # Recorded from gliderlabs/registrator v7.4.0 on ZooKeeper 3.8.0.
    assert encoded(HTTPS) == (
        b'{"Name":"https","IP":"10.9.8.7","PublicPort":21004,"PrivatePort":443,'
        b'"ContainerID":"99659e4b4ee3","Tags":["www"],"Attrs":{"sni":"enabled"}}'
    )
    assert place(HTTPS) == ("https", "10.9.8.7:21004")
    assert unfit(HTTPS) is None


def test_without_tags_attributes_and_container_the_keys_stay() -> None:
    assert encoded(instance("web", address="192.0.2.1", port=80)) == (
        b'{"Name":"web","IP":"192.0.2.1","PublicPort":80,"PrivatePort":80,'
        b'"ContainerID":"","Tags":[],"Attrs":{}}'
    )


def test_attributes_are_sorted_and_escaped_as_go_does() -> None:
    text = encoded(instance(meta={"b": "<&>", "a": "größe \u2028"}, tags=('"\\\n', "\ud800")))
    assert text.endswith(
        '"Tags":["\\"\\\\\\n","?"],'
        '"Attrs":{"a":"größe \\u2028","b":"\\u003c\\u0026\\u003e"}}'.encode()
    )


def test_an_ipv6_address_is_in_brackets_only_in_the_path() -> None:
    six = instance(address="2001:db8::7", port=80)
    assert place(six) == ("web", "[2001:db8::7]:80")
    assert json.loads(encoded(six))["IP"] == "2001:db8::7"
    assert place(six, is_original=True) == ("web", "2001:db8::7:80"), "as Registrator does"


@pytest.mark.parametrize(
    "odd",
    [
        instance("a/b"),
        instance(".."),
        instance(""),
        instance("a\x00b"),
        instance(address="../x"),
        instance(meta={"big": "x" * 1_000_001}),
    ],
    ids=["slash", "dots", "empty", "nul", "address", "large"],
)
def test_what_zookeeper_would_choke_on_is_refused(odd: Instance) -> None:
    assert unfit(odd)


def test_a_reader_gets_back_what_can_be_told() -> None:
    back = decoded("https", "10.9.8.7:21004", encoded(HTTPS))
    assert (back.service, back.address, back.port) == ("https", "10.9.8.7", 21004)
    assert (back.tags, back.meta) == (("www",), {"sni": "enabled"})
    assert (back.node, back.id) == ("10.9.8.7", "https:10.9.8.7:21004")
    assert back.takes_new_work


def test_go_writes_null_for_no_tags_and_no_attributes() -> None:
    back = decoded("a", "b", b'{"IP":"::1","PublicPort":1,"Tags":null,"Attrs":null}')
    assert (back.tags, back.meta, back.tags_given) == ((), {}, False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"1",
        b"{}",
        b"[" * 100_000,
        b'{"IP":"192.0.2.1"}',
        b'{"IP":"192.0.2.1","PublicPort":true}',
        b'{"IP":"192.0.2.1","PublicPort":"80"}',
        b'{"IP":"192.0.2.1","PublicPort":0}',
        b'{"IP":"192.0.2.1","PublicPort":65536}',
        b'{"IP":"example.org","PublicPort":80}',
        b'{"IP":"192.0.2.1\\n","PublicPort":80}',
        b'{"IP":"192.0.2.1","PublicPort":80,"Tags":"a"}',
        b'{"IP":"192.0.2.1","PublicPort":80,"Tags":[1]}',
        b'{"IP":"192.0.2.1","PublicPort":80,"Attrs":[1]}',
        b'{"IP":"192.0.2.1","PublicPort":80,"Attrs":{"a":null}}',
    ],
    ids=lambda data: repr(data[:60]),
)
def test_garbage_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any kind
        decoded("web", "x", data)
