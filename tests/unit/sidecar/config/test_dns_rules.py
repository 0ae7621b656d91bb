import pytest

from sidecar.config.keys import KEYS
from sidecar.config.load import settle
from sidecar.config.sources import checked
from sidecar.config.units import dns_server
from sidecar.errors import ConfigError


@pytest.mark.parametrize(
    ("key", "good", "bad", "says"),
    [
        ("recursors", "192.0.2.1 [2001:db8::1]:53", "dns.example.org", "not the IP address"),
        ("recursors", "::1", "192.0.2.1:0", "no port 0"),
        ("forward", "corp.example=10.0.0.2,10.0.0.3:53", "corp.example", "is not DOMAIN="),
        ("forward", "", "a..b=10.0.0.2", "is not a domain name"),
        ("forward", "", "corp.example=x", "not the IP address"),
        ("forward", "", "corp.example=x:53", "not the IP address"),
        ("recursion_allow", "10.0.0.0/8 ::1", "10.0.0.1/8", "has host bits set"),
        ("rrl_exempt", "", "all", "write for example 10.0.0.0/8"),
        ("cache_bytes", "0", "-1", "must be from 0"),
        ("tls_listen", "0.0.0.0:853,[::]:853", "853", "has no port"),
        ("query_log", "1/100", "1/0", "must be errors or 1/N"),
        ("query_log", "errors", "all", "must be errors or 1/N"),
        ("workers", "64", "0", "must be from 1 to 64"),
        ("max_udp_payload", "4096", "511", "must be from 512"),
        ("recursor_timeout", "1s", "0", "more than 0"),
        ("tls_key", "/x", "~/x", "write the whole path"),
    ],
)
def test_values_of_dns(key: str, good: str, bad: str, says: str) -> None:
    place = KEYS[f"dns.{key}"]
    checked(place, good)
    with pytest.raises(ValueError, match=says):
        checked(place, bad)


def test_tls_needs_a_certificate() -> None:
    with pytest.raises(ConfigError, match="need tls_certificate and tls_key"):
        settle({}, {"PINNACE_DNS__TLS_LISTEN": "127.0.0.1:853"})


def test_a_server_is_an_address_with_or_without_a_port() -> None:
    found = [
        str(dns_server(text)) for text in ("192.0.2.1", "::1", "[::1]", "[::1]:54", "1.2.3.4:5")
    ]
    assert found == ["192.0.2.1:53", "[::1]:53", "[::1]:53", "[::1]:54", "1.2.3.4:5"]
