"""Datagrams many at a time (``dnsd.bulk``): the fast way.

What is read together is answered together, grouped by client and size. While much comes in we pause
for a moment after each batch (``dnsd.pauses``), so that the next one is large too; a client that
asks one thing at a time never meets a pause.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from socket import htons
from time import perf_counter
from typing import Final

from dnsd.bulk import Bulk
from dnsd.datagrams import BATCH, NEVER_ASK, RECEIVE, Datagrams
from dnsd.pauses import Pause
from dnsd.service import AMPLIFICATION
from dnsd.telemetry import took
from dnsd.ways import Way, taken_apart

__all__ = ["Bursts"]

Groups = defaultdict[tuple[Way, int], list[bytes]]

_PAUSE: Final = 0.0001
_BUSY: Final = 8
"""So many at once are worth a pause ..."""
_CALM: Final = 4
"""... and fewer than these after a pause are not."""
_BATCHES_PER_TURN: Final = 4


def _never(_: bytes) -> None:
    """Take what only comes when others are asked."""


class Bursts:
    """Reads one socket by batches while it serves."""

    def __init__(self, datagrams: Datagrams, loop: asyncio.AbstractEventLoop) -> None:
        """Raises OSError where the system cannot; nothing is read yet."""
        self._datagrams = datagrams
        self._loop = loop
        self._bulk = Bulk(datagrams.sock, tells_destination=datagrams.has_destination)
        self._pause = Pause(_PAUSE)
        self._unwanted = frozenset(map(htons, {*NEVER_ASK, datagrams.port}))
        self._is_pausing = False

    def start(self) -> None:
        """Serve from now on."""
        self._loop.add_reader(self._datagrams.sock, self._read)

    def stop(self) -> None:
        """Read nothing more."""
        self._loop.remove_reader(self._datagrams.sock)
        if self._pause.fd >= 0:
            self._loop.remove_reader(self._pause.fd)
            self._pause.close()

    def _read(self) -> None:
        """Answer what has come in, then decide by how much it was when to look again."""
        count = self._answer_batch()
        for _ in range(_BATCHES_PER_TURN - 1):
            if count < BATCH:
                break
            count = self._answer_batch()
        if self._is_pausing:
            if count < _CALM:
                self._loop.remove_reader(self._pause.fd)
                self._loop.add_reader(self._datagrams.sock, self._read)
                self._is_pausing = False
            else:
                self._pause.begin()
        elif count >= _BUSY:
            self._pause.begin()
            self._loop.remove_reader(self._datagrams.sock)
            self._loop.add_reader(self._pause.fd, self._read)
            self._is_pausing = True

    def _answer_batch(self) -> int:
        """Answer at most a batch; return how many datagrams that were."""
        begun = perf_counter()
        bulk = self._bulk
        lengths = bulk.receive()
        if not lengths:
            self._datagrams.read()  # nothing, or an error that a single call names
            return 0
        count = len(lengths)
        is_odd = not self._unwanted.isdisjoint(bulk.ports(count))
        if is_odd or not self._datagrams.service.is_plain:
            groups = self._answered_with_care(lengths)
        else:
            groups = self._answered(lengths, begun)
        for way, reply in bulk.send(groups):
            self._datagrams.send(reply, *taken_apart(way))
        return count

    def _answered(self, lengths: Sequence[int], begun: float) -> Groups:
        """Return the replies where all clients are alike: the hot path."""
        service, channel = self._datagrams.service, self._datagrams.channels.usual
        replies = service.responder.replies()
        known = replies.hot(channel).get
        inbox = self._bulk.inbox
        groups: Groups = defaultdict(list)
        tally = None
        at = 0
        for length, (way,) in zip(lengths, self._bulk.ways(len(lengths)), strict=True):
            packet = inbox[at : at + length]
            at += RECEIVE
            entry = known(packet[2:])
            if entry is not None:
                reply = entry.reply(packet)
                tally = entry.tally
            else:
                missed = service.miss(replies, packet, channel, taken_apart(way)[0][0], _never)
                if not missed:
                    continue
                reply = missed
            size = len(reply)
            if size > AMPLIFICATION * length:
                reply = service.moderate(taken_apart(way)[0][0], packet, reply)
                size = len(reply)
            groups[way, size].append(reply)
        if tally is not None:
            took(channel, tally, perf_counter() - begun)
        return groups

    def _answered_with_care(self, lengths: Sequence[int]) -> Groups:
        """Return the replies where each client may be another case."""
        datagrams, inbox = self._datagrams, self._bulk.inbox
        datagrams.times_next()
        replies = datagrams.service.responder.replies()
        groups: Groups = defaultdict(list)
        for at, (way,) in enumerate(self._bulk.ways(len(lengths))):
            packet = inbox[at * RECEIVE : at * RECEIVE + lengths[at]]
            peer, control = taken_apart(way)
            if datagrams.is_unwanted(peer):
                continue
            reply = datagrams.answer(replies, packet, peer, control)
            if reply is not None:
                groups[way, len(reply)].append(reply)
        return groups
