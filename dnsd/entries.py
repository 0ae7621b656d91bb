"""Replies under key 1: what is left to do is to put the client's ID in front. Pure."""

from typing import Protocol

from dnsd.bodies import AnyBody, Origin
from dnsd.tallies import Tally

__all__ = ["Constant", "Entry", "Reply"]


class Reply(Protocol):
    """A reply to all queries that differ in their ID only."""

    tally: Tally

    @property
    def origin(self) -> Origin:
        """What of the catalogue it was made from."""

    def rest(self) -> bytes:
        """Return what follows the ID; whoever sends it counts it."""

    def reply(self, packet: bytes) -> bytes:
        """Return the reply to this query and count it."""


class Constant:
    """A reply that is always the same after the ID."""

    __slots__ = ("octets", "origin", "tally")

    def __init__(self, octets: bytes, origin: Origin, tally: Tally) -> None:
        """Take what follows the ID."""
        self.octets = octets
        self.origin = origin
        self.tally = tally

    def rest(self) -> bytes:
        """Return what follows the ID; whoever sends it counts it."""
        return self.octets

    def reply(self, packet: bytes) -> bytes:
        """Return the reply to this query and count it."""
        reply = packet[:2] + self.octets
        tally = self.tally
        tally.hits += 1
        tally.octets_in += len(packet)
        tally.octets_out += len(reply)
        return reply


class Entry:
    """A reply whose order changes: ``head``, ``body.next()``, ``tail``."""

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

    def rest(self) -> bytes:
        """Return what follows the ID; whoever sends it counts it."""
        return self.head + self.body.next() + self.tail

    def reply(self, packet: bytes) -> bytes:
        """Return the reply to this query and count it."""
        reply = packet[:2] + self.head + self.body.next() + self.tail
        tally = self.tally
        tally.hits += 1
        tally.octets_in += len(packet)
        tally.octets_out += len(reply)
        return reply
