"""Tell secondaries that the zone changed (RFC 1996), at most once in five seconds."""

import asyncio
import secrets
from struct import pack
from typing import Final

from dnsd import codes
from dnsd.forward.exchange import connected
from dnsd.names import Zone
from dnsd.service import Service
from sidecar.config.units import Endpoint
from sidecar.metrics import counter
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Source

__all__ = ["notify_changes", "notify_message"]

_log = get_logger("dnsd")
_sent = counter("dnsd_notify_total", "NOTIFY messages by what came back", ["to", "result"])

_PAUSE: Final = 5.0
_TRIES: Final = 3
_ANSWER: Final = 2.0
_NOTIFY: Final = 4 << 11


def notify_message(zone: Zone, id_: int) -> bytes:
    """Return the octets: opcode NOTIFY, AA, the zone's SOA as question."""
    header = pack(">HHHHHH", id_, _NOTIFY | codes.AA, 1, 0, 0, 0)
    return header + zone.wire + pack(">HH", codes.SOA, codes.CLASS_IN)


async def notify_changes(
    source: Source, service: Service, to: tuple[Endpoint, ...], clock: Clock
) -> None:
    """Notify for ever: at the start, then after each change of the answers' serial."""
    told = -1
    while True:
        serial = service.responder.replies().serial
        if serial != told and source.synced:
            told = serial
            async with asyncio.TaskGroup() as tasks:
                for at in to:
                    for zone in service.site.zones:
                        tasks.create_task(_notify(at, zone), name="dnsd notify")
            await clock.sleep(_PAUSE)
        if service.responder.replies().serial == told:
            await source.changed()


async def _notify(at: Endpoint, zone: Zone) -> None:
    """Tell one server of one zone, until it says that it heard, or three times."""
    loop = asyncio.get_running_loop()
    for _ in range(_TRIES):
        id_ = secrets.randbits(16)
        try:
            with connected(at) as sock:
                await loop.sock_sendall(sock, notify_message(zone, id_))
                async with asyncio.timeout(_ANSWER):
                    reply = await loop.sock_recv(sock, 512)
        except (TimeoutError, OSError):
            continue
        if reply[:2] == id_.to_bytes(2):
            _sent.labels(at, "heard").inc()
            return
    _sent.labels(at, "silent").inc()
    _log.warning("a secondary does not hear that the zone changed", at=at, zone=zone.text)
