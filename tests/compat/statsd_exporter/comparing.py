"""How two expositions are compared: what is not compared, and what differs on purpose."""

import math
import re
from collections.abc import Iterable, Mapping

from adapter.exposition import written
from adapter.statsd.families import OWN, own_families, series_families
from adapter.statsd.flags import parse
from adapter.statsd.machine import Machine
from adapter.statsd.mapping import mapping_of
from adapter.statsd.options import options_of
from tests.compat.statsd_exporter.scenarios import Scenario
from tests.support.statsd import OURS, Exporter, series_of

__all__ = ["DIFFERENCES", "computed", "differing", "observed"]

_OTHERS = re.compile(
    r"(TYPE )?(go_|process_|promhttp_|pinnace_|statsd_metric_mapper_cache_(length|gets|hits)"
    r"|statsd_exporter_(build_info|udp_|tcp_|unixgram_|event_queue_|series|known_lines"
    r"|sample_weights|labels_renamed|defects|relay_|loaded_mappings))"
)
"""What depends on the process, not on the lines."""

DIFFERENCES = {
    r"(TYPE )?n43\b.*": "a carriage return at the end of a line is no part of the type",
    r"(TYPE )?n45\b.*": "0.28 counts an unknown component and takes the sample; later ones do not",
    r"statsd_exporter_events_conflict_total\{.*": "ours says which name, as later ones do",
    r'statsd_exporter_events_total\{type="(event|service_check)"\}': "DataDog's are no errors",
    r"statsd_exporter_tag_errors_total": "0.28 takes the comma of an event for a tag",
    r"statsd_exporter_samples_total": "0.28 counts an event as a sample",
    r'statsd_exporter_sample_errors_total\{reason="(illegal_event|malformed_(line|value))"\}': (
        "the carriage return, the service check, the event"
    ),
    r"TYPE statsd_exporter_metrics_total .*": "a gauge of that name is an error to promtool",
    r"TYPE statsd_exporter_\w+ counter": "ours shows a counter's type before it has counted",
    r"statsd_exporter_config_reloads_total\{.*": "ours begin at 0",
}
"""Series that differ, with the reason."""


def observed(scenario: Scenario, program: Iterable[str] = OURS) -> Mapping[str, float]:
    """Return what a program shows after the lines."""
    with Exporter(*scenario.flags, program=program, mapping=scenario.mapping) as exporter:
        exporter.send(*map(_octets, scenario.lines))
        return _compared(exporter.settled())


def computed(scenario: Scenario) -> Mapping[str, float]:
    """Return what ours shows, without a process."""
    options = options_of(parse(scenario.flags))
    mapping = mapping_of(scenario.mapping, "mapping.yml")
    machine = Machine(mapping, styles=options.styles, reserved=OWN)
    for line in scenario.lines:
        machine.take(_octets(line), 0.0)
    families = [*own_families(machine, "1"), *series_families(machine, 0.0)]
    return _compared(series_of(written(families)))


def _octets(line: str) -> bytes:
    return line.encode("utf-8", "surrogateescape")


def _compared(found: Mapping[str, float]) -> Mapping[str, float]:
    return {series: value for series, value in found.items() if not _OTHERS.match(series)}


def differing(theirs: Mapping[str, float], ours: Mapping[str, float]) -> dict[str, str]:
    """Return the series that differ and should not."""
    found = {}
    for series in sorted(theirs.keys() | ours.keys()):
        one, other = theirs.get(series), ours.get(series)
        if one is not None and other is not None and _is_same(one, other):
            continue
        if not any(re.fullmatch(pattern, series) for pattern in DIFFERENCES):
            found[series] = f"theirs {one}, ours {other}"
    return found


def _is_same(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=1e-9)
