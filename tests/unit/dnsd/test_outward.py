"""Our address as others see it."""

import socket

import pytest

from dnsd import outward
from sidecar.config.units import Endpoint


def test_only_a_wildcard_needs_one() -> None:
    assert outward.outward((Endpoint("127.0.0.1", 53), Endpoint("::1", 53))) == ()


def test_a_wildcard_has_the_address_that_leads_there_and_each_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outward, "_SOMEWHERE", {"0.0.0.0": (socket.AF_INET, "127.0.0.9")})
    wildcards = Endpoint("0.0.0.0", 53), Endpoint("0.0.0.0", 54)
    assert outward.outward(wildcards) == (b"\x7f\0\0\x01",)


def test_without_a_network_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outward, "_SOMEWHERE", {"0.0.0.0": (socket.AF_INET, "255.255.255.255")})
    assert outward.outward((Endpoint("0.0.0.0", 53),)) == ()
