"""A line of StatsD to samples, with statsd_exporter's order of refusals. Pure.

``name:value|type[|@rate][|#tags][|c:container][|Tts]``, and several samples for one name with
colons between. Its counters depend on the order in which a line is looked at, so that is kept.
"""

from typing import Final, NamedTuple

from adapter.statsd.tags import Styles, Tags
from adapter.statsd.tally import Tally
from adapter.statsd.values import go_float

__all__ = ["Limits", "Parsed", "Sample", "parsed"]

_TIMED: Final = frozenset({"ms", "h", "d"})
_KINDS: Final = {"c": "counter", "g": "gauge", "ms": "observer", "h": "observer", "d": "observer"}
_SMALLEST: Final = 5e-324  # what rates beyond all measure come to, instead of nothing
_CONTAINER: Final = "container_id"


class Limits(NamedTuple):
    """What a line may ask for."""

    weight: int = 10_000
    """How often a sampled observation counts at the most."""
    sets: bool = False


class Sample(NamedTuple):
    """One event; ``value`` is divided by ``divisor`` and counts ``weight`` times."""

    kind: str
    value: float
    is_relative: bool
    divisor: float
    weight: int
    member: str = ""
    """Of a set."""


class Parsed(NamedTuple):
    """What a line says."""

    name: str
    labels: dict[str, str]
    samples: list[Sample]
    is_simple: bool
    """Whether another line that differs only in the value says the same with that value."""


def parsed(line: bytes, styles: Styles, limits: Limits, tally: Tally) -> Parsed | None:
    """Return what a line says, or nothing; counts samples, tags and everything wrong."""
    if line.endswith(b"\r"):
        line = line[:-1]
    if not line:
        return None
    if line.startswith((b"_e{", b"_sc|")):
        tally.events["event" if line[1:2] == b"e" else "service_check"] += 1
        return None
    try:
        name, colon, rest = line.decode().partition(":")
    except UnicodeDecodeError:
        name = colon = rest = ""
    if not colon or not name:
        tally.sample_errors["malformed_line"] += 1
        return None
    tags = Tags()
    metric = tags.of_name(name, styles)
    found = _samples(metric, rest, tags, _Rules(styles, limits, tally))
    tally.tag_errors += tags.errors
    return found


class _Rules(NamedTuple):
    styles: Styles
    limits: Limits
    tally: Tally

    def refuse(self, reason: str) -> None:
        self.tally.sample_errors[reason] += 1


def _samples(metric: str, rest: str, tags: Tags, rules: _Rules) -> Parsed | None:
    has_section = "|#" in rest
    if has_section and tags.labels:
        rules.refuse("mixed_tagging_styles")
        return None
    first, *others = rest.split("|", 2)
    if not others:
        rules.refuse("not_enough_parts_after_colon")
        return None
    if ":" in first:
        if others[0] not in _TIMED:
            rules.refuse("invalid_extended_aggregate_type")
            return None
        suffix = rest[len(first) :]
        texts = [value + suffix for value in first.split(":")]
    else:
        texts = [rest] if has_section or _has_container(rest) else rest.split(":")
    tally = rules.tally
    before = tally.sample_errors.total() + tally.capped
    made = [_sample(text, tags, rules) for text in texts]
    samples = [sample for sample in made if sample is not None]
    is_right = tally.sample_errors.total() + tally.capped == before and not tags.errors
    return Parsed(metric, tags.labels, samples, len(texts) == 1 and is_right)


def _has_container(rest: str) -> bool:
    """Tell a container without tags (``1|c|c:id``) from several samples (``1|c:2|c``)."""
    before, colon, _ = rest.partition(":")
    return bool(colon) and before.endswith("|c") and before.count("|") > 1


def _sample(text: str, tags: Tags, rules: _Rules) -> Sample | None:
    rules.tally.samples += 1
    value_text, *components = text.split("|")
    if not 1 <= len(components) <= 5:
        rules.refuse("malformed_component")
        return None
    kind, *more = components
    is_member = kind == "s" and rules.limits.sets
    try:
        value = 0.0 if is_member else go_float(value_text)
    except ValueError:
        rules.refuse("malformed_value")
        return None
    scaling = _scaling(kind, more, tags, rules)
    if scaling is None:
        return None
    rules.tally.tags += bool(tags.labels)
    if is_member:
        return Sample("set", 0.0, is_relative=False, divisor=1.0, weight=1, member=value_text)
    if kind not in _KINDS:
        rules.refuse("illegal_event")
        return None
    return Sample(_KINDS[kind], value, value_text[0] in "+-", *scaling)


def _scaling(kind: str, more: list[str], tags: Tags, rules: _Rules) -> tuple[float, int] | None:
    """Return divisor and weight; takes tags on the way. None: something is not understood."""
    if "" in more:
        rules.refuse("malformed_component")
        return None
    divisor, weight = 1000.0 if kind == "ms" else 1.0, 1
    for component in more:
        if component[0] == "@":
            rate = _rate(component[1:], rules)
            if kind == "c":
                divisor = divisor * rate or _SMALLEST
            elif kind in _TIMED:
                weight = _weight(rate)
        elif not _took(component, tags, rules):
            return None
    if weight > rules.limits.weight:
        weight = rules.limits.weight
        rules.tally.capped += 1
    return divisor, weight


def _took(component: str, tags: Tags, rules: _Rules) -> bool:
    """Take tags, a container or a time; say whether the component is one of them."""
    match component[0]:
        case "#":
            if rules.styles.dogstatsd:
                tags.of_section(component[1:])
        case "c":
            if not component.startswith("c:") or len(component) == 2:
                rules.refuse("malformed_container_id")
                return False
            tags.labels[_CONTAINER] = component[2:]
        case "T":
            pass  # when it was: Prometheus takes what is now
        case _:
            rules.refuse("invalid_sample_factor")
            return False
    return True


def _rate(text: str, rules: _Rules) -> float:
    """Return a sample rate; a wrong one is counted, and the sample kept as it is."""
    try:
        return go_float(text) or 1.0
    except ValueError:
        rules.refuse("invalid_sample_factor")
        return 1.0


def _weight(rate: float) -> int:
    """Return how often an observation counts; 0 for rates above 1, below 0 and no number."""
    times = 1 / rate
    return int(min(times, 1e18)) if times >= 1 else 0
