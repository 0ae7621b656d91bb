"""Datagrams one by one, by the socket module: the way that works everywhere.

Whatever reads faster (``dnsd.bursts``) answers as this does, and leaves to it what goes wrong.
"""

import ipaddress
import socket
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Final

from dnsd.cache import Replies
from dnsd.service import Service
from dnsd.tallies import Channels
from dnsd.telemetry import took
from dnsd.ways import IP_PKTINFO, Control, Peer, back
from sidecar.runtime.log import get_logger

__all__ = ["BATCH", "NEVER_ASK", "RECEIVE", "Datagrams"]

_log = get_logger("dnsd")

BATCH: Final = 64
RECEIVE: Final = 4096
NEVER_ASK: Final = frozenset((0, 7, 13, 17, 19))
"""Source ports of services that answer anything: replying could start a loop."""
_BUFFER: Final = 1 << 20

# Linux numbers that the socket module of Python 3.11 does not name (<bits/in.h>).
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_PMTUDISC_OMIT: Final = 5


class Datagrams:
    """One bound socket, and what each datagram that comes there gets."""

    def __init__(self, sock: socket.socket, service: Service, channels: Channels) -> None:
        """Take a non-blocking socket, which stays the caller's to close."""
        self.sock = sock
        self.service = service
        self.channels = channels
        self.port: int = sock.getsockname()[1]
        self._address = ipaddress.ip_address(sock.getsockname()[0])
        _tune(sock)
        self.has_destination = self._address.is_unspecified
        if self.has_destination:
            _ask_for_destination(sock)
        self._begun = 0.0

    def times_next(self) -> None:
        """Measure how long the next answer that is known by heart takes from now on."""
        self._begun = perf_counter()

    def read(self) -> None:
        """Answer what has come in, at most a batch, so that others get their turn."""
        replies = self.service.responder.replies()
        self.times_next()
        for _ in range(BATCH):
            try:
                packet, control, _flags, peer = self.sock.recvmsg(RECEIVE, 128)
            except BlockingIOError:
                return
            except OSError as error:
                self._failed("receive", error)
                return
            if self.is_unwanted(peer):
                continue
            reply = self.answer(replies, packet, peer, control)
            if reply is not None:
                self.send(reply, peer, control)

    def answer(self, replies: Replies, packet: bytes, peer: Peer, control: Control) -> bytes | None:
        """Return what this client gets now; what others are asked is sent when it comes."""
        service, host = self.service, peer[0]
        channel = self.channels.recursive if service.may_recurse(host) else self.channels.usual
        entry = replies.hot(channel).get(packet[2:])
        if entry is not None:
            reply = entry.reply(packet)
            if self._begun:
                took(channel, entry.tally, perf_counter() - self._begun)
                self._begun = 0.0
            return service.limited(host, packet, reply)
        later = partial(self._send_late, packet=packet, peer=peer, control=control)
        missed = service.miss(replies, packet, channel, host, later)
        return service.limited(host, packet, missed) if missed else None

    def send(self, reply: bytes, peer: Peer, control: Control) -> bool:
        """Send a reply; say whether it went out."""
        try:
            self.sock.sendmsg([reply], [back(item) for item in control], 0, peer)
        except (OSError, ValueError) as error:  # ValueError: closed while others were asked
            self._failed("send", error)
            return False
        return True

    def is_unwanted(self, peer: Peer) -> bool:
        """Say whether nobody may be answered there; count it."""
        if peer[1] in NEVER_ASK or (
            peer[1] == self.port and ipaddress.ip_address(peer[0]) == self._address
        ):
            self.channels.usual.dropped["source"] += 1
            return True
        return False

    def _send_late(self, reply: bytes, packet: bytes, peer: Peer, control: Control) -> None:
        """Send what others said, if its limits let it pass."""
        allowed = self.service.limited(peer[0], packet, reply)
        if allowed is not None:
            self.send(allowed, peer, control)

    def _failed(self, what: str, error: Exception) -> None:
        """Count; a full buffer or an unreachable client is no matter for the log."""
        self.channels.usual.dropped[what] += 1
        _log.debug("socket error", doing=what, error=error)


def _tune(sock: socket.socket) -> None:
    """Want room for bursts, and no Path MTU games with our replies (RFC 9715)."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    with suppress(OSError):
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_OMIT)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_OMIT)


def _ask_for_destination(sock: socket.socket) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
