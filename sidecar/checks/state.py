"""What one check says, as a function of its results and of time. Pure.

Rules, measured on Consul 1.8.7:

1. The first result counts at once; after that a change needs as many results in a row as its
   threshold says. Warnings count as successes. A result below the threshold changes nothing,
   not even the output.
2. A TTL check takes every heartbeat at once, whatever the thresholds, and becomes critical when
   none came for its TTL. Then it says what the last one said.
3. An alias takes over the worst of its service's checks and of the node's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from sidecar.catalog.model import Check, Status
from sidecar.checks.definition import CheckDefinition, Kind
from sidecar.golang.quoting import quoted

__all__ = [
    "CheckState",
    "Result",
    "after_expiry",
    "after_pause",
    "after_result",
    "alias_result",
    "captured",
    "deregister_is_due",
    "initial",
]

_EXPIRED: Final = "TTL expired"


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of a check, or one heartbeat, said."""

    status: Status
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckState:
    """Where a check stands; times are monotonic seconds.

    ``successes`` and ``failures`` are results in a row. ``expires`` is when a TTL check turns
    critical, None when it did or is none.
    """

    result: Result
    successes: int = 0
    failures: int = 0
    critical_since: float | None = None
    expires: float | None = None


def initial(definition: CheckDefinition, now: float) -> CheckState:
    """Return the state at registration."""
    return CheckState(
        result=Result(definition.status),
        successes=definition.success_before_passing,
        failures=definition.failures_before_critical,
        critical_since=now if definition.status is Status.CRITICAL else None,
        expires=now + definition.ttl if definition.kind is Kind.TTL else None,
    )


def after_result(
    state: CheckState, definition: CheckDefinition, result: Result, now: float
) -> CheckState:
    """Return the state after a run or a heartbeat."""
    if definition.kind is Kind.TTL:
        output = captured(result.output, definition.output_most)
        turned = _turned(state, Result(result.status, output), now)
        return replace(turned, expires=now + definition.ttl)
    if definition.kind is Kind.ALIAS:
        return _turned(state, result, now)
    if result.status is Status.CRITICAL:
        counted = replace(state, successes=0, failures=state.failures + 1)
        enough = counted.failures >= definition.failures_before_critical
    else:
        counted = replace(state, successes=state.successes + 1, failures=0)
        enough = counted.successes >= definition.success_before_passing
    return _turned(counted, result, now) if enough else counted


def _turned(state: CheckState, result: Result, now: float) -> CheckState:
    since = None
    if result.status is Status.CRITICAL:
        since = now if state.critical_since is None else state.critical_since
    return replace(state, result=result, critical_since=since)


def after_expiry(state: CheckState, now: float) -> CheckState:
    """Return the state of a TTL check of which no heartbeat came in time."""
    last = state.result.output
    output = f"{_EXPIRED} (last output before timeout follows): {last}" if last else _EXPIRED
    return replace(_turned(state, Result(Status.CRITICAL, output), now), expires=None)


def after_pause(state: CheckState, seconds: float) -> CheckState:
    """Return the state with its clocks set on: in a pause of ours nobody could reach us (F12)."""
    since, expires = state.critical_since, state.expires
    return replace(
        state,
        critical_since=None if since is None else since + seconds,
        expires=None if expires is None else expires + seconds,
    )


def deregister_is_due(state: CheckState, definition: CheckDefinition, now: float) -> bool:
    """Say whether the check was critical for so long that its service shall go."""
    since, after = state.critical_since, definition.deregister_after
    return after > 0 and since is not None and now - since >= after


def captured(output: str, most: int) -> str:
    """Return a heartbeat's output within its bound in bytes, saying what was cut."""
    data = output.encode("utf-8", "replace")
    if len(data) <= most:
        return output
    kept = data[:most].decode("utf-8", "ignore")
    return f"{kept} ... (captured {most} of {len(data)} bytes)"


def alias_result(
    checks: Iterable[Check], *, found: bool = True, service: str = "", node: str = ""
) -> Result:
    """Return what an alias of a service (or of a node) says, given the checks of both.

    ``found`` is whether the catalogue knows the service.
    """
    if not found:
        text = f"Service {service} could not be found on node {node}"
        return Result(Status.CRITICAL, text)
    result = Result(Status.PASSING, "No checks found.")
    for check in checks:
        if check.status is Status.PASSING:
            if result.status is Status.PASSING:
                result = Result(Status.PASSING, "All checks passing.")
            continue
        text = f"Aliased check {quoted(check.name)} failing: {check.output}"
        result = Result(check.status, text)
        if check.status is Status.CRITICAL:
            break
    return result
