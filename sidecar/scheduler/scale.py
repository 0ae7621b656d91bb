"""How many replicas a service should have by what is measured of it. Pure.

    ratio   = measured / target      the mean over ready instances; the sum for a total
    desired = ceil(ready * ratio)    unless the ratio is within the tolerance of 1
    several metrics: the largest; one that failed never scales down
    a missing sample counts as the target on the way down and as nothing on the way up, an instance
    that is not ready as nothing on the way up; if that turns the direction round, nothing changes
    then: bounds, rates, stabilisation, cooldown

The formula and its defaults are those of Kubernetes' horizontal autoscaler
(kubernetes:pkg/controller/podautoscaler/replica_calculator.go).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final, NamedTuple

__all__ = [
    "Direction",
    "History",
    "Measured",
    "Metric",
    "Recommendation",
    "ScalePolicy",
    "recommend",
]

_MOST: Final = 1e9  # more than anybody's bound; a sum of measures may be infinite
_CLOSE: Final = 1e-9  # what floating point may add to a ratio that is exact on paper


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured and what each instance should have of it; or all together (a total)."""

    name: str
    target: float
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Direction:
    """How fast the number may go up or down; seconds."""

    count: int
    share: float = 1.0
    period: float = 15.0
    stabilisation: float = 0.0
    cooldown: float = 0.0

    def most(self, replicas: int) -> int:
        """Return by how many it may change within one period."""
        return max(self.count, ceil(replicas * self.share - _CLOSE))


_UP: Final = Direction(4)
_DOWN: Final = Direction(0, stabilisation=300.0)


@dataclass(frozen=True, slots=True)
class ScalePolicy:
    """Bounds, metrics and speeds of one service."""

    least: int
    most: int
    metrics: tuple[Metric, ...]
    tolerance: float = 0.1
    up: Direction = _UP
    down: Direction = _DOWN

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises ValueError."""
        if not 0 <= self.least <= self.most or not self.most:
            raise ValueError(f"bounds {self.least} to {self.most}")
        if not self.metrics or any(metric.target <= 0 for metric in self.metrics):
            raise ValueError("a metric with a target above 0 is needed")
        if not self.least and not any(metric.is_total for metric in self.metrics):
            raise ValueError("0 replicas need a metric that exists without any: a total")


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric's samples: ready instances that have one, and how many have none.

    A total is one sample, with how many are ``ready``. ``failed``: the source did not answer.
    """

    samples: Sequence[float] = ()
    missing: int = 0
    not_ready: int = 0
    failed: bool = False
    ready: int = 0


class _Moment(NamedTuple):
    at: float
    number: int


