"""What one HAProxy serves: backends of fixed slots, maps of hosts, listeners. Pure.

A slot is a ``server`` line whose name never changes (``s1``, ``s2``, ...); which endpoint sits in
it may change without a reload.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple, Self

from templater.names import CertName, Host, Port, RouteKey, SocketAddress, Wildcard
from templater.override import Override
from templater.routes import Endpoint, Protocol, Upstream
from templater.tls import Certificate, Policy, Sni

__all__ = [
    "CERTIFICATES",
    "HOSTS_MAP",
    "NOTHING",
    "NO_ROUTE",
    "PATHS_MAP",
    "POLICIES_MAP",
    "SITES_MAP",
    "WILDCARDS_MAP",
    "Backend",
    "BackendName",
    "Front",
    "Model",
    "PolicyWord",
    "certificate_file",
    "name_of",
    "slot_name",
]

HOSTS_MAP: Final = "hosts.map"
WILDCARDS_MAP: Final = "wildcards.map"
SITES_MAP: Final = "sites.map"
"""Wildcards to themselves: which of them a host is under."""
PATHS_MAP: Final = "paths.map"
POLICIES_MAP: Final = "policies.map"
"""Hosts and wildcards to what holds for them with TLS."""
CERTIFICATES: Final = "certificates.list"
_PLAIN: Final = re.compile(r"[A-Za-z0-9.-]", re.ASCII)


class BackendName(str):
    """The name of a backend: protocol, ``.``, the service, encoded, and the mark of its shape.

    Letters, digits, ``.`` and ``-`` stay, ``_`` doubles, each other byte of UTF-8 is ``_x`` and
    two hex digits, and ``_s`` begins a mark; so two upstreams never share a name, and no name
    needs quoting.
    """

    __slots__ = ()

    def __new__(cls, upstream: Upstream) -> Self:
        """Encode an upstream."""
        service = "".join(_encoded(char) for char in upstream.service)
        mark = f"_s{upstream.shape.mark}" if upstream.shape.mark else ""
        return super().__new__(cls, f"{upstream.protocol}.{service}{mark}")

    @classmethod
    def of_nothing(cls) -> Self:
        """Return the name of the backend that answers what leads nowhere."""
        return super().__new__(cls, "no_route")


def _encoded(char: str) -> str:
    if _PLAIN.match(char):
        return char
    if char == "_":
        return "__"
    return "".join(f"_x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))


class PolicyWord(str):
    """What holds for a host with TLS, ``redirect/max-age=60_preload``: a method and a header.

    ``_`` stands for ``;``, which would end a command.
    """

    __slots__ = ()

    def __new__(cls, policy: Policy) -> Self:
        """Write a policy as one word."""
        header = "_".join(policy.hsts.directives) if policy.hsts is not None else ""
        return super().__new__(cls, f"{policy.method}/{header}")


class Front(NamedTuple):
    """How TLS is served: what a process cannot change while it runs."""

    listen: SocketAddress
    port: int
    http2: bool
    sni: Sni


@dataclass(frozen=True, slots=True)
class Backend:
    """One upstream's slots; ``endpoints`` is what they were last filled from.

    The last ``spare`` slots are for endpoints that get work only when no other can.
    """

    name: BackendName
    upstream: Upstream
    slots: tuple[Endpoint | None, ...]
    endpoints: tuple[Endpoint, ...]
    spare: int = 0

    @property
    def protocol(self) -> Protocol:
        """How the backend speaks."""
        return self.upstream.protocol


@dataclass(frozen=True, slots=True)
class Model:
    """All that the file says; ``wildcards`` is ordered, the longest suffix first.

    Each host and wildcard of ``paths`` is in ``hosts`` or ``wildcards`` too.
    """

    backends: Mapping[BackendName, Backend] = field(default_factory=dict)
    hosts: Mapping[Host, BackendName] = field(default_factory=dict)
    wildcards: tuple[tuple[Wildcard, BackendName], ...] = ()
    listeners: Mapping[Port, BackendName] = field(default_factory=dict)
    paths: Mapping[RouteKey, BackendName] = field(default_factory=dict)
    front: Front | None = None
    policies: Mapping[Host | Wildcard, PolicyWord] = field(default_factory=dict)
    certificates: Mapping[CertName, Certificate] = field(default_factory=dict)
    override: Override | None = None


NO_ROUTE: Final = BackendName.of_nothing()
"""Where requests to a host go that has only paths; its name stands in the fixed text."""
NOTHING: Final = Model()


@lru_cache(maxsize=8192)
def name_of(upstream: Upstream) -> BackendName:
    """Return the name of an upstream's backend (remembered: it is asked for at each change)."""
    return BackendName(upstream)


def slot_name(index: int) -> str:
    """Return the name of the slot at an index."""
    return f"s{index + 1}"


def certificate_file(name: CertName) -> str:
    """Return the name of the file that a certificate and its key are in."""
    return f"certificate_{name}.pem"
