"""What each type of value admits."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templater.names import Address, Host, Port, SocketAddress, Weight, Wildcard, shown

UNSAFE = set("\x7f\x85\u2028\u2029 \t\r\n\"'#\\;{}") | {chr(code) for code in range(32)}
ANYTHING = st.text() | st.text(alphabet="a.*-_:%[]1f \n\"'#\\\u212a\x85")


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("web.localhost", "web.localhost"),
        ("WEB.Example.org.", "web.example.org"),
        ("my_app.localhost", "my_app.localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("a" * 63 + ".b", "a" * 63 + ".b"),
    ],
)
def test_host_names_are_taken_in_lower_case(text: str, host: str) -> None:
    assert Host(text) == host


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a..b", "-a", "a-", "a b", "a\nb", "a\x00", "a\u2028", "\u212a.localhost",
     "münchen", "a" * 64,
     ".".join(["a" * 60] * 5), "*.a", "a/b", "../../etc", 'a"b', "a#b", "a\\b", "[::1]"],
)  # fmt: skip
def test_what_is_no_host_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        Host(text)


def test_wildcard_keeps_the_suffix() -> None:
    assert Wildcard("*.Example.org") == ".example.org"


@pytest.mark.parametrize("text", ["example.org", "*", "*.", "*example.org", "a.*.org", "*.*.org"])
def test_what_is_no_wildcard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        Wildcard(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_addresses_have_one_text(text: str, address: str) -> None:
    assert Address(text) == address


@pytest.mark.parametrize(
    "text", ["", "example.org", "192.0.2", "0300.1.1.1", "fe80::1%eth0", "fe80::1%a\nb", "١.1.1.1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address"):
        Address(text)


@pytest.mark.parametrize(
    ("text", "is_endpoint"),
    [("192.0.2.1", True), ("0.0.0.0", False), ("::", False), ("ff02::1", False)],
)
def test_endpoint_is_an_address_of_one_host(text: str, is_endpoint: bool) -> None:
    assert Address(text).is_endpoint is is_endpoint


@pytest.mark.parametrize("value", [1, 65535, "80", "00080"])
def test_ports_from_1_to_65535(value: int | str) -> None:
    assert 1 <= Port(value) <= 65535


@pytest.mark.parametrize(
    "value", [0, -5, 65536, "00", "-1", "80 ", "٨٠", "1e3", "", "999999", "8_0"]
)
def test_what_is_no_port_is_refused(value: int | str) -> None:
    with pytest.raises(ValueError, match="is not a port"):
        Port(value)


@pytest.mark.parametrize("value", [-1, 257])
def test_weight_out_of_range_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="is not a weight"):
        Weight(value)


def test_weight_has_both_ends() -> None:
    assert (Weight(0), Weight(256)) == (0, 256)


def test_socket_address_brackets_ipv6() -> None:
    assert SocketAddress(Address("::1"), Port(80)) == "[::1]:80"
    assert SocketAddress(Address("192.0.2.1"), Port(80)) == "192.0.2.1:80"


def test_shown_values_are_short_and_plain() -> None:
    assert shown("a\nb\x1b") == "'a\\nb\\x1b'"
    assert len(shown("x" * 100_000)) < 80


@given(ANYTHING)
def test_no_text_becomes_a_value_that_could_be_syntax(text: str) -> None:
    for kind in (Host, Wildcard, Address):
        try:
            value = kind(text)
        except ValueError:
            continue
        assert not set(value) & UNSAFE
        assert value.isascii()


@given(st.ip_addresses())
def test_every_address_is_taken(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert ipaddress.ip_address(Address(str(address))) in {
        address,
        getattr(address, "ipv4_mapped", None),
    }
