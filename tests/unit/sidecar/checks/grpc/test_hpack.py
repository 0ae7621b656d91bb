import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.checks.grpc.hpack import Decoder, Header, encoded
from sidecar.errors import ProtocolError

HEADERS = st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=300)), max_size=10)


@given(HEADERS)
def test_what_is_written_is_read(headers: list[Header]) -> None:
    assert Decoder(1 << 20).headers(encoded(headers)) == headers


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_garbage_is_read_or_refused(blocks: list[bytes]) -> None:
    decoder = Decoder(4096)
    try:
        for block in blocks:
            decoder.headers(block)
    except ProtocolError:
        pass


def test_the_examples_of_the_standard_are_read() -> None:  # RFC 7541 C.6
    decoder = Decoder(4096)
    first = decoder.headers(
        bytes.fromhex(
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff"
            "6e919d29ad171863c78f0b97c8e9ae82ae43d3"
        )
    )
    assert first == [
        (b":status", b"302"),
        (b"cache-control", b"private"),
        (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        (b"location", b"https://www.example.com"),
    ]
    second = decoder.headers(bytes.fromhex("4883640effc1c0bf"))
    assert second == [(b":status", b"307"), *first[1:]]


def test_a_literal_may_take_its_name_from_a_table() -> None:
    assert Decoder(4096).headers(b"\x08\x03201") == [(b":status", b"201")]
    assert Decoder(4096).headers(b"\x0f\x10\x01a") == [(b"content-type", b"a")]


def test_a_table_drops_what_is_oldest() -> None:
    decoder = Decoder(1 << 20)
    decoder.headers(b"\x40\x01a\x01b")
    assert decoder.headers(b"\xbe") == [(b"a", b"b")]
    decoder.headers(b"\x40\x01c\x7f\xe1\x1e" + bytes(4064))  # 4,064 + 1 + 32: larger than all
    with pytest.raises(ProtocolError, match="no header"):
        decoder.headers(b"\xbe")


def test_a_table_may_be_made_smaller_and_empty() -> None:
    decoder = Decoder(4096)
    decoder.headers(b"\x40\x01a\x01b")
    assert decoder.headers(b"\x20") == []
    with pytest.raises(ProtocolError, match="no header"):
        decoder.headers(b"\xbe")


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (b"\x80", "no header"),
        (b"\xbe", "no header"),
        (b"\x3f\xe2\x1f", "table larger"),
        (b"\x00\x05a", "too soon"),
        (b"\x00", "too soon"),
        (b"\xff", "too soon"),
        (b"\xff\xff\xff\xff\xff\x7f", "too large"),
        (b"\xff\x80\x80\x80\x80\x80\x80", "too large"),
        (encoded([(b"a", b"b" * 4096)]), "more headers"),
    ],
)
def test_what_cannot_be_is_refused(block: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        Decoder(4096).headers(block)
