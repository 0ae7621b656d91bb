"""The query path's integers as Prometheus metrics; loaded when somebody looks at them first."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from dnsd.tallies import SIZE_BOUNDS, Channel, Key, Tally
from dnsd.telemetry import Telemetry

__all__ = ["families"]

Labels = tuple[str, ...]
_Item = tuple[Channel, Key, Tally]


def families(running: Iterable[Telemetry]) -> Iterator[Metric]:
    """Yield what these servers counted together."""
    servers = list(running)
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
