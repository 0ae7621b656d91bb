"""Datagrams, read in batches straight from the socket.

A datagram transport hands over one datagram per turn of the loop. Reading up to 64 for one wake-up
costs the same under uvloop and a third less under the plain loop (bench/dnsd.py).
"""

import asyncio
import ipaddress
import socket
from contextlib import suppress
from struct import pack
from typing import Final

from dnsd import codes
from dnsd.cache import Replies, Responder
from dnsd.tallies import Channel
from sidecar.runtime.log import get_logger

__all__ = ["UdpServer", "answer_safely"]

_log = get_logger("dnsd")

_BATCH: Final = 64
_RECEIVE: Final = 4096
_BUFFER: Final = 1 << 20
_NEVER_ASK: Final = frozenset((0, 7, 13, 17, 19))
"""Source ports of services that answer anything: replying could start a loop."""

# Linux numbers that the socket module of Python 3.11 does not name (<bits/in.h>).
_IP_PKTINFO: Final = 8
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_PMTUDISC_OMIT: Final = 5

Peer = tuple[str, int] | tuple[str, int, int, int]


def answer_safely(replies: Replies, packet: bytes, channel: Channel) -> bytes | None:
    """Return the reply; a defect of ours becomes SERVFAIL for this one message."""
    try:
        return replies.miss(packet, channel)
    except Exception:  # noqa: BLE001 - one client's message must not stop the server
        channel.panics += 1
        _log.exception("cannot answer", proto=channel.proto, octets=len(packet))
        flags = codes.QR | (packet[2] & 1) << 8 | codes.SERVFAIL
        return packet[:2] + pack(">HHHHH", flags, 0, 0, 0, 0)


class UdpServer:
    """Answers datagrams on one bound socket."""

    def __init__(self, sock: socket.socket, responder: Responder, channel: Channel) -> None:
        """Take a non-blocking socket, which stays the caller's to close."""
        self._sock = sock
        self._responder = responder
        self._channel = channel
        self._port: int = sock.getsockname()[1]
        self._address = ipaddress.ip_address(sock.getsockname()[0])
        _tune(sock)
        self._readable = self._read
        if self._address.is_unspecified:
            _ask_for_destination(sock)
            self._readable = self._read_with_destination

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve from now on."""
        loop.add_reader(self._sock, self._readable)

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read nothing more."""
        loop.remove_reader(self._sock)

    def _read(self) -> None:
        """Answer what has come in, at most a batch, so that others get their turn."""
        replies = self._responder.replies()
        hot = replies.hot(self._channel)
        receive, send, port = self._sock.recvfrom, self._sock.sendto, self._port
        for _ in range(_BATCH):
            try:
                packet, peer = receive(_RECEIVE)
            except BlockingIOError:
                return
            except OSError as error:
                self._failed("receive", error)
                return
            if (peer[1] < 20 or peer[1] == port) and self._is_unwanted(peer):
                continue
            entry = hot.get(packet[2:])
            if entry is not None:
                reply = entry.reply(packet)
            else:
                missed = answer_safely(replies, packet, self._channel)
                if missed is None:
                    continue
                reply = missed
            try:
                send(reply, peer)
            except OSError as error:
                self._failed("send", error)

    def _read_with_destination(self) -> None:
        """Answer from the address each query came to, as a wildcard socket does not by itself."""
        replies = self._responder.replies()
        hot = replies.hot(self._channel)
        for _ in range(_BATCH):
            try:
                packet, control, _flags, peer = self._sock.recvmsg(_RECEIVE, 128)
            except BlockingIOError:
                return
            except OSError as error:
                self._failed("receive", error)
                return
            if (peer[1] < 20 or peer[1] == self._port) and self._is_unwanted(peer):
                continue
            entry = hot.get(packet[2:])
            if entry is not None:
                reply: bytes | None = entry.reply(packet)
            else:
                reply = answer_safely(replies, packet, self._channel)
            if reply is None:
                continue
            try:
                self._sock.sendmsg([reply], [_source(item) for item in control], 0, peer)
            except OSError as error:
                self._failed("send", error)

    def _is_unwanted(self, peer: Peer) -> bool:
        own = peer[1] == self._port and ipaddress.ip_address(peer[0]) == self._address
        if own or peer[1] in _NEVER_ASK:
            self._channel.dropped["source"] += 1
            return True
        return False

    def _failed(self, what: str, error: OSError) -> None:
        """Count; a full buffer or an unreachable client is no matter for the log."""
        self._channel.dropped[what] += 1
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
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def _source(item: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    """Turn where a datagram came to into where its reply comes from; routing picks the way."""
    level, kind, data = item
    if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
        # struct in_pktinfo: interface, local address, address in the header.
        return level, kind, pack("=I", 0) + data[4:8] + b"\0\0\0\0"
    return level, kind, data
