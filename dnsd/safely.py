"""The guard around the query path: a defect of ours costs one query."""

from collections.abc import Callable
from struct import pack
from typing import Final

from dnsd import codes
from dnsd.cache import Replies
from dnsd.tallies import Channel
from sidecar.runtime.log import get_logger

__all__ = ["LATER", "Deliver", "answer_safely"]

LATER: Final = b""
"""What stands for a reply that comes by ``deliver``, because others are asked."""

Deliver = Callable[[bytes], None]

_log = get_logger("dnsd")


def answer_safely(
    replies: Replies, packet: bytes, channel: Channel, client: bytes = b""
) -> bytes | None:
    """Return the reply; a defect of ours becomes SERVFAIL for this one message."""
    try:
        return replies.miss(packet, channel, client)
    except Exception:  # noqa: BLE001 - one client's message must not stop the server
        channel.panics += 1
        _log.exception("cannot answer", proto=channel.proto, octets=len(packet))
        flags = codes.QR | (packet[2] & 1) << 8 | codes.SERVFAIL
        return packet[:2] + pack(">HHHHH", flags, 0, 0, 0, 0)
