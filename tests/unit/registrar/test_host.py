import ipaddress
import socket
from typing import Self

import pytest

from registrar import host


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
