"""What each value must be beyond its type."""

import re
from typing import Any

import pytest

from sidecar.config.keys import KEYS
from sidecar.config.model import LbSettings, RegistrarSettings, Settings
from sidecar.config.rules import RULES, contradictions, plain, redacted


def test_every_rule_is_for_a_key_and_accepts_its_default() -> None:
    assert RULES.keys() <= KEYS.keys()
    for name, rule in RULES.items():
        assert rule(KEYS[name].default) == KEYS[name].default


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("docker.url", "unix:///run/docker.sock", "unix:///run/docker.sock"),
        ("docker.url", "tcp://192.0.2.1:2375", "tcp://192.0.2.1:2375"),
        ("docker.url", "https://[2001:db8::1]:2376", "https://[2001:db8::1]:2376"),
        ("docker.url", "http://docker.example.org", "http://docker.example.org"),
        ("store.url", "consul://c.example.org:8500", "consul://c.example.org:8500"),
        ("store.url", "consulkv-unix:///c.sock:/a", "consulkv-unix:///c.sock:/a"),
        ("store.state_dir", "/var/lib/pinnace", "/var/lib/pinnace"),
        ("registrar.ip", "192.0.2.7", "192.0.2.7"),
        ("registrar.ip", "2001:DB8:0::7", "2001:db8::7"),
        ("registrar.node", "Host-7.example.org", "Host-7.example.org"),
        ("dns.listen", ":53", ":53"),
        ("dns.listen", "127.0.0.1:53,[::1]:53", "127.0.0.1:53,[::1]:53"),
        ("dns.tls_listen", "127.0.0.1:853,[::1]:853", "127.0.0.1:853,[::1]:853"),
        ("dns.domain", "Service.Example.ORG.", "service.example.org"),
        ("dns.domain", "_tcp.example", "_tcp.example"),
        ("dns.datacenter", "DC1", "dc1"),
        ("dns.ttl", 30.0, 30.0),
        ("dns.max_udp_payload", 512, 512),
        ("docker.ping", 0.5, 0.5),
        ("http.max_connections", 0, 0),
    ],
)
def test_a_right_value_is_kept_in_one_form(key: str, value: object, kept: object) -> None:
    assert RULES[key](value) == kept


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("docker.url", "/run/docker.sock", "write unix:///run/docker.sock"),
        ("docker.url", "npipe:////./pipe/docker_engine", "npipe:// is not supported"),
        ("docker.url", "ssh://host", "ssh:// is not supported"),
        ("docker.url", "docker", "'docker' is not supported; use unix://, tcp://"),
        ("docker.url", "unix://run/docker.sock", "needs an absolute path"),
        ("docker.url", "unix:///", "needs an absolute path"),
        ("docker.url", "tcp://", "is not tcp://HOST:PORT"),
        ("docker.url", "tcp://host:0", "is not tcp://HOST:PORT"),
        ("docker.url", "tcp://host:70000", "is not tcp://HOST:PORT"),
        ("docker.url", "http://[::1", "is not http://HOST:PORT"),
        ("store.url", "embedded", "write embedded: alone"),
        ("store.url", "embedded:/var/lib", "store.state_dir"),
        ("store.url", "consl://x", "consl: is not a known store; did you mean consul:?"),
        ("store.url", "/var/lib", "this is not the URL of a store; use embedded:"),
        ("store.state_dir", "~/state", "~ is not expanded"),
        ("registrar.ip", "192.0.2", "not an IP address"),
        ("registrar.ip", "192.0.2.7:80", "not an IP address"),
        ("registrar.ip", "0.0.0.0", "no address that others could connect to"),
        ("registrar.ip", "224.0.0.1", "no address that others could connect to"),
        ("registrar.ip", "fe80::1%eth0", "no address that others could connect to"),
        ("registrar.node", "a b", "not a domain name"),
        ("dns.listen", "127.0.0.1", "has no port"),
        ("dns.listen", "127.0.0.1:65536", "not a port"),
        ("dns.listen", "", "has no port"),
        ("dns.listen", "127.0.0.1:53,", "has no port"),
        ("dns.listen", "127.0.0.1:53,::1:53", "in brackets"),
        ("dns.domain", "", "not a domain name"),
        ("dns.domain", "a..b", "not a domain name"),
        ("dns.domain", "-a", "not a domain name"),
        ("dns.domain", "é.example", "not a domain name"),
        ("dns.domain", "a" * 64, "not a domain name"),
        ("dns.domain", ".".join(["a" * 60] * 5), "not a domain name"),
        ("dns.datacenter", "a.b", "not one label"),
        ("dns.ttl", 0.5, "a whole number of seconds"),
        ("dns.ttl", 2.0**31, "at most 2147483647"),
        ("dns.max_udp_payload", 511, "from 512 to 4096"),
        ("dns.max_udp_payload", 4097, "from 512 to 4096"),
        ("registrar.retry_interval", 0.0, "must be more than 0"),
        ("registrar.retry_attempts", -2, "from -1 (for ever) to 1000000"),
        ("registrar.service_prefix", "a b", "cannot begin a service's name"),
        ("registrar.interfaces", ("eth0", "10.0.0.0/33"), "neither an interface nor a network"),
        ("registrar.stores", ("embedded:",), "these are the stores besides it"),
        ("registrar.stores", ("consol://x",), "not a known store; did you mean consul:?"),
        ("registrar.stores", ("secret",), "this is not the URL of a store"),
        ("http.max_waiting", -1, "from 0 to 1000000"),
    ],
)
def test_a_wrong_value_is_refused_with_the_reason(key: str, value: object, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        RULES[key](value)


def test_stores_interfaces_and_a_prefix_are_taken() -> None:
    for key, value in (
        ("registrar.stores", ("etcd://a,b/x",)),
        ("registrar.interfaces", ("eth0", "10.0.0.0/8", "inet6")),
        ("registrar.service_prefix", "prod."),
        ("registrar.retry_attempts", -1),
    ):
        assert RULES[key](value) == value


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"ttl": 30.0, "ttl_refresh": 10.0}, []),
        ({"ttl": 30.0}, []),
        ({"ttl": 0.0}, []),
        ({"ttl": 30.0, "ttl_refresh": 0.0}, ["registrar: ttl needs ttl_refresh"]),
        ({"ttl": 3.0, "ttl_refresh": 3.0}, ["registrar: ttl must be more than ttl_refresh"]),
        ({"ip": "192.0.2.1", "second_ip": "2001:db8::1"}, []),
        ({"second_ip": "2001:db8::1"}, ["registrar: second_ip needs ip"]),
        (
            {"ip": "192.0.2.1", "second_ip": "192.0.2.2"},
            ["registrar: second_ip must be of the other family than ip (IPv4, IPv6)"],
        ),
    ],
)
def test_settings_that_do_not_go_together_are_told(
    values: dict[str, Any], wrong: list[str]
) -> None:
    assert contradictions(Settings(registrar=RegistrarSettings(**values))) == wrong


