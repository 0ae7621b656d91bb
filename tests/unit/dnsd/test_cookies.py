"""Test vectors are those of RFC 9018, appendix A, and of SipHash's authors."""

from ipaddress import ip_address

import pytest

from dnsd.cookies import Verdict, respond, siphash24, verdict_of

HOME = ip_address("198.51.100.100").packed
SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")
CLIENT = bytes.fromhex("2464c4abcf10c957")
COOKIE = CLIENT + bytes.fromhex("010000005cf79f111f8130c3eee29480")
MADE = 0x5CF79F11


def test_siphash_is_that_of_its_authors() -> None:
    key = bytes(range(16))
    assert siphash24(b"", key).hex() == "310e0edd47db6f72"
    assert siphash24(bytes(range(15)), key).hex() == "e545be4961ca29a1"


def test_a_client_without_a_server_cookie_gets_one() -> None:
    assert respond(CLIENT, HOME, [SECRET], MADE) == COOKIE


def test_a_young_cookie_comes_back_and_an_older_one_is_renewed() -> None:
    assert respond(COOKIE, HOME, [SECRET], MADE + 1799) == COOKIE
    renewed = respond(COOKIE, HOME, [SECRET], MADE + 1801)
    assert renewed != COOKIE
    assert verdict_of(renewed, HOME, [SECRET], MADE + 1801) is Verdict.GOOD


def test_a_cookie_of_ipv6_under_a_secret_that_was_rolled_over() -> None:
    address = ip_address("2001:db8:220:1:59de:d0f4:8769:82b8").packed
    old = bytes.fromhex("dd3bdf9344b678b185a6f5cb60fca715")
    new = bytes.fromhex("445536bcd2513298075a5d379663c962")
    cookie = bytes.fromhex("22681ab97d52c298010000005cf7c57926556bd0934c72f8")
    assert verdict_of(cookie, address, [new, old], 0x5CF7C609) is Verdict.GOOD
    fresh = respond(cookie, address, [new, old], 0x5CF7C609)
    assert fresh.hex() == "22681ab97d52c298010000005cf7c609a6bb79d16625507a"


@pytest.mark.parametrize(
    ("cookie", "now", "verdict"),
    [
        (COOKIE, MADE + 3600, Verdict.GOOD),
        (COOKIE, MADE + 3601, Verdict.BAD),
        (COOKIE, MADE - 300, Verdict.GOOD),
        (COOKIE, MADE - 301, Verdict.BAD),
        (CLIENT, MADE, Verdict.NONE),
        (b"", MADE, Verdict.NONE),
        (COOKIE[:-1] + b"\0", MADE, Verdict.BAD),
        (COOKIE + b"\0", MADE, Verdict.BAD),
        (CLIENT + b"\2" + COOKIE[9:], MADE, Verdict.BAD),
    ],
)
def test_a_cookie_is_worth_what_its_age_and_hash_say(
    cookie: bytes, now: float, verdict: Verdict
) -> None:
    assert verdict_of(cookie, HOME, [SECRET], now) is verdict


def test_a_cookie_is_worth_nothing_at_another_address() -> None:
    other = ip_address("203.0.113.203").packed
    assert verdict_of(COOKIE, other, [SECRET], MADE) is Verdict.BAD
