import re

import pytest

from sidecar.checks.target import joined, split


@pytest.mark.parametrize(
    ("target", "host", "port"),
    [
        ("192.0.2.1:80", "192.0.2.1", 80),
        (":80", "", 80),
        ("web:", "web", 0),
        ("[2001:db8::1]:80", "2001:db8::1", 80),
    ],
)
def test_host_and_port_are_split(target: str, host: str, port: int) -> None:
    assert split(target) == (host, port)


@pytest.mark.parametrize(
    ("target", "text"),  # as Consul 1.8.7 says
    [
        ("host", "address host: missing port in address"),
        ("127.0.0.1:99999", "address 99999: invalid port"),
        ("127.0.0.1:-1", "address -1: invalid port"),
        ("host:port", "address tcp/port: unknown port"),
        ("a:b:c", "address a:b:c: too many colons in address"),
        ("[::1:1", "address [::1:1: missing ']' in address"),
        ("[::1]", "address [::1]: missing port in address"),
        ("[::1]x:1", "address [::1]x:1: missing port in address"),
        ("[::1]:1:1", "address [::1]:1:1: too many colons in address"),
    ],
)
def test_what_is_no_target_is_refused_in_gos_words(target: str, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)) as caught:
        split(target)
    assert str(caught.value) == text


def test_an_address_of_version_six_is_put_in_brackets() -> None:
    assert joined("192.0.2.1", 80) == "192.0.2.1:80"
    assert joined("2001:db8::1", 80) == "[2001:db8::1]:80"
