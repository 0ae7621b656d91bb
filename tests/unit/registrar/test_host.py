import ipaddress
import socket
from pathlib import Path
from typing import Self

import pytest

from registrar import host
from registrar.interfaces import Interface
from sidecar.config.model import RegistrarSettings


class Routes:
    """Stands for the socket type: answers by family, or has no route."""

    def __init__(self, answers: dict[int, str]) -> None:
        self.answers = answers

    def __call__(self, family: int, kind: int) -> "Routes":
        self.family = family
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def connect(self, to: tuple[str, int]) -> None:
        if self.family not in self.answers:
            raise OSError("network is unreachable")

    def getsockname(self) -> tuple[str, int]:
        return self.answers[self.family], 1


V4, V6 = int(socket.AF_INET), int(socket.AF_INET6)


@pytest.mark.parametrize(
    ("answers", "address"),
    [
        ({V4: "192.0.2.7", V6: "2001:db8::7"}, "192.0.2.7"),
        ({V6: "2001:db8::7"}, "2001:db8::7"),
        ({V4: "127.0.0.1", V6: "fe80::1"}, "192.0.2.50"),
        ({}, "192.0.2.50"),
    ],
    ids=["v4", "v6-only", "loopback-and-link-local-do-not-count", "no-route"],
)
def test_the_address_is_the_one_towards_the_default_route(
    answers: dict[int, str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.50", 0))
    monkeypatch.setattr(socket, "socket", Routes(answers))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [entry])
    assert host.default_address() == address


def test_a_host_without_route_and_name_is_at_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "socket", Routes({}))
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert host.default_address() == "127.0.0.1"


def test_this_host_has_a_name_and_an_address() -> None:
    assert host.default_node()
    assert not ipaddress.ip_address(host.default_address()).is_unspecified


def test_the_settings_say_which_address_is_the_hosts() -> None:
    given = RegistrarSettings(ip="192.0.2.1", second_ip="2001:db8::1")
    assert host.host_addresses(given) == ("192.0.2.1", "2001:db8::1")
    assert host.host_addresses(RegistrarSettings(interfaces=("lo",)))[0] == "127.0.0.1"
    by_route = host.host_addresses(RegistrarSettings())
    assert host.host_addresses(RegistrarSettings(interfaces=("none9",))) == by_route


def test_as_registrator_it_is_what_the_hosts_name_resolves_to() -> None:
    assert host.host_addresses(RegistrarSettings(), name="localhost") == ("127.0.0.1", "")
    nowhere = "no-such-host.invalid"
    assert host.host_addresses(RegistrarSettings(), name=nowhere)[0] != "0.0.0.0"
    assert host.host_addresses(RegistrarSettings(compat=True), name=nowhere) == ("0.0.0.0", "")


def test_every_host_has_a_loopback_interface() -> None:
    assert Interface("lo", "127.0.0.1") in [*host.interfaces()]


def test_a_mark_of_the_engine_tells_that_we_are_in_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / ".dockerenv"
    monkeypatch.setattr(host, "_MARKS", (str(mark),))
    assert not host.is_in_container()
    mark.touch()
    assert host.is_in_container()
