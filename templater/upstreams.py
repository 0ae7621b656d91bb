"""Upstreams, endpoints and routes: what any proxy is told. Pure."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from templater.names import Address, Host, Port, UrlPath, Weight, Wildcard
from templater.override import Override
from templater.shapes import PLAIN, Https, Shape
from templater.tls import TlsFront

__all__ = [
    "Endpoint",
    "Key",
    "Problem",
    "Protocol",
    "Routes",
    "Site",
    "State",
    "Upstream",
    "patience",
]


class State(enum.StrEnum):
    """What a proxy may send to an endpoint: new work, nothing new, nothing."""

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"


class Protocol(enum.StrEnum):
    """How an upstream is spoken to."""

    HTTP = "http"
    TCP = "tcp"

    __hash__ = str.__hash__  # an enum's own is slow, and upstreams are keys


class Upstream(NamedTuple):
    """A service as a proxy sees it, by one protocol and in one shape."""

    protocol: Protocol
    service: str
    shape: Shape = PLAIN

    @property
    def of_all(self) -> "Upstream":
        """Return that of the requests which are not for canaries."""
        return self._replace(shape=self.shape.of_all) if self.shape.match else self


class Site(NamedTuple):
    """A part of a host (or wildcard): all paths below one that is not the root."""

    host: Host | Wildcard
    path: UrlPath


class Key(NamedTuple):
    """Which instance of its service an endpoint is."""

    node: str
    id: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One member of an upstream; ``key`` never reaches a configuration."""

    key: Key
    address: Address
    port: Port
    weight: Weight
    state: State
    backup: bool = False
    """Gets new work only when no other can."""


class Problem(NamedTuple):
    """Why a service, or a part of what it asks for, is left out."""

    service: str
    field: str
    reason: str


_PATIENCE: Final = 300


def patience(upstreams: Iterable[Upstream]) -> int:
    """Return for how many seconds what began before a reload may take: as the slowest service may.

    Tunnels do not count: they may last for ever.
    """
    asked = (up.shape.timeouts.answer for up in upstreams)
    return max(_PATIENCE, *(-(-time // 1000) for time in asked if time is not None), 0)


@dataclass(frozen=True, slots=True)
class Routes:
    """Everything a proxy serves; ``upstreams`` holds each upstream named by the others.

    Those of canaries (``Shape.match``) nobody names: what leads to their ``of_all`` leads there.
    A host that is in ``paths`` only leads nowhere elsewhere. ``https`` is what was asked of TLS,
    ``tls`` what becomes of it; ``override`` stands in place of the proxy's shipped template.
    """

    hosts: Mapping[Host, Upstream] = field(default_factory=dict)
    wildcards: Mapping[Wildcard, Upstream] = field(default_factory=dict)
    listeners: Mapping[Port, Upstream] = field(default_factory=dict)
    upstreams: Mapping[Upstream, tuple[Endpoint, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    paths: Mapping[Site, Upstream] = field(default_factory=dict)
    https: Mapping[Host | Wildcard, Https] = field(default_factory=dict)
    tls: TlsFront | None = None
    override: Override | None = None

    def endpoints(self) -> frozenset[tuple[str, Key]]:
        """Return service and key of every endpoint."""
        return frozenset(
            (upstream.service, endpoint.key)
            for upstream, members in self.upstreams.items()
            for endpoint in members
        )
