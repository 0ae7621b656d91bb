"""What workers count, added to what this process counts."""

from typing import Final, cast

from dnsd.feed import Counts
from dnsd.tallies import Channel, Proto
from dnsd.telemetry import Telemetry
from sidecar.metrics import FAMILIES, Cell

__all__ = ["Merged", "counted"]

_PREFIX: Final = "dnsd_"
_NUMBERS: Final = ("misses", "parsed", "panics", "connections")


def counted(telemetry: Telemetry, *, ready: bool) -> Counts:
    """Return what this process has counted so far."""
    cells = {
        name: [(labels, cell.value) for labels, cell in family.cells.items()]
        for name, family in FAMILIES.items()
        if name.startswith(_PREFIX) and family.kind == "counter"
    }
    channels = list(telemetry.channels)
    return Counts(
        ready,
        cells,
        [
            (
                channel.server,
                channel.proto,
                channel.family,
                channel.recursive,
                [getattr(channel, name) for name in _NUMBERS],
                dict(channel.dropped),
                dict(channel.formerr),
            )
            for channel in channels
        ],
        [
            (at, key, tally.hits, tally.octets_in, tally.octets_out)
            for at, channel in enumerate(channels)
            for key, tally in channel.tallies.items()
        ],
    )


class Merged:
    """The numbers of one life of one worker."""

    def __init__(self, telemetry: Telemetry, number: int) -> None:
        """Add to these."""
        self._telemetry = telemetry
        self._number = number
        self._before: dict[tuple[str, tuple[str, ...]], float] = {}
        self._channels: dict[int, Channel] = {}

    def take(self, counts: Counts) -> None:
        """Take what it says now in place of what it said before."""
        for name, cells in counts.cells.items():
            family = FAMILIES.get(name)
            for labels, value in cells if family is not None else ():
                cell = family.labels(*labels) if family is not None else None
                if isinstance(cell, Cell):
                    cell.inc(value - self._before.get((name, labels), 0.0))
                    self._before[name, labels] = value
        for at, (server, proto, family_, recursive, numbers, dropped, formerr) in enumerate(
            counts.channels
        ):
            channel = self._channels.get(at)
            if channel is None:
                channel = Channel(
                    server,
                    cast("Proto", proto),
                    "2" if family_ == "2" else "1",
                    recursive=recursive,
                )
                self._channels[at] = channel
                self._telemetry.join(channel)
            for name, value in zip(_NUMBERS, numbers, strict=True):
                setattr(channel, name, value)
            channel.dropped.update({k: v - channel.dropped[k] for k, v in dropped.items()})
            channel.formerr.update({k: v - channel.formerr[k] for k, v in formerr.items()})
        for at, key, hits, octets_in, octets_out in counts.tallies:
            tally = self._channels[at].kept(key)
            tally.hits, tally.octets_in, tally.octets_out = hits, octets_in, octets_out

    def end(self) -> None:
        """Keep the sums, but nothing that is only true of a living process."""
        for channel in self._channels.values():
            channel.connections = 0
