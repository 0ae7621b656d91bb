"""What forwarding counts; names follow CoreDNS."""

from functools import partial
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from dnsd import codes
from sidecar.config.units import Endpoint
from sidecar.metrics import counter, gauge, histogram

if TYPE_CHECKING:
    from dnsd.forward.resolver import Resolver

__all__ = [
    "RESOLVERS",
    "hits",
    "probe_failures",
    "received",
    "rejects",
    "requests",
    "sent",
    "stale",
]

RESOLVERS: "Final[WeakSet[Resolver]]" = WeakSet()
"""Whose caches the gauges count."""

requests = counter("dnsd_cache_requests_total", "Questions that the cache was asked")
hits = counter("dnsd_cache_hits_total", "Questions that the cache answered", ["type"])
stale = counter("dnsd_cache_served_stale_total", "Ended answers given because nobody answered")
sent = counter("dnsd_forward_requests_total", "Questions to other servers", ["to"])
rejects = counter(
    "dnsd_forward_max_concurrent_rejects_total", "Questions refused as too many were under way"
)
probe_failures = counter("dnsd_forward_healthcheck_failures_total", "Probes without answer", ["to"])
_responses = counter("dnsd_forward_responses_total", "Replies of other servers", ["to", "rcode"])
_duration = histogram(
    "dnsd_forward_request_duration_seconds",
    "How long other servers took",
    (0.00025, 0.001, 0.004, 0.016, 0.064, 0.256, 1.024, 4.096),
    ["to"],
)
_entries = gauge("dnsd_cache_entries", "Answers kept", ["type"])
_evictions = counter("dnsd_cache_evictions_total", "Answers that made room for others")


def _count(kind: str) -> float:
    return sum(resolver.cache.count(kind) for resolver in RESOLVERS)


def _evicted() -> float:
    return sum(resolver.cache.evicted for resolver in RESOLVERS)


for _kind in ("success", "denial"):
    hits.labels(_kind)
    _entries.labels(_kind).set_function(partial(_count, _kind))
_evictions.labels().set_function(_evicted)


def received(at: Endpoint, rcode: int, seconds: float) -> None:
    """Count a reply."""
    _responses.labels(at, codes.RCODE_NAMES.get(rcode, "other")).inc()
    _duration.labels(at).observe(seconds)
