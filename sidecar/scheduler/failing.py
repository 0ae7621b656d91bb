"""Where making a service's containers failed of late: that node is left alone for a while. Pure.

A node that cannot make a container (no image, no room on its disk, a name that is taken) must not
be asked again at each look, and another one may do. The pause doubles with each failure in a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

__all__ = ["Failing"]

_FIRST = 5.0
_LONGEST = 300.0


@dataclass(frozen=True, slots=True)
class _Pause:
    until: float
    count: int


@dataclass(frozen=True, slots=True)
class Failing:
    """Pauses by service, spec and node."""

    pauses: Mapping[tuple[str, str, str], _Pause] = field(default_factory=dict)

    def failed(self, service: str, spec: str, node: str, now: float) -> "Failing":
        """Return it with another failure."""
        key = service, spec, node
        old = self.pauses.get(key)
        count = old.count + 1 if old is not None else 1
        pause = _Pause(now + min(_FIRST * 2.0 ** min(count - 1, 16), _LONGEST), count)
        return replace(self, pauses={**self.pauses, key: pause})

    def worked(self, service: str, spec: str, node: str) -> "Failing":
        """Return it without what failed there."""
        key = service, spec, node
        if key not in self.pauses:
            return self
        return replace(self, pauses={k: v for k, v in self.pauses.items() if k != key})

    def nodes(self, service: str, spec: str, now: float) -> frozenset[str]:
        """Return the nodes that are left alone now."""
        return frozenset(
            node
            for (name, of, node), pause in self.pauses.items()
            if (name, of) == (service, spec) and pause.until > now
        )

    def look_again(self, now: float) -> float | None:
        """Return when the next pause ends."""
        return min((each.until for each in self.pauses.values() if each.until > now), default=None)
