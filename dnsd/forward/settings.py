"""Settings as forwarding uses them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dnsd.forward.upstreams import Group, Upstream
from dnsd.names import Labels, zone_of
from dnsd.networks import Networks
from sidecar.config.model import DnsSettings
from sidecar.config.units import dns_server

__all__ = ["Forwarding", "forwarding_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """Whom to ask for which domain, for whom, and within what bounds."""

    groups: Mapping[Labels, Group]
    allowed: Networks
    timeout: float
    stale: float
    cache_bytes: int
    concurrent: int
    mix_case: bool

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """Every server."""
        return tuple(upstream for group in self.groups.values() for upstream in group.upstreams)


def forwarding_of(settings: DnsSettings) -> Forwarding:
    """Return how to forward."""
    groups: dict[Labels, Group] = {}
    if settings.recursors:
        groups[()] = _group(settings.recursors, settings)
    for text in settings.forward:
        domain, _, servers = text.partition("=")
        groups[zone_of(domain).labels] = _group(servers.split(","), settings)
    return Forwarding(
        groups=groups,
        allowed=Networks(settings.recursion_allow),
        timeout=settings.recursor_timeout,
        stale=settings.serve_stale,
        cache_bytes=settings.cache_bytes,
        concurrent=settings.max_concurrent_forwards,
        mix_case=settings.mix_case,
    )


def _group(servers: Iterable[str], settings: DnsSettings) -> Group:
    return Group([Upstream(dns_server(at)) for at in servers], settings.recursor_strategy)
