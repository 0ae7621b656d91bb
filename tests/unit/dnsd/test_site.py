import pytest

from dnsd.names import zone_of
from dnsd.site import SoaTimes, site_of
from sidecar.config.model import DnsSettings
from sidecar.config.units import endpoint
from sidecar.errors import ConfigError

LISTEN = (endpoint("127.0.0.1:8600"),)


def test_settings_become_a_site() -> None:
    settings = DnsSettings(
        domain="corp.example",
        alt_domain="a.corp.example",
        service_ttl=("web=30", "db*=1m", "*=5s"),
        node_ttl=7.0,
        soa_min_ttl=3.0,
        empty_service="nodata",
        cookie_secret=("00" * 16, "0f" * 16),
        nsid="dns-{node}",
        skydns_domain="sky.local",
        near="subnet",
    )
    site = site_of(settings, LISTEN, "Node-1", b"unused")
    assert site.zones == (zone_of("a.corp.example"), zone_of("corp.example"))
    assert site.home == zone_of("corp.example")
    assert site.ttls == {b"web": 30, b"db*": 60, b"*": 5}
    assert site.soa == SoaTimes(3600, 600, 86400, 3)
    assert (site.node_ttl, site.empty_exists, site.near) == (7, True, True)
    assert site.cookie_secrets == (bytes(16), b"\x0f" * 16)
    assert site.nsid == "dns-Node-1"
    assert site.sky_zone == zone_of("sky.local")


def test_without_a_secret_of_its_own_a_site_takes_the_one_given() -> None:
    assert site_of(DnsSettings(), LISTEN, "n", b"s" * 16).cookie_secrets == (b"s" * 16,)
    assert site_of(DnsSettings(), LISTEN, "n").cookie_secrets == ()
    assert site_of(DnsSettings(nsid=""), LISTEN, "n").nsid == ""
    assert site_of(DnsSettings(), LISTEN, "n").sky_zone is None


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (DnsSettings(service_ttl=("web",)), "dns.service_ttl: 'web' is not NAME=TTL"),
        (DnsSettings(service_ttl=("=5",)), "dns.service_ttl: '=5' is not"),
        (DnsSettings(service_ttl=("we*b=5",)), "dns.service_ttl: 'we*b=5' is not"),
        (DnsSettings(service_ttl=("web=soon",)), "dns.service_ttl: 'web=soon' is not"),
        (DnsSettings(cookie_secret=("00",)), "dns.cookie_secret: a secret is 16 octets in hex"),
        (DnsSettings(cookie_secret=("xx" * 16,)), "dns.cookie_secret: a secret is 16 octets"),
        (DnsSettings(skydns_domain="a..b"), "dns.skydns_domain: 'a..b' is no domain"),
        (DnsSettings(skydns_template="{nope}"), "dns.skydns_template: '{nope}'"),
    ],
)
def test_a_wrong_setting_is_named(settings: DnsSettings, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        site_of(settings, LISTEN, "n")
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith(problem)
    assert "xx" not in raised.value.problems[0]


def test_a_secret_is_not_shown() -> None:
    site = site_of(DnsSettings(cookie_secret=("ab" * 16,)), LISTEN, "n")
    assert "\\xab" not in repr(site)
