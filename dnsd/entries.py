"""Replies under key 1: what is left to do is to put the client's ID in front. Pure.

There may be one for every name, so each form keeps no more than it needs: one piece of octets, and
what all replies of the form have in common.
"""

from typing import Final, Protocol

from dnsd.bodies import Absent, AnyBody, Body, Numbers, Rotation
from dnsd.pairs import Pairs, PairShape, Turns
from dnsd.reading import Origin
from dnsd.tallies import Tally

__all__ = ["Entry", "Reply", "entry_of"]


class Reply(Protocol):
    """A reply to all queries that differ in their ID only."""

    @property
    def tally(self) -> Tally:
        """Where such replies are counted."""

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


# Frames are what replies of one form share. Plain tuples: those with names are slow to unpack.
_TurnedFrame = tuple[bytes, int, bytes, Tally, int, int, int]
"""Header, end of the question, OPT, tally; octets of a record, records, octets that are sent."""
_PairedFrame = tuple[bytes, int, bytes, Tally, PairShape, tuple[int, int, int, int, int, int]]
"""Header, end of the question, OPT, tally; the shape, and its first six numbers."""
_MOST_FRAMES: Final = 4096
_turned_frames: Final[dict[_TurnedFrame, _TurnedFrame]] = {}
_paired_frames: Final[dict[tuple[bytes, int, bytes, int, int], _PairedFrame]] = {}


def _turned_frame(*parts: *_TurnedFrame) -> _TurnedFrame:
    """Return these parts, as the same tuple each time."""
    if len(_turned_frames) >= _MOST_FRAMES:
        _turned_frames.clear()
    return _turned_frames.setdefault(parts, parts)


def _paired_frame(
    head: bytes, end: int, tail: bytes, tally: Tally, shape: PairShape
) -> _PairedFrame:
    """Return the frame of these, the same one each time; it keeps alive what it is found by."""
    key = head, end, tail, id(tally), id(shape)
    found = _paired_frames.get(key)
    if found is None:
        if len(_paired_frames) >= _MOST_FRAMES:
            _paired_frames.clear()
        numbers = shape.step, shape.total, shape.length, shape.glue_step, shape.start, shape.end
        found = _paired_frames[key] = head, end, tail, tally, shape, numbers
    return found


class _Turned:
    """Addresses in their turn, as ``dnsd.bodies.Rotation``; the question is the client's.

    ``octets`` are the records twice (the second time without the last): any turn is one slice.
    """

    __slots__ = ("frame", "octets", "origin", "turn")

    def __init__(self, frame: _TurnedFrame, body: Rotation) -> None:
        self.frame = frame
        self.octets = body.octets + body.octets[: -frame[4]]
        self.turn = body.turn
        self.origin = body.origin

    @property
    def tally(self) -> Tally:
        return self.frame[3]

    def reply(self, packet: bytes) -> bytes:
        head, end, tail, tally, step, total, length = self.frame
        turn = self.turn + 1
        if turn >= total:
            turn = 0
        self.turn = turn
        at = turn * step
        reply = packet[:2] + head + packet[12:end] + self.octets[at : at + length] + tail
        tally.hits += 1
        tally.octets_in += len(packet)
        tally.octets_out += len(reply)
        return reply


class _Paired(Turns):
    """SRV records in their turn, as ``dnsd.pairs.Pairs``; the question is the client's."""

    __slots__ = ("frame",)

    def __init__(self, frame: _PairedFrame, body: Pairs) -> None:
        super().__init__(body.octets, body.shape.total)
        self.frame = frame
        self.origin = body.origin

    @property
    def tally(self) -> Tally:
        return self.frame[3]

    def reply(self, packet: bytes) -> bytes:
        head, end, tail, tally, shape, numbers = self.frame
        step, total, length, glue_step, start, stop = numbers
        if shape.is_whole:
            # As ``turned``, for the usual case: the glue stays, only what it points at turns.
            self.turn = turn = self.turn + 1
            if turn >= total:
                self.begin(shape)
                turn = 0
            octets = self.octets
            glue = bytearray(octets[start:stop])
            at = total - turn
            glue[0::glue_step] = shape.high[at : at + total]
            glue[1::glue_step] = shape.low[at : at + total]
            at = turn * step
            answers = octets[at : at + length]
            reply = b"".join((packet[:2], head, packet[12:end], answers, glue, tail))
        else:
            reply = b"".join((packet[:2], head, packet[12:end], *self.parts(shape), tail))
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
    """Return an entry that is the only user of the body, in its smallest form.

    ``head`` holds the question, which begins at its eleventh octet.
    """
    kind = type(body)
    if kind is Body:
        return _Constant(head + body.next() + tail, body.origin, tally)
    if isinstance(body, Absent):
        return _Negative(head, body, tail, tally)
    end = len(head) + 2
    if isinstance(body, Rotation) and kind is Rotation:
        step, total, length, _, _ = body.shape
        frame = _turned_frame(head[:10], end, tail, tally, step, total, length)
        return _Turned(frame, body)
    if isinstance(body, Pairs) and kind is Pairs:
        return _Paired(_paired_frame(head[:10], end, tail, tally, body.shape), body)
    return Entry(head, body, tail, tally)
