"""The query path's integers as metrics, summed when they are scraped.

Names follow CoreDNS. One collector stands for every server of the process that still exists.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal
from weakref import WeakSet

from dnsd.cache import Responder
from dnsd.tallies import Channel
from sidecar.metrics import collected

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["Telemetry"]


class Telemetry:
    """What one server counts; outlives its sockets, so that a restart does not reset it."""

    def __init__(self, responder: Responder) -> None:
        """Join the process's metrics."""
        self.responder = responder
        self._channels: dict[tuple[str, str], Channel] = {}
        _SERVERS.add(self)

    @property
    def channels(self) -> Sequence[Channel]:
        """Every socket served so far."""
        return list(self._channels.values())

    def channel(
        self, server: str, proto: Literal["udp", "tcp"], family: Literal["1", "2"]
    ) -> Channel:
        """Return the counts of a socket, the same again after a restart."""
        found = self._channels.get((server, proto))
        if found is None:
            found = self._channels[server, proto] = Channel(server, proto, family)
        return found


_SERVERS: Final[WeakSet[Telemetry]] = WeakSet()


def _collect() -> "Iterable[Metric]":
    from dnsd.families import families  # noqa: PLC0415

    return families(_SERVERS)


collected(_collect)
