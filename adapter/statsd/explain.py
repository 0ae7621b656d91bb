"""What a line would do: as read, the rule, the series. Pure."""

from collections.abc import Iterator

from adapter.exposition import written
from adapter.statsd.families import own_families, series_families
from adapter.statsd.lines import Limits, Parsed, Sample, parsed
from adapter.statsd.machine import Machine
from adapter.statsd.mapping import Mapping
from adapter.statsd.tags import Styles
from adapter.statsd.tally import Tally

__all__ = ["explained"]

_QUIET = ("lines_total", "samples_total", "tags_total", "events_unmapped_total")
_PREFIX = "statsd_exporter_"


def explained(line: str, mapping: Mapping, styles: Styles, limits: Limits, place: str) -> str:
    """Return lines for a person; ``place`` is the file of the mappings."""
    data = line.encode("utf-8", "surrogateescape")
    machine = Machine(mapping, styles=styles, limits=limits)
    machine.take(data, 0.0)
    found = [f"line     {line}"]
    read = parsed(data, styles, limits, Tally())
    if read is not None:
        found += _read(read, machine, place)
    found += [f"counted  {line}" for line in _counted(machine)]
    series = written(series_families(machine, 0.0)).splitlines()
    found += [f"series   {line}" for line in series if not line.startswith("# HELP")]
    return "\n".join(found)


def _read(read: Parsed, machine: Machine, place: str) -> Iterator[str]:
    yield f"name     {read.name}"
    for label, value in read.labels.items():
        yield f"tag      {label} = {value}"
    for sample in read.samples:
        yield f"sample   {_sample(sample)}"
        kind = "gauge" if sample.kind == "set" else sample.kind
        mapped = machine.mapper.find(read.name, kind)
        if mapped is None:
            yield "rule     none"
        else:
            what = "dropped" if mapped.rule.is_drop else mapped.name or "no name"
            yield f"rule     {place}:{mapped.rule.line} {mapped.rule.match} -> {what}"


def _sample(sample: Sample) -> str:
    text = f"{sample.kind} {sample.member or sample.value}"
    if sample.is_relative:
        text += ", relative"
    if sample.divisor != 1:
        text += f", divided by {sample.divisor:g}"
    return text + (f", {sample.weight} times" if sample.weight != 1 else "")


def _counted(machine: Machine) -> Iterator[str]:
    for line in written(own_families(machine, "")).splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith(_PREFIX) and "_total" in name and float(value):
            short = name.removeprefix(_PREFIX)
            if short not in _QUIET and not short.startswith("metrics_total"):
                yield f"{short} {value}"
