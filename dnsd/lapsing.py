"""How long an answer may be kept when its instances have to report in time. Pure.

An instance with a TTL check leaves the answer when nobody reports for so long. No cache may have
it for longer than that, whatever TTL is set for its service (specification, section 4).
"""

import json
from collections.abc import Iterable

from sidecar.catalog.model import Instance
from sidecar.config.units import go_duration

__all__ = ["kept_for"]


def kept_for(ttl: int, instances: Iterable[Instance]) -> int:
    """Return the TTL of an answer in seconds: the one set, or less, then at least 1."""
    if ttl <= 1:
        return ttl
    times = (_time_of(check.definition) for each in instances for check in each.checks)
    return max(1, min(ttl, *(int(time) for time in times if time > 0), ttl))


def _time_of(definition: str) -> float:
    """Return the seconds of a TTL check, 0 for any other; durations are nanoseconds or texts."""
    if '"TTL"' not in definition:
        return 0.0
    try:
        found = json.loads(definition).get("TTL", 0)
        return go_duration(found) if isinstance(found, str) else float(found) / 1e9
    except (ValueError, TypeError, AttributeError):
        return 0.0  # nobody can run it; it says nothing of time