@dataclass(frozen=True, slots=True)
class History:
    """Recommendations and changes of late, by time."""

    recommended: tuple[_Moment, ...] = ()
    changed: tuple[_Moment, ...] = ()
    """By how many replicas the number was changed; negative on the way down."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """How many replicas there should be now, why, and what is to be remembered."""

    replicas: int
    why: str
    history: History = field(default_factory=History)


def recommend(
    policy: ScalePolicy,
    measured: Mapping[str, Measured],
    history: History,
    *,
    replicas: int,
    now: float,
    is_rolling: bool = False,
) -> Recommendation:
    """Return the number of replicas; ``now`` is of a clock that does not jump."""
    wanted, why = _wanted(policy, measured, replicas)
    wanted = min(max(wanted, policy.least), policy.most)
    is_out_of_bounds = not policy.least <= replicas <= policy.most
    recent = tuple(
        each
        for each in history.recommended
        if now - each.at < max(policy.up.stabilisation, policy.down.stabilisation)
    )
    recommended = (*recent, _Moment(now, wanted))
    if is_out_of_bounds:
        number = wanted
    else:
        number = _rated(policy, wanted, replicas, history, now)
        number = _stabilised(policy, number, replicas, recommended, now)
        if _is_cooling(policy, number - replicas, history, now):
            number, why = replicas, f"{why}; cooling down"
    if is_rolling and number < replicas:
        number, why = replicas, f"{why}; not down during a rollout"
    changed = tuple(each for each in history.changed if now - each.at < _memory(policy))
    if number != replicas:
        changed = (*changed, _Moment(now, number - replicas))
    return Recommendation(number, why, History(recommended, changed))


def _memory(policy: ScalePolicy) -> float:
    return max(each for way in (policy.up, policy.down) for each in (way.period, way.cooldown))


def _wanted(
    policy: ScalePolicy, measured: Mapping[str, Measured], replicas: int
) -> tuple[int, str]:
    best: tuple[int, str] | None = None
    failed: list[str] = []
    for metric in policy.metrics:
        found = measured.get(metric.name, Measured(failed=True))
        number = None if found.failed else _by_metric(metric, found, policy.tolerance, replicas)
        if number is None:
            failed.append(metric.name)
        elif best is None or number > best[0]:
            best = number, f"{metric.name} asks for {number}"
    if best is None:
        return replicas, f"nothing is known of {', '.join(failed)}"
    if failed and best[0] < replicas:
        return replicas, f"{best[1]}, but nothing is known of {', '.join(failed)}"
    return best


def _by_metric(metric: Metric, found: Measured, tolerance: float, replicas: int) -> int | None:
    """Return how many replicas one metric asks for; None when nothing was measured."""
    ready = len(found.samples)
    if metric.is_total:
        if not found.samples:
            return None
        ratio = sum(found.samples) / metric.target
        return _by_total(ratio, found.ready, tolerance, replicas) if replicas else int(ratio > 0)
    if not ready:
        return None
    ratio = sum(found.samples) / ready / metric.target
    if not found.missing and not (found.not_ready and ratio > 1):
        return _times(ready, ratio, tolerance) if abs(1 - ratio) > tolerance else replicas
    return _corrected(metric, found, ratio, tolerance, replicas)


def _by_total(ratio: float, ready: int, tolerance: float, replicas: int) -> int:
    """Return what a total asks for; those that are not ready never turn the direction round."""
    if abs(1 - ratio) <= tolerance or (ratio and not ready):
        return replicas
    wanted = _times(ready, ratio, tolerance)
    return max(wanted, replicas) if ratio > 1 else min(wanted, replicas)


def _corrected(
    metric: Metric, found: Measured, ratio: float, tolerance: float, replicas: int
) -> int:
    total, number = sum(found.samples), len(found.samples) + found.missing
    if ratio < 1:
        total += found.missing * metric.target
    else:
        number += found.not_ready
    corrected = total / number / metric.target
    is_turned = (ratio < 1) is not (corrected < 1) and corrected != 1
    if is_turned or abs(1 - corrected) <= tolerance:
        return replicas
    wanted = _times(number, corrected, tolerance)
    return replicas if (wanted < replicas) is not (corrected < 1) else wanted


def _times(ready: int, ratio: float, tolerance: float) -> int:
    return ready if abs(1 - ratio) <= tolerance else ceil(min(ready * ratio, _MOST) - _CLOSE)


def _rated(policy: ScalePolicy, wanted: int, replicas: int, history: History, now: float) -> int:
    """Return what the rates leave of a change; what was changed in the period counts."""
    if wanted == replicas:
        return replicas
    is_up = wanted > replicas
    way = policy.up if is_up else policy.down
    done = sum(
        each.number
        for each in history.changed
        if now - each.at < way.period and (each.number > 0) is is_up
    )
    begin = replicas - done
    if is_up:
        return max(min(wanted, begin + way.most(begin)), replicas)
    return min(max(wanted, begin - way.most(begin)), replicas)


def _stabilised(
    policy: ScalePolicy, number: int, replicas: int, recommended: Sequence[_Moment], now: float
) -> int:
    """Go up only to the least, and down only to the most, that was asked for in its window."""
    if number > replicas:
        window = [each.number for each in recommended if now - each.at < policy.up.stabilisation]
        return max(min([number, *window]), replicas)
    window = [each.number for each in recommended if now - each.at < policy.down.stabilisation]
    return min(max([number, *window]), replicas)


def _is_cooling(policy: ScalePolicy, change: int, history: History, now: float) -> bool:
    way = policy.up if change > 0 else policy.down
    return bool(change) and any(
        now - each.at < way.cooldown and (each.number > 0) is (change > 0)
        for each in history.changed
    )
