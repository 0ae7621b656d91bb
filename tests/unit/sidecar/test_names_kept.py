"""For how long a client may use what it was told of a service."""

import pytest

from sidecar.config.model import DnsSettings
from sidecar.hosts import names_kept


@pytest.mark.parametrize(
    ("service", "seconds"),
    [("web", 3.0), ("WEB", 3.0), ("web-admin", 31.0), ("db", 6.0), ("", 6.0)],
)
def test_it_is_the_ttl_of_the_service_and_a_second(service: str, seconds: float) -> None:
    settings = DnsSettings(ttl=5.0, service_ttl=("web=2s", "web*=30s"))
    assert names_kept(settings)(service) == seconds


def test_a_star_is_for_all_that_have_none_of_their_own() -> None:
    assert names_kept(DnsSettings(service_ttl=("*=7s", "x=1s")))("web") == 8.0


def test_without_dns_nobody_keeps_a_name() -> None:
    silent = DnsSettings(listen="", ttl=5.0)
    assert names_kept(silent)("web") == 0.0
