"""How a new spec is tried on a share of the traffic before it is rolled out. Pure.

    starting    canaries are made beside the stable copies; they get no work yet
    trying      they get the step's share until it was held long enough and nothing speaks against
    waiting     a person must promote: it is not automatic, or there were too few requests
    promoted    the rest is rolled out as any other spec; canaries keep their share until it is
    aborted     the share is 0 at once, canaries are drained and removed, the old spec stays

Judged is what the load balancer counted in one window, of both sides: canaries may fail as often as
the stable copies do, and by ``max_error_ratio`` more. A step is lost as soon as that is certain,
whatever the rest of its least number of requests would bring.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Final

import msgspec

from sidecar.catalog.matching import Lot

__all__ = [
    "PREFIX", "CanaryPolicy", "Kept", "Phase", "Sides", "Tally", "Trial", "is_canary", "kept_of",
    "step",
]  # fmt: skip

PREFIX: Final = "canary-"
"""Slots of canaries are called so, with a number behind."""


class Phase(StrEnum):
    """The state of a trial."""

    STARTING = "starting"
    TRYING = "trying"
    WAITING = "waiting"
    PROMOTED = "promoted"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPolicy:
    """``x-pinnace.canary``: shares in per cent, times in seconds."""

    steps: tuple[float, ...]
    hold: float = 60.0
    max_error_ratio: float = 0.01
    max_p95: float | None = None
    """Of what is known of times: proxies tell a mean only, which is compared instead."""
    min_requests: int = 100
    auto_promote: bool = True
    deadline: float = 600.0
    """So long a step waits for its least number of requests."""
    match: str = ""
    """Requests that are all for canaries, as ``matches_of`` reads them."""

    def count(self, replicas: int, number: int) -> int:
        """Return how many canaries a step has."""
        share = self.steps[min(number, len(self.steps) - 1)]
        return max(1, ceil(replicas * share / 100 - 1e-9))


class Tally(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a load balancer counted of one side since some moment."""

    requests: int = 0
    errors: int = 0
    """Answers of 500 and above, connections that failed, and what had to be sent again."""

    def since(self, before: "Tally") -> "Tally":
        """Return what came after an earlier count; a count that fell began anew."""
        if self.requests < before.requests or self.errors < before.errors:
            return self
        return Tally(self.requests - before.requests, self.errors - before.errors)

    @property
    def ratio(self) -> float:
        """Return which part of the requests failed."""
        return self.errors / self.requests if self.requests else 0.0


class Sides(msgspec.Struct, frozen=True, omit_defaults=True):
    """Both sides' counts; ``latency`` is that of canaries, in seconds, where it is known."""

    canary: Tally = Tally()
    stable: Tally = Tally()
    latency: float | None = None