@pytest.mark.parametrize("char", ["\n", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\udc80"])
def test_a_character_that_could_forge_a_line_is_refused(char: str) -> None:
    with pytest.raises(ValueError, match="must not contain the character"):
        plain(f"a{char}b")


def test_other_text_is_plain() -> None:
    assert plain("/srv/Å b") == "/srv/Å b"


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        ("tcp://user:word@host:1/x", "tcp://***@host:1/x"),
        ("https://a@b@host", "https://***@host"),
        ("consul://host?token=abc&dc=x", "consul://host?token=***&dc=x"),
        ("consul://host?x=1&acl-token=abc#y", "consul://host?x=1&acl-token=***#y"),
        ("unix:///run/a@b", "unix:///run/a@b"),
        ("plain@example.org", "plain@example.org"),
    ],
)
def test_secrets_in_a_url_are_hidden(url: str, hidden: str) -> None:
    assert redacted(url) == hidden


def test_a_refused_url_does_not_show_its_password() -> None:
    for url in ("tcp://u:word@host:0", "word@host", "ssh://u:word@host"):
        with pytest.raises(ValueError, match="not") as caught:
            RULES["docker.url"](url)
        if "://" in url:
            assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"tls_listen": ":8443"}, "lb: tls_listen needs certificates, the directory they are in"),
        (
            {"certificates": "/c"},
            "lb: certificates needs tls_listen, the address where they are used",
        ),
        (
            {"tls_listen": ":8443", "listen": ":8443", "certificates": "/c"},
            "lb: tls_listen must be another address than listen",
        ),
        ({"tls_listen": ":8443", "certificates": "/c"}, None),
    ],
)
def test_tls_needs_an_address_and_certificates(values: dict[str, Any], wrong: str | None) -> None:
    found = contradictions(Settings(lb=LbSettings(**values)))
    assert found == ([wrong] if wrong else [])
