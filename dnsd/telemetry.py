"""The query path's integers as Prometheus metrics, summed when they are scraped.

Names follow CoreDNS. One collector stands for every server of the process that still exists.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Final, Literal
from weakref import WeakSet

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from dnsd.cache import Responder
from dnsd.tallies import SIZE_BOUNDS, Channel, Key, Tally
from sidecar.metrics import REGISTRY

__all__ = ["Telemetry"]

Labels = tuple[str, ...]
_Item = tuple[Channel, Key, Tally]


class Telemetry:
    """What one server counts; outlives its sockets, so that a restart does not reset it."""

    def __init__(self, responder: Responder) -> None:
        """Join the process's metrics."""
        self.responder = responder
        self._channels: dict[tuple[str, str], Channel] = {}
        _SERVERS.add(self)

    @property
    def channels(self) -> Sequence[Channel]:
        """Every socket served so far."""
        return list(self._channels.values())

    def channel(
        self, server: str, proto: Literal["udp", "tcp"], family: Literal["1", "2"]
    ) -> Channel:
        """Return the counts of a socket, the same again after a restart."""
        found = self._channels.get((server, proto))
        if found is None:
            found = self._channels[server, proto] = Channel(server, proto, family)
        return found


class _Collector(Collector):
    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        servers = list(_SERVERS)
        channels = [channel for server in servers for channel in server.channels]
        items = [(c, key, tally) for c in channels for key, tally in list(c.tallies.items())]
        yield from _requests(items)
        yield from _sizes(items)
        yield from _mishaps(channels)
        hits = sum(tally.hits for _, _, tally in items) - sum(c.parsed for c in channels)
        yield CounterMetricFamily(
            "dnsd_answer_cache_hits_total", "Replies without parsing.", value=max(hits, 0)
        )
        yield CounterMetricFamily(
            "dnsd_answer_cache_misses_total",
            "Messages that had to be parsed.",
            value=sum(c.misses for c in channels),
        )
        views = [server.responder.replies().view for server in servers]
        yield GaugeMetricFamily(
            "dnsd_catalog_generation",
            "Index of the snapshot that answers come from.",
            value=max((view.snapshot.index for view in views), default=0),
        )
        yield GaugeMetricFamily(
            "dnsd_catalog_unnamed_services",
            "Services left out because their name is no DNS label.",
            value=sum(view.unnamed for view in views),
        )


def _requests(items: Sequence[_Item]) -> Iterator[Metric]:
    yield _counter(
        "dnsd_dns_requests_total",
        "Queries that were answered.",
        ("server", "zone", "proto", "family", "type"),
        items,
        lambda c, k: (c.server, k.zone, c.proto, c.family, k.type),
    )
    yield _counter(
        "dnsd_dns_responses_total",
        "Replies by return code.",
        ("server", "zone", "rcode"),
        items,
        lambda c, k: (c.server, k.zone, k.rcode),
    )
    yield _counter(
        "dnsd_dns_do_requests_total",
        "Queries with the DO bit.",
        (),
        [item for item in items if item[1].do],
        lambda c, k: (),  # noqa: ARG005
    )
    yield _counter(
        "dnsd_dns_truncated_total",
        "Replies that had to leave out answers.",
        ("proto",),
        [item for item in items if item[1].truncated],
        lambda c, k: (c.proto,),  # noqa: ARG005
    )


def _counter(
    name: str,
    documentation: str,
    labels: Labels,
    items: Sequence[_Item],
    values: Callable[[Channel, Key], Labels],
) -> Metric:
    sums: Counter[Labels] = Counter()
    for channel, key, tally in items:
        sums[values(channel, key)] += tally.hits
    return _counted(name, documentation, labels, sums)


def _counted(name: str, documentation: str, labels: Labels, sums: Counter[Labels]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=labels)
    if not labels:
        family.add_metric((), sums[()])
    else:
        for values, number in sums.items():
            family.add_metric(values, number)
    return family


def _sizes(items: Sequence[_Item]) -> Iterator[Metric]:
    for name, documentation, pick in (
        ("dnsd_dns_request_size_bytes", "Octets of queries.", _size_in),
        ("dnsd_dns_response_size_bytes", "Octets of replies.", _size_out),
    ):
        buckets: dict[Labels, list[int]] = {}
        sums: Counter[Labels] = Counter()
        for channel, key, tally in items:
            bucket, octets = pick(key, tally)
            labels: Labels = (channel.server, key.zone, channel.proto)
            buckets.setdefault(labels, [0] * (len(SIZE_BOUNDS) + 1))[bucket] += tally.hits
            sums[labels] += octets
        family = HistogramMetricFamily(name, documentation, labels=("server", "zone", "proto"))
        for labels, counts in buckets.items():
            bounds = [*(str(float(bound)) for bound in SIZE_BOUNDS), "+Inf"]
            totals = list(zip(bounds, map(float, accumulate(counts)), strict=True))
            family.add_metric(labels, totals, sums[labels])
        yield family


def _size_in(key: Key, tally: Tally) -> tuple[int, int]:
    return key.size_in, tally.octets_in


def _size_out(key: Key, tally: Tally) -> tuple[int, int]:
    return key.size_out, tally.octets_out


def _mishaps(channels: Sequence[Channel]) -> Iterator[Metric]:
    dropped: Counter[Labels] = Counter()
    formerr: Counter[Labels] = Counter()
    for channel in channels:
        for reason, number in list(channel.dropped.items()):
            dropped[(reason,)] += number
        for reason, number in list(channel.formerr.items()):
            formerr[(reason,)] += number
    yield _counted("dnsd_dns_dropped_total", "Messages without reply.", ("reason",), dropped)
    yield _counted("dnsd_dns_formerr_total", "Malformed queries.", ("reason",), formerr)
    yield CounterMetricFamily(
        "dnsd_panics_total",
        "Queries answered SERVFAIL because of a defect here.",
        value=sum(c.panics for c in channels),
    )
    yield GaugeMetricFamily(
        "dnsd_tcp_connections", "Open connections.", value=sum(c.connections for c in channels)
    )


_SERVERS: Final[WeakSet[Telemetry]] = WeakSet()
REGISTRY.register(_Collector())
