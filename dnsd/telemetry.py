"""The query path's integers as metrics, summed when they are scraped.

Names follow CoreDNS. One collector stands for every server of the process that still exists.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal
from weakref import WeakSet

from dnsd.cache import Responder
from dnsd.tallies import Channel, Proto, Tally
from sidecar import __version__
from sidecar.metrics import collected, gauge, histogram
from sidecar.runtime.clock import Clock

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["Telemetry", "took"]

_duration = histogram(
    "dnsd_dns_request_duration_seconds",
    "How long queries took here; the first of those that came in together",
    (0.00001, 0.00002, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.016, 0.064, 0.256),
    ["server", "zone", "type"],
)


_applied = histogram(
    "dnsd_catalog_apply_seconds",
    "How long it took to move on to a new state of the catalogue",
    (0.0001, 0.001, 0.004, 0.016, 0.064, 0.256, 1.024),
)
_age = gauge("dnsd_catalog_age_seconds", "Since the catalogue last changed")
_build = gauge("dnsd_build_info", "1, with the version as label", ["version"])
_build.labels(__version__).set(1)


def took(channel: Channel, tally: Tally, seconds: float) -> None:
    """Note how long a reply of this kind took."""
    _duration.labels(channel.server, tally.key.zone, tally.key.type).observe(seconds)


class Telemetry:
    """What one server counts; outlives its sockets, so that a restart does not reset it."""

    def __init__(self, responder: Responder) -> None:
        """Join the process's metrics."""
        self.responder = responder
        self._channels: dict[tuple[str, str, bool], Channel] = {}
        self._joined: list[Channel] = []
        _SERVERS.add(self)

    @property
    def channels(self) -> Sequence[Channel]:
        """Every socket served so far."""
        return [*self._channels.values(), *self._joined]

    def applied(self, seconds: float, clock: Clock) -> None:
        """Note that the replies moved on to a new state of the catalogue."""
        _applied.observe(seconds)
        since = clock.monotonic()
        _age.labels().set_function(lambda: clock.monotonic() - since)

    def join(self, channel: Channel) -> None:
        """Count what another process does too."""
        self._joined.append(channel)

    def channel(
        self, server: str, proto: Proto, family: Literal["1", "2"], *, recursive: bool = False
    ) -> Channel:
        """Return the counts of a socket, the same again after a restart."""
        key = server, proto, recursive
        found = self._channels.get(key)
        if found is None:
            found = Channel(server, proto, family, recursive=recursive)
            self._channels[key] = found
        return found


_SERVERS: Final[WeakSet[Telemetry]] = WeakSet()


def _collect() -> "Iterable[Metric]":
    from dnsd.families import families  # noqa: PLC0415

    return families(_SERVERS)


collected(_collect)