class Trial(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of a trial; it can be written and read again, and then goes on."""

    spec: str
    phase: Phase = Phase.STARTING
    number: int = 0
    """The step, from 0."""
    since: float = 0.0
    """When it was begun."""
    begun: Sides = Sides()
    """What had been counted at ``counted``: by then, or when another process went on with it."""
    why: str = ""
    counted: float = 0.0

    def share(self, policy: CanaryPolicy) -> float:
        """Return which part of the requests canaries get now, in per cent.

        That of the last step stays while the rest is rolled out: who leaves is made up for.
        """
        if self.phase in {Phase.TRYING, Phase.WAITING, Phase.PROMOTED}:
            return policy.steps[min(self.number, len(policy.steps) - 1)]
        return 0.0

    def lot(self, policy: CanaryPolicy) -> Lot:
        """Return what canaries get of the requests now; those that match, as long as they serve."""
        return Lot(self.share(policy), "" if self.phase is Phase.ABORTED else policy.match)

    @property
    def has_canaries(self) -> bool:
        """Whether canaries are to run beside the stable copies."""
        return self.phase in {Phase.STARTING, Phase.TRYING, Phase.WAITING}


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is written down of a trial, for a process that goes on with it; the time of day."""

    spec: str
    phase: Phase
    number: int = 0
    at: float = 0.0
    why: str = ""

    def resumed(self, policy: CanaryPolicy, seen: Sides, now: float, wall: float) -> Trial:
        """Return the trial as it goes on: at its step, held as long; requests count from now."""
        number = min(self.number, len(policy.steps) - 1)
        since = now - max(0.0, wall - self.at)
        return Trial(self.spec, self.phase, number, since, seen, self.why, now)


def kept_of(trial: Trial, now: float, wall: float) -> Kept:
    """Return what is to be written down of a trial."""
    return Kept(trial.spec, trial.phase, trial.number, wall - (now - trial.since), trial.why)


def is_canary(slot: str) -> bool:
    """Return whether a slot is one of canaries."""
    return slot.startswith(PREFIX)


def step(
    policy: CanaryPolicy, trial: Trial, seen: Sides, now: float, *, ready: int, wanted: int,
    has_failed: bool = False, is_promoted: bool = False, is_held: bool = False,
) -> Trial:  # fmt: skip
    """Return the state that follows.

    ``ready`` of ``wanted`` canaries take work. ``has_failed``: one ended or became unhealthy.
    ``is_promoted``: a person found it good; ``is_held``: a person has it stay where it is.
    """
    if not trial.has_canaries:
        return trial
    if is_promoted:
        return msgspec.structs.replace(trial, phase=Phase.PROMOTED, why="by a person")
    is_starting = trial.phase is Phase.STARTING
    against = "a canary failed" if has_failed else ""
    against = against or ("" if is_starting else _objection(policy, trial, seen))
    if against:
        return msgspec.structs.replace(trial, phase=Phase.ABORTED, why=against)
    if is_starting:
        return _tried(trial, trial.number, seen, now) if ready >= wanted > 0 else trial
    if trial.phase is Phase.WAITING or is_held:
        return trial
    return _held(policy, trial, seen, now, is_ready=ready >= wanted)


def _held(policy: CanaryPolicy, trial: Trial, seen: Sides, now: float, *, is_ready: bool) -> Trial:
    held = now - trial.since
    if held < policy.hold:
        return trial
    requests = seen.canary.since(trial.begun.canary).requests
    if requests < policy.min_requests:
        if now - trial.counted < policy.deadline:
            return trial
        why = f"{requests} of {policy.min_requests} requests within {policy.deadline:g} s"
        return msgspec.structs.replace(trial, phase=Phase.WAITING, why=why)
    if trial.number + 1 < len(policy.steps):
        # More canaries may be wanted than run: the next step begins when they do.
        return _tried(trial, trial.number + 1, seen, now) if is_ready else trial
    if policy.auto_promote:
        return msgspec.structs.replace(trial, phase=Phase.PROMOTED, why="")
    return msgspec.structs.replace(trial, phase=Phase.WAITING, why="it is to be promoted")


def _tried(trial: Trial, number: int, seen: Sides, now: float) -> Trial:
    return msgspec.structs.replace(
        trial, phase=Phase.TRYING, number=number, since=now, begun=seen, why="", counted=now
    )


def _objection(policy: CanaryPolicy, trial: Trial, seen: Sides) -> str:
    """Return what speaks against the canaries, or nothing."""
    canary = seen.canary.since(trial.begun.canary)
    stable = seen.stable.since(trial.begun.stable)
    allowed = policy.max_error_ratio + stable.ratio
    least = max(canary.requests, policy.min_requests)
    if canary.errors > allowed * least:
        return (
            f"{canary.errors} of {canary.requests} requests failed, "
            f"{stable.errors} of {stable.requests} on the stable side"
        )
    is_slow = (
        policy.max_p95 is not None and seen.latency is not None and seen.latency > policy.max_p95
    )
    if is_slow and canary.requests >= policy.min_requests:
        return f"requests take {1000 * (seen.latency or 0):.0f} ms"
    return ""
