"""Routes: what any proxy needs to know, as a pure function of a Snapshot.

Who gets a host name or a port is decided here, in this order, so that the answer depends on the
snapshot alone: the names that follow from a service's own name come before those a container
asks for (nobody can take ``web.localhost`` from ``web``), then the first service by name wins.
Whatever cannot be represented is left out with a Problem naming service and field; the other
services are not touched.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TYPE_CHECKING

from sidecar.catalog.model import HTTP_HOST, TCP_LISTEN, Instance, Node, Snapshot
from sidecar.catalog.query import address_of
from templater.claims import Asking, Claim, claim_of
from templater.names import Host, Port, Wildcard, shown
from templater.upstreams import (
    Endpoint,
    Key,
    Problem,
    Protocol,
    Routes,
    Site,
    State,
    Upstream,
)

if TYPE_CHECKING:
    from templater.shapes import Https

__all__ = [
    "Endpoint",
    "Key",
    "Known",
    "Problem",
    "Protocol",
    "Routes",
    "Site",
    "State",
    "Upstream",
    "routes_of",
]

Known = MutableMapping[str, tuple[tuple[Instance, ...], tuple[str, ...], Claim | None]]
"""What earlier snapshots' services asked for, reused for those that are the same object.

In the middle: the addresses that their instances have from their nodes.
"""


def routes_of(
    snapshot: Snapshot,
    domains: Sequence[str],
    *,
    reserved: AbstractSet[int] = frozenset(),
    known: Known | None = None,
) -> Routes:
    """Return the routes of a snapshot; ``reserved`` are the ports that are our own."""
    known = {} if known is None else known
    claims = {
        name: claim
        for name in sorted(snapshot.services)
        if (claim := _remembered(known, name, snapshot, domains, reserved)) is not None
    }
    for gone in known.keys() - snapshot.services.keys():
        del known[gone]
    return _settled(claims, reserved)


def _remembered(
    known: Known,
    name: str,
    snapshot: Snapshot,
    domains: Sequence[str],
    reserved: AbstractSet[int],
) -> Claim | None:
    instances, nodes = snapshot.services[name], snapshot.nodes
    found = known.get(name)
    if found is not None and found[0] is instances and not found[1]:
        return found[2]  # most services, at most changes
    lent = tuple(address_of(one, nodes) for one in instances if not one.address)
    if found is None or found[0] is not instances or found[1] != lent:
        placed = [one if one.address else _placed(one, nodes) for one in instances]
        found = known[name] = (instances, lent, claim_of(name, placed, domains, reserved))
    return found[2]


def _placed(instance: Instance, nodes: Mapping[str, Node]) -> Instance:
    return replace(instance, address=address_of(instance, nodes))


def _settled(claims: Mapping[str, Claim], reserved: AbstractSet[int]) -> Routes:
    settling = _Settling(claims)
    for name, claim in claims.items():
        settling.own(name, claim)
    settling.settle_own()
    for name, claim in claims.items():
        for asking in claim.asked:
            settling.ask(name, asking)
    for name, claim in claims.items():
        settling.listen(name, claim, reserved)
    return Routes(
        settling.hosts,
        settling.wildcards,
        settling.listeners,
        settling.upstreams,
        tuple(dict.fromkeys(settling.problems)),
        settling.paths,
        settling.https,
    )


class _Settling:
    """Routes in the making."""

    def __init__(self, claims: Mapping[str, Claim]) -> None:
        self.hosts: dict[Host, Upstream] = {}
        self.wildcards: dict[Wildcard, Upstream] = {}
        self.paths: dict[Site, Upstream] = {}
        self.https: dict[Host | Wildcard, Https] = {}
        self.listeners: dict[Port, Upstream] = {}
        self.upstreams: dict[Upstream, tuple[Endpoint, ...]] = {}
        self.problems = [problem for claim in claims.values() for problem in claim.problems]
        self._own: dict[Host | Wildcard, Upstream] = {}

    def own(self, name: str, claim: Claim) -> None:
        """Give a service the hosts that follow from its name."""
        upstream = claim.upstream
        self.upstreams[upstream] = claim.endpoints
        self.upstreams.update(claim.canaries)
        for host in claim.own:
            taken = self.hosts.setdefault(host, upstream)
            if taken is not upstream:
                self._refuse(name, "name", host, taken.service)
            elif claim.https is not None:
                self.https[host] = claim.https

    def settle_own(self) -> None:
        """From now on nobody but its owner may ask for a host that a service has by its name."""
        self._own = dict(self.hosts.items())

    def ask(self, name: str, asking: Asking) -> None:
        """Give a service a place, unless it is another's."""
        site, path, dest = asking.place
        upstream = asking.upstream
        own = self._own.get(site)
        if own is not None and own.service != name:
            self._refuse(name, HTTP_HOST, site, own.service)
            return
        if path:
            taken = self.paths.setdefault(Site(site, path), upstream)
        elif isinstance(site, Wildcard):
            taken = self.wildcards.setdefault(site, upstream)
        elif own is not None and dest is None:
            return  # it leads there by itself
        elif own is not None:
            taken = self.hosts[site] = upstream
        else:
            taken = self.hosts.setdefault(site, upstream)
        if taken != upstream:
            self._refuse(name, HTTP_HOST, f"{_shape_of(site)}{path}", taken.service)
            return
        self.upstreams[upstream] = asking.endpoints
        self.upstreams.update(asking.canaries)
        if asking.https is not None:
            self.https.setdefault(site, asking.https)

    def listen(self, name: str, claim: Claim, reserved: AbstractSet[int]) -> None:
        """Give a service its TCP ports, unless they are others'."""
        upstream = claim.listening
        for port in claim.ports:
            if port in reserved:
                reason = f"port {port} is one of our own"
                self.problems.append(Problem(name, TCP_LISTEN, reason))
            elif (taken := self.listeners.setdefault(port, upstream)) != upstream:
                reason = f"port {port} belongs to service {shown(taken.service)}"
                self.problems.append(Problem(name, TCP_LISTEN, reason))
            else:
                self.upstreams[upstream] = claim.endpoints

    def _refuse(self, name: str, field_: str, what: str, owner: str) -> None:
        shape = f"*{what}" if isinstance(what, Wildcard) else what
        reason = f"host {shape} belongs to service {shown(owner)}"
        self.problems.append(Problem(name, field_, reason))


def _shape_of(site: Host | Wildcard) -> str:
    return f"*{site}" if isinstance(site, Wildcard) else site
