import pytest

from dnsd import edns

COOKIE = b"c" * 8


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (b"", edns.Asked()),
        (edns.option(edns.NSID), edns.Asked(nsid=True)),
        (edns.option(edns.COOKIE, COOKIE), edns.Asked(cookie=COOKIE)),
        (edns.option(edns.COOKIE, COOKIE * 5), edns.Asked(cookie=COOKIE * 5)),
        (edns.option(edns.KEEPALIVE), edns.Asked(keepalive=True)),
        (edns.option(edns.PADDING, b"\0" * 9), edns.Asked(padding=True)),
        (edns.option(65001, b"whatever"), edns.Asked()),
        (
            edns.option(edns.SUBNET, b"\0\1\x18\0\x0a\1\2"),
            edns.Asked(subnet=b"\0\1\x18\0\x0a\1\2"),
        ),
        (edns.option(edns.SUBNET, b"\0\1\0\0"), edns.Asked(subnet=b"\0\1\0\0")),
        (edns.option(edns.SUBNET, b"\0\1\x14\0\x0a\1\x20"), edns.Asked(subnet=b"\0\1\x14\0\n\1 ")),
        (
            edns.option(edns.COOKIE, COOKIE) + edns.option(edns.COOKIE, b"second") + b"\0\3\0\0",
            edns.Asked(nsid=True, cookie=COOKIE),
        ),
    ],
)
def test_options_say_what_the_client_wants(options: bytes, asked: edns.Asked) -> None:
    assert edns.read(options) == asked


@pytest.mark.parametrize("length", [0, 1, 7, 9, 15, 41])
def test_a_cookie_of_another_length_is_malformed(length: int) -> None:
    with pytest.raises(edns.BadOption, match="cookie_length"):
        edns.read(edns.option(edns.COOKIE, b"c" * length))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\1\x18",
        b"\0\3\0\0",
        b"\0\1\x18\1\1\2\3",
        b"\0\1\x21\0\1\2\3\4\5",
        b"\0\1\x18\0\1",
        b"\0\1\x14\0\x0a\1\x2f",
    ],
)
def test_a_subnet_that_is_none_is_malformed(data: bytes) -> None:
    with pytest.raises(edns.BadOption, match="subnet"):
        edns.read(edns.option(edns.SUBNET, data))


def test_replies_carry_options_in_their_rfcs_form() -> None:
    assert edns.nsid("n1") == b"\0\3\0\2n1"
    assert edns.nsid("") == b""
    assert edns.extended_error(20, "why") == b"\0\x0f\0\5\0\x14why"
    assert edns.keepalive(10.0) == b"\0\x0b\0\2\0\x64"
    assert edns.keepalive(1e9) == b"\0\x0b\0\2\xff\xff"
    assert edns.subnet(b"\0\1\x18\x07\x0a\1\2") == b"\0\x08\0\7\0\1\x18\0\x0a\1\2"


@pytest.mark.parametrize(("size", "limit", "whole"), [(100, 65535, 468), (464, 65535, 468)])
@pytest.mark.parametrize("more", [0, 1])
def test_padding_fills_the_block(size: int, limit: int, whole: int, more: int) -> None:
    padded = size + more + len(edns.padding(size + more, limit))
    assert padded == (whole if size + more <= 464 else 2 * whole)


def test_padding_stays_within_the_limit() -> None:
    assert len(edns.padding(500, 600)) == 100
    assert edns.padding(500, 503) == b""
