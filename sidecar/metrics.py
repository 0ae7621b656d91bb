"""Our own telemetry: names of metrics and the registry they live in.

Names are ``pinnace_<package>_<noun>_<unit>[_total]`` (``dnsd_`` for the DNS server, whose names
follow CoreDNS), declared at the top of the module that counts; a test checks the pattern. The
adapters' big expositions do not come from here.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["CONTENT_TYPE", "REGISTRY", "counter", "exposition", "gauge", "histogram"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REGISTRY = CollectorRegistry()


def counter(name: str, documentation: str, labels: Sequence[str] = ()) -> Counter:
    """Declare a counter; its name ends in ``_total``."""
    return Counter(name, documentation, labels, registry=REGISTRY)


def gauge(name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
    """Declare a gauge."""
    return Gauge(name, documentation, labels, registry=REGISTRY)


def histogram(
    name: str, documentation: str, buckets: Sequence[float], labels: Sequence[str] = ()
) -> Histogram:
    """Declare a histogram with its upper bounds."""
    return Histogram(name, documentation, labels, buckets=buckets, registry=REGISTRY)


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
