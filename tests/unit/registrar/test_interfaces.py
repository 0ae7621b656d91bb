import pytest

from registrar.interfaces import Interface, asks_engine, chosen
from sidecar.config.model import RegistrarSettings

FOUND = (
    Interface("lo", "127.0.0.1"),
    Interface("eth0", "10.0.0.1"),
    Interface("eth1", "192.0.2.1"),
    Interface("lo", "::1"),
    Interface("eth1", "fe80::1"),
    Interface("eth1", "2001:db8::1"),
)


@pytest.mark.parametrize(
    ("choices", "addresses"),
    [
        (("eth1",), ("192.0.2.1", "2001:db8::1")),
        (("eth9", "eth0"), ("10.0.0.1", "")),
        (("eth1:inet6",), ("2001:db8::1", "192.0.2.1")),
        (("eth0:inet6", "inet"), ("10.0.0.1", "")),
        (("inet6",), ("2001:db8::1", "192.0.2.1")),
        (("172.16.0.0/12", "192.0.2.0/24"), ("192.0.2.1", "2001:db8::1")),
        (("2001:db8::/32",), ("2001:db8::1", "192.0.2.1")),
        (("lo",), ("127.0.0.1", "::1")),
        (("eth9",), None),
        ((), None),
    ],
)
def test_the_first_choice_that_fits_counts(
    choices: tuple[str, ...], addresses: tuple[str, str] | None
) -> None:
    assert chosen(choices, FOUND) == addresses


@pytest.mark.parametrize(
    ("settings", "host", "inside", "asks"),
    [
        ({}, "web1", True, False),
        ({}, "0123456789ab", True, True),
        ({}, "0123456789ab", False, False),
        ({"compat": True}, "0123456789ab", True, False),
        ({"compat": True, "node_from": "engine"}, "0123456789ab", True, True),
        ({"node_from": "engine"}, "web1", False, True),
        ({"node_from": "host"}, "0123456789ab", True, False),
    ],
)
def test_a_host_is_never_named_after_our_own_container(
    settings: dict[str, object], host: str, inside: bool, asks: bool
) -> None:
    given = RegistrarSettings(**settings)  # type: ignore[arg-type]
    assert asks_engine(given, host, is_in_container=inside) is asks
