"""Many datagrams for one system call: recvmmsg, sendmmsg, and segments of one datagram (Linux).

What the kernel does for each datagram it is given costs more than making our answer. So replies of
one size to one client leave as one that the kernel cuts up late (UDP_SEGMENT, udp(7)): they share
the way through it, and the client is woken once.

The structures stand in memory of our own as 64-bit little-endian Linux has them, and addresses stay
as the kernel wrote them. Where it has no such calls there is no Bulk, and ``dnsd.udp`` reads and
sends one by one. It does so too with what fails here, because only then it is known why.
"""

import ctypes
import socket
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from mmap import mmap
from struct import Struct
from typing import Any, Final

from dnsd.datagrams import BATCH, RECEIVE
from dnsd.ways import CONTROL, NAME, NAME_SIZE, PORT_AT, Way

__all__ = ["Bulk"]

Groups = Mapping[tuple[Way, int], list[bytes]]
"""Replies by their way and size."""
_Piece = tuple[Way, Sequence[bytes]]

_INTERFACE_AT: Final = NAME + 16  # in the way of IP_PKTINFO
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_SEGMENT_HEAD: Final = Struct("=Qii").pack(18, _SOL_UDP, _UDP_SEGMENT)
"""struct cmsghdr in front of the size of the segments."""
_SEGMENT: Final = 24  # both
_MOST_JOINED: Final = 60_000  # octets, fewer than one datagram may have

# Where things stand in struct mmsghdr and struct iovec, in words of 64 bits.
_HEADER: Final = 8
_CONTROL_SIZE_AT: Final = 5
_LENGTH_AT: Final = 7
_PART: Final = 2
_PARTS: Final = BATCH * _HEADER  # the parts stand behind the headers


class _Region:
    """Memory at an address that stays, as octets and as words."""

    def __init__(self, size: int) -> None:
        self.octets = mmap(-1, size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.octets))
        self.words = memoryview(self.octets).cast("Q")


class _Headers(_Region):
    """Headers of messages, each with one part and a way."""

    def __init__(self, family: socket.AddressFamily, slot: int, control_size: int) -> None:
        super().__init__(BATCH * 8 * (_HEADER + _PART))
        self.ways = _Region(BATCH * slot)
        for n in range(BATCH):
            name = self.ways.address + n * slot
            part = self.address + 8 * (_PARTS + n * _PART)
            words = name, NAME_SIZE[family], part, 1, name + NAME, control_size
            self.words[n * _HEADER : n * _HEADER + len(words)] = memoryview(array("Q", words))
        self.pointers = [ctypes.c_void_p(self.address + n * 8 * _HEADER) for n in range(BATCH)]


