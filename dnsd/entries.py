"""Replies under key 1: what is left to do is to put the client's ID in front. Pure.

There may be one for every name, so each form keeps no more than it needs: one piece of octets, and
what all replies of the form have in common.
"""

from typing import Protocol

from dnsd.bodies import Absent, AnyBody, Body, Numbers, Rotation, Shape
from dnsd.pairs import Pairs, Turns
from dnsd.reading import Origin
from dnsd.tallies import Tally

__all__ = ["Entry", "Reply", "entry_of"]


class Reply(Protocol):
    """A reply to all queries that differ in their ID only."""

    tally: Tally

    @property
    def origin(self) -> Origin:
        """What of the catalogue it was made from."""

    def reply(self, packet: bytes) -> bytes:
        """Return the reply to this query and count it."""


class _Constant:
    """The same octets for ever."""

    __slots__ = ("octets", "origin", "tally")

    def __init__(self, octets: bytes, origin: Origin, tally: Tally) -> None:
        self.octets = octets
        self.origin = origin
        self.tally = tally

    def reply(self, packet: bytes) -> bytes:
        reply = packet[:2] + self.octets
        tally = self.tally
        tally.hits += 1
        tally.octets_in += len(packet)
        tally.octets_out += len(reply)
        return reply


class _Negative:
    """The same but for the numbers of the SOA."""

    __slots__ = ("numbers", "octets", "origin", "tail", "tally")

    def __init__(self, head: bytes, body: Absent, tail: bytes, tally: Tally) -> None:
        self.octets = head + body.octets
        self.numbers: Numbers = body.numbers
        self.tail = tail
        self.origin = body.origin
        self.tally = tally

    def reply(self, packet: bytes) -> bytes:
        reply = packet[:2] + self.octets + self.numbers.octets + self.tail
        tally = self.tally
        tally.hits += 1
        tally.octets_in += len(packet)
        tally.octets_out += len(reply)
        return reply


class _Turned:
    """Addresses in their turn, as ``dnsd.bodies.Rotation``, behind the header."""

    __slots__ = ("octets", "origin", "shape", "tail", "tally", "turn")

    def __init__(self, head: bytes, body: Rotation, tail: bytes, tally: Tally) -> None:
        self.octets = head + body.octets
        self.shape: Shape = body.shape
        self.turn = body.turn
        self.tail = tail
        self.origin = body.origin
        self.tally = tally

    def reply(self, packet: bytes) -> bytes:
        step, total, length, _, _ = self.shape
        turn = self.turn + 1
        if turn >= total:
            turn = 0
        self.turn = turn
        octets = self.octets
        start = len(octets) - step * total
        at = start + turn * step
        if length == step * total:
            reply = b"".join((packet[:2], octets[:start], octets[at:], octets[start:at], self.tail))
        else:
            block = (octets[at:] + octets[start:at])[:length]
            reply = packet[:2] + octets[:start] + block + self.tail
        tally = self.tally
        tally.hits += 1
        tally.octets_in += len(packet)
        tally.octets_out += len(reply)
        return reply


class _Paired(Turns):
    """SRV records in their turn, as ``dnsd.pairs.Pairs``, behind the header."""

    __slots__ = ("tail", "tally")

    def __init__(self, head: bytes, body: Pairs, tail: bytes, tally: Tally) -> None:
        super().__init__(head + body.octets, body.shape)
        self.origin = body.origin
        self.tail = tail
        self.tally = tally

    def reply(self, packet: bytes) -> bytes:
        shape = self.shape
        turn = self.turn + 1
        if turn < shape[1] and shape[13]:
            # As ``turned`` has it, for the usual case that everything is sent.
            self.turn = turn
            octets = self.octets
            middle = len(octets) - shape[5]
            start = middle - shape[2]
            at = middle + turn * shape[4]
            glue = bytearray(octets[at:] + octets[middle:at])
            glue[0 :: shape[4]] = shape[8]
            glue[1 :: shape[4]] = shape[9]
            at = start + turn * shape[0]
            reply = b"".join(
                (packet[:2], octets[:start], octets[at:middle], octets[start:at], glue, self.tail)
            )
        else:
            reply = b"".join((packet[:2], *self.parts(), self.tail))
        tally = self.tally
        tally.hits += 1
        tally.octets_in += len(packet)
        tally.octets_out += len(reply)
        return reply


class Entry:
    """Any body: ``head``, ``body.next()``, ``tail``."""

    __slots__ = ("body", "head", "tail", "tally")

    def __init__(self, head: bytes, body: AnyBody, tail: bytes, tally: Tally) -> None:
        """Take the parts."""
        self.head = head
        self.body = body
        self.tail = tail
        self.tally = tally

    @property
    def origin(self) -> Origin:
        """What of the catalogue the body was made from."""
        return self.body.origin

    def reply(self, packet: bytes) -> bytes:
        """Return the reply to this query and count it."""
        reply = packet[:2] + self.head + self.body.next() + self.tail
        tally = self.tally
        tally.hits += 1
        tally.octets_in += len(packet)
        tally.octets_out += len(reply)
        return reply


def entry_of(head: bytes, body: AnyBody, tail: bytes, tally: Tally) -> Reply:
    """Return an entry that is the only user of the body, in its smallest form."""
    kind = type(body)
    if kind is Body:
        return _Constant(head + body.next() + tail, body.origin, tally)
    if isinstance(body, Absent):
        return _Negative(head, body, tail, tally)
    if isinstance(body, Rotation) and kind is Rotation:
        return _Turned(head, body, tail, tally)
    if isinstance(body, Pairs) and kind is Pairs:
        return _Paired(head, body, tail, tally)
    return Entry(head, body, tail, tally)
