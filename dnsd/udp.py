"""Datagrams, read in batches straight from the socket.

A datagram transport hands over one datagram per turn of the loop. Reading up to 64 for one wake-up
costs the same under uvloop and a third less under the plain loop (bench/dnsd.py).
"""

import asyncio
import ipaddress
import socket
from contextlib import suppress
from functools import partial
from struct import pack
from time import perf_counter
from typing import Final, NamedTuple

from dnsd.service import AMPLIFICATION, Service
from dnsd.tallies import Channel
from dnsd.telemetry import took
from sidecar.runtime.log import get_logger

__all__ = ["Channels", "UdpServer"]

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
Control = list[tuple[int, int, bytes]]


class Channels(NamedTuple):
    """Where the queries of a socket are counted, and those whose askers may recurse."""

    usual: Channel
    recursive: Channel


def _never(_: bytes) -> None:
    """Take what only comes when others are asked."""


class UdpServer:
    """Answers datagrams on one bound socket."""

    def __init__(self, sock: socket.socket, service: Service, channels: Channels) -> None:
        """Take a non-blocking socket, which stays the caller's to close."""
        self._sock = sock
        self._service = service
        self._channel = channels.usual
        self._channels = channels
        self._port: int = sock.getsockname()[1]
        self._address = ipaddress.ip_address(sock.getsockname()[0])
        _tune(sock)
        self._has_destination = self._address.is_unspecified
        if self._has_destination:
            _ask_for_destination(sock)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve from now on."""
        loop.add_reader(self._sock, self._read)

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read nothing more."""
        loop.remove_reader(self._sock)

    def _read(self) -> None:
        """Answer what has come in, at most a batch, so that others get their turn."""
        if self._has_destination or not self._service.is_plain:
            self._read_with_care()
        else:
            self._read_plainly()

    def _read_plainly(self) -> None:
        """Answer from a specific address, all clients alike: the fast path."""
        service, channel, port = self._service, self._channel, self._port
        replies = service.responder.replies()
        hot = replies.hot(channel)
        receive, send = self._sock.recvfrom, self._sock.sendto
        begun = perf_counter()
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
                missed = service.miss(replies, packet, channel, peer[0], _never)
                if not missed:
                    continue
                reply = missed
            if len(reply) > AMPLIFICATION * len(packet):
                reply = service.moderate(peer[0], packet, reply)
            try:
                send(reply, peer)
            except OSError as error:
                self._failed("send", error)
            if begun:
                if entry is not None:
                    took(channel, entry.tally, perf_counter() - begun)
                begun = 0.0

    def _read_with_care(self) -> None:
        """Answer each client as it may be, from the address that it asked."""
        service = self._service
        replies = service.responder.replies()
        begun = perf_counter()
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
            recursive = service.may_recurse(peer[0])
            channel = self._channels.recursive if recursive else self._channel
            entry = replies.hot(channel).get(packet[2:])
            if entry is not None:
                self._send(entry.reply(packet), packet, peer, control)
                if begun:
                    took(channel, entry.tally, perf_counter() - begun)
                    begun = 0.0
                continue
            later = partial(self._send, packet=packet, peer=peer, control=control)
            reply = service.miss(replies, packet, channel, peer[0], later)
            if reply:
                self._send(reply, packet, peer, control)

    def _send(self, reply: bytes, packet: bytes, peer: Peer, control: Control) -> None:
        """Send a reply, if its limits let it pass."""
        allowed = self._service.limited(peer[0], packet, reply)
        if allowed is None:
            return
        try:
            self._sock.sendmsg([allowed], [_source(item) for item in control], 0, peer)
        except (OSError, ValueError) as error:  # ValueError: closed while others were asked
            self._failed("send", error)

    def _is_unwanted(self, peer: Peer) -> bool:
        own = peer[1] == self._port and ipaddress.ip_address(peer[0]) == self._address
        if own or peer[1] in _NEVER_ASK:
            self._channel.dropped["source"] += 1
            return True
        return False

    def _failed(self, what: str, error: Exception) -> None:
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