class Bulk:
    """The buffers of one socket, and the calls that fill and empty them."""

    def __init__(self, sock: socket.socket, *, tells_destination: bool) -> None:
        """``tells_destination``: the socket says to which of our addresses a datagram came.

        Raises OSError where the system has no such calls.
        """
        self._receive, self._send = _calls()
        self._fd = sock.fileno()
        self.joins = _can_join(sock)
        self._control_size = CONTROL[sock.family] if tells_destination else 0
        slot = NAME + self._control_size
        self._way = Struct(f"{slot}s")
        self._take_room_for_queries(sock.family, slot)
        self._is_routed = tells_destination and sock.family == socket.AF_INET

        self._slot = slot + _SEGMENT
        self._out = _Headers(sock.family, self._slot, self._control_size)
        self._outbox = _Region(BATCH * RECEIVE)
        for n in range(BATCH):
            at = n * self._slot + slot
            self._out.ways.octets[at : at + len(_SEGMENT_HEAD)] = _SEGMENT_HEAD

    def _take_room_for_queries(self, family: socket.AddressFamily, slot: int) -> None:
        """Point the headers at an inbox, and look at what the kernel writes into them."""
        self._in = came = _Headers(family, slot, self._control_size)
        inbox = _Region(BATCH * RECEIVE)
        self.inbox = inbox.octets
        for n in range(BATCH):
            at = _PARTS + n * _PART
            came.words[at] = inbox.address + n * RECEIVE
            came.words[at + 1] = RECEIVE
        ways = memoryview(came.ways.octets)
        self._lengths = memoryview(came.octets).cast("I")[2 * _LENGTH_AT :: 2 * _HEADER][:BATCH]
        self._ports = ways.cast("H")[PORT_AT // 2 :: slot // 2]
        self._control_sizes = came.words[_CONTROL_SIZE_AT:_PARTS:_HEADER]
        self._whole_controls = memoryview(array("Q", [self._control_size] * BATCH))
        self._interfaces = ways.cast("I")[_INTERFACE_AT // 4 :: slot // 4]
        self._no_interfaces = memoryview(array("I", [0] * BATCH))

    def receive(self) -> Sequence[int]:
        """Read what has come; return how long each is, none when nothing can be read.

        The datagrams stand in ``inbox``, one every ``RECEIVE`` octets.
        """
        if self._control_size:
            self._control_sizes[:] = self._whole_controls
        count: int = self._receive(self._fd, self._in.pointers[0], BATCH, 0, None)
        if count <= 0:
            return ()
        if self._is_routed:  # the reply takes the way that routing says, as in ``dnsd.ways``
            self._interfaces[:count] = self._no_interfaces[:count]
        return self._lengths[:count].tolist()

    def ways(self, count: int) -> Iterator[tuple[Way]]:
        """Return the ways of the first datagrams read."""
        return self._way.iter_unpack(memoryview(self._in.ways.octets)[: count * self._way.size])

    def ports(self, count: int) -> Sequence[int]:
        """Return the ports, in the network's order, that the first datagrams came from."""
        return self._ports[:count].tolist()

    def send(self, groups: Groups) -> Iterator[tuple[Way, bytes]]:
        """Send all; yield those that the kernel did not take."""
        words, ways, outbox = self._out.words, self._out.ways, self._outbox
        slot, control = self._slot, self._control_size
        filled: list[_Piece] = []
        used = 0
        for way, group, size in self._pieces(groups):
            octets = group[0] if len(group) == 1 else b"".join(group)
            if used + len(octets) > BATCH * RECEIVE or len(filled) == BATCH:
                yield from self._flush(filled)
                filled, used = [], 0
            n = len(filled)
            outbox.octets[used : used + len(octets)] = octets
            at = n * slot
            ways.octets[at : at + len(way)] = way
            ways.words[(at + slot) // 8 - 1] = size
            many = _SEGMENT if len(group) > 1 else 0
            words[n * _HEADER + _CONTROL_SIZE_AT] = control + many
            at = _PARTS + n * _PART
            words[at] = outbox.address + used
            words[at + 1] = len(octets)
            used += len(octets)
            filled.append((way, group))
        yield from self._flush(filled)

    def _pieces(self, groups: Groups) -> Iterator[tuple[Way, Sequence[bytes], int]]:
        """Yield the groups, in pieces that one datagram may have."""
        for (way, size), group in groups.items():
            most = _MOST_JOINED // size if self.joins else 1
            if len(group) <= most:
                yield way, group, size
            else:
                for at in range(0, len(group), most):
                    yield way, group[at : at + most], size

    def _flush(self, filled: Sequence[_Piece]) -> Iterator[tuple[Way, bytes]]:
        """Hand what is filled to the kernel; yield what it did not take."""
        at = 0
        while at < len(filled):
            at += max(self._send(self._fd, self._out.pointers[at], len(filled) - at, 0), 0)
            if at < len(filled):
                way, group = filled[at]
                # It may be that something on this way cannot cut: then never join again.
                self.joins = self.joins and len(group) == 1
                for reply in group:
                    yield way, reply
                at += 1


def _calls() -> tuple[Any, Any]:
    """Return recvmmsg and sendmmsg."""
    wide = ctypes.sizeof(ctypes.c_void_p) == 8 and sys.byteorder == "little"
    if sys.platform != "linux" or not wide:
        raise OSError("messages have another form here")
    libc = ctypes.CDLL(None)
    try:
        return libc.recvmmsg, libc.sendmmsg
    except AttributeError as error:
        raise OSError("there are no calls for many messages") from error


def _can_join(sock: socket.socket) -> bool:
    """Say whether the kernel knows segments; older ones would send them as one datagram."""
    try:
        sock.getsockopt(_SOL_UDP, _UDP_SEGMENT)
    except OSError:
        return False
    return True
