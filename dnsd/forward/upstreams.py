"""Which server is asked next, and which are out. Pure: time and chance are arguments.

Three failures in a row take a server out; it is probed until it answers, more rarely each time
(0.5 to 5 seconds). When all are out all are tried, because a probe may be wrong and nobody else is
there. A server that leads back to ourselves is out for good.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

from dnsd.names import Labels
from sidecar.config.units import Endpoint

__all__ = ["Group", "Strategy", "Upstream", "group_of"]

Strategy = Literal["sequential", "random"]

_FAILURES: Final = 3
_FIRST_PROBE: Final = 0.5
_LAST_PROBE: Final = 5.0


class Upstream:
    """One server and how it has been doing."""

    def __init__(self, at: Endpoint) -> None:
        """Believe in it."""
        self.at = at
        self.failures = 0
        self.is_loop = False
        self.has_edns = True
        self._probes = 0
        self._probe_at = 0.0

    @property
    def is_out(self) -> bool:
        """Whether it is not asked while others are."""
        return self.is_loop or self.failures >= _FAILURES

    def answered(self) -> None:
        """Note that it works."""
        self.failures = 0
        self._probes = 0

    def failed(self, now: float) -> bool:
        """Note that it did not; say whether that took it out."""
        self.failures += 1
        if self.failures == _FAILURES:
            self._probe_at = now + _FIRST_PROBE
            return True
        return False

    def is_due(self, now: float) -> bool:
        """Say whether it is to be probed now, and plan the next probe."""
        if self.is_loop or self.failures < _FAILURES or now < self._probe_at:
            return False
        self._probes += 1
        self._probe_at = now + min(_FIRST_PROBE * 2**self._probes, _LAST_PROBE)
        return True


class Group:
    """The servers for a domain."""

    def __init__(self, upstreams: Sequence[Upstream], strategy: Strategy) -> None:
        """Take them in the order of preference."""
        self.upstreams = tuple(upstreams)
        self._strategy = strategy

    def order(self, draw: Callable[[], float]) -> list[Upstream]:
        """Return whom to ask, first to last."""
        usable = [upstream for upstream in self.upstreams if not upstream.is_loop]
        if self._strategy == "random":
            usable.sort(key=lambda _: draw())
        return [u for u in usable if not u.is_out] or usable


def group_of(labels: Labels, groups: Mapping[Labels, Group]) -> tuple[Labels, Group] | None:
    """Return the group of the longest domain that a name is in, and that domain."""
    for cut in _cuts(labels):
        if (group := groups.get(cut)) is not None:
            return cut, group
    return None


def _cuts(labels: Labels) -> Iterable[Labels]:
    return (labels[at:] for at in range(len(labels) + 1))
