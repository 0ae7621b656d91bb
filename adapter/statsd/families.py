"""What a scrape gets: the senders' series and our own numbers. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from adapter.exposition import Family, Kind
from adapter.statsd.machine import Machine
from adapter.statsd.series import Observed, SetSeries
from adapter.statsd.store import Group
from adapter.statsd.tally import Tally

__all__ = ["OWN", "own_families", "series_families"]

_PREFIX: Final = "statsd_exporter_"

_NUMBERS: Final[Mapping[str, tuple[str, Kind, str]]] = {
    "lines": ("lines_total", "counter", "Lines received."),
    "samples": ("samples_total", "counter", "Samples received; a line may hold several."),
    "tags": ("tags_total", "counter", "Samples with tags."),
    "tag_errors": ("tag_errors_total", "counter", "Tags that were malformed or reserved."),
    "unmapped": ("events_unmapped_total", "counter", "Events that no mapping was for."),
    "flushes": ("event_queue_flushed_total", "counter", "Batches of datagrams that were taken."),
    "udp_packets": ("udp_packets_total", "counter", "Datagrams received by UDP."),
    "udp_drops": ("udp_packet_drops_total", "counter", "UDP datagrams the kernel had to drop."),
    "unixgram_packets": ("unixgram_packets_total", "counter", "Datagrams by a Unix socket."),
    "tcp_connections": ("tcp_connections_total", "counter", "TCP connections accepted."),
    "tcp_errors": ("tcp_connection_errors_total", "counter", "TCP connections that broke."),
    "tcp_too_long": ("tcp_too_long_lines_total", "counter", "TCP lines that were too long."),
    "renamed": ("labels_renamed_total", "counter", "Events with a label le or quantile."),
    "capped": ("sample_weights_capped_total", "counter", "Samples with a rate that is too small."),
    "defects": ("defects_total", "counter", "Lines on which the program itself failed."),
}
"""Field of the tally to what it is shown as."""

_COUNTS: Final[Mapping[str, tuple[str, tuple[str, ...], str]]] = {
    "sample_errors": ("sample_errors_total", ("reason",), "Samples that could not be read."),
    "events": ("events_total", ("type",), "Events seen."),
    "actions": ("events_actions_total", ("action",), "Events by the action of their mapping."),
    "event_errors": ("events_error_total", ("reason",), "Events that were refused."),
    "conflicts": (
        "events_conflict_total",
        ("type", "metric_name"),
        "Events whose name is another type's.",
    ),
    "overflows": (
        "series_overflow_total",
        ("metric_name",),
        "Events for whose series there was no room.",
    ),
    "reloads": ("config_reloads_total", ("outcome",), "Reloads of the mapping file."),
}

_CACHE: Final = "statsd_metric_mapper_cache_"
_GAUGES: Final = ("loaded_mappings", "metrics_total", "series", "known_lines", "build_info")

OWN: Final = frozenset(
    [_PREFIX + name for name, *_ in (*_NUMBERS.values(), *_COUNTS.values())]
    + [_PREFIX + name for name in _GAUGES]
    + [_PREFIX + f"relay_{name}_total" for name in ("packets", "long_lines", "lines_relayed")]
    + [_CACHE + name for name in ("length", "gets_total", "hits_total")]
)
"""Names that are not for senders."""


def series_families(machine: Machine, now: float) -> Iterator[Family]:
    """Yield the senders' series, each family when it is its turn."""
    for name in sorted(machine.store.groups):
        group = machine.store.groups.get(name)  # it may have gone since
        if group is not None:
            yield _family(group, now)


def _family(group: Group, now: float) -> Family:
    family = Family(group.name, group.kind, group.help)
    if group.kind in ("counter", "gauge"):
        for series in group:
            if type(series) is SetSeries:
                series.turn(now)
        family.rows = [(series.text, series.value) for series in group]
    else:
        length = len(group.name)
        # Quantiles take their time: they are looked for piece by piece, of the series of now.
        observed = [series for series in group if isinstance(series, Observed)]
        family.later = (series.spread(series.text[length:]) for series in observed)
    return family


def own_families(machine: Machine, version: str, relays: Iterable[Family] = ()) -> list[Family]:
    """Return our own numbers, as they are now."""
    tally = machine.tally
    tally.settle()
    found = [_number(tally, field, *shown) for field, shown in _NUMBERS.items()]
    found += [_counts(tally, field, *shown) for field, shown in _COUNTS.items()]
    found += _state(machine, version)
    found += relays
    return found


def _number(tally: Tally, field: str, name: str, kind: Kind, text: str) -> Family:
    family = Family(_PREFIX + name, kind, text)
    family.add({}, getattr(tally, field))
    return family


def _counts(tally: Tally, field: str, name: str, labels: tuple[str, ...], text: str) -> Family:
    family = Family(_PREFIX + name, "counter", text)
    for key, count in getattr(tally, field).items():
        values = (key,) if isinstance(key, str) else key
        family.add(dict(zip(labels, values, strict=True)), count)
    return family


def _state(machine: Machine, version: str) -> Iterator[Family]:
    shapes = {"counter": 0, "gauge": 0, "histogram": 0, "summary": 0, "unknown": 0}
    for group in machine.store.groups.values():
        shapes[group.kind] += len(group.shapes)
    # The peer's name for what may fall; as a gauge it would be called wrong by promtool.
    metrics = Family(f"{_PREFIX}metrics_total", "unknown", "Names, by type and set of labels.")
    for kind, count in shapes.items():
        if count:
            metrics.add({"type": kind}, count)
    yield metrics
    info = Family(f"{_PREFIX}build_info", "gauge", "The program's version.")
    info.add({"version": version, "branch": "", "goversion": "", "revision": ""}, 1)
    yield info
    tally, mapper = machine.tally, machine.mapper
    gauges: list[tuple[str, Kind, str, float]] = [
        (f"{_PREFIX}loaded_mappings", "gauge", "Mappings.", len(mapper.mapping.rules)),
        (f"{_PREFIX}series", "gauge", "Series that senders made.", machine.store.count),
        (f"{_PREFIX}known_lines", "gauge", "Lines known by all but their value.", machine.keys),
        (f"{_CACHE}length", "gauge", "Results of mapping that are kept.", len(mapper)),
        (f"{_CACHE}gets_total", "counter", "Look-ups.", tally.lookups + mapper.lookups),
        (f"{_CACHE}hits_total", "counter", "Kept ones used.", tally.lookup_hits + mapper.hits),
    ]
    for name, kind, text, value in gauges:
        family = Family(name, kind, text)
        family.add({}, value)
        yield family
