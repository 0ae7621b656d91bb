"""The query log: a sample, or what went wrong; written apart from the query path.

Lines wait in a short queue; when it is full the oldest go (they are counted).
"""

from collections import deque
from typing import Final

from dnsd import codes, names, wire
from dnsd.tallies import Channel
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

__all__ = ["QueryLog"]

_log = get_logger("dnsd")

_WAITING: Final = 1000
_PERIOD: Final = 0.2


class QueryLog:
    """Notes queries that were not answered from memory."""

    def __init__(self, what: str) -> None:
        """``errors``, or ``1/N``: one query in N."""
        self._every = 0 if what == "errors" else int(what.partition("/")[2])
        self._count = 0
        self._lost = 0
        self._waiting: deque[tuple[bytes, bytes | None, Channel]] = deque(maxlen=_WAITING)

    def note(self, packet: bytes, reply: bytes | None, channel: Channel) -> None:
        """Take a query and its reply, None: none (yet)."""
        self._count += 1
        if self._every:
            wanted = self._count % self._every == 0
        else:
            wanted = reply is not None and reply[3] & 15 in {codes.SERVFAIL, codes.FORMERR}
        if wanted:
            self._lost += len(self._waiting) == _WAITING
            self._waiting.append((packet, reply, channel))

    def flush(self) -> None:
        """Write what waits."""
        while self._waiting:
            packet, reply, channel = self._waiting.popleft()
            query = wire.parse(packet)
            name, kind = "", ""
            if isinstance(query, wire.Query):
                name = names.text_of(names.labels_of(query.name))
                kind = codes.TYPE_NAMES.get(query.qtype, str(query.qtype))
            rcode = "" if reply is None else codes.RCODE_NAMES.get(reply[3] & 15, "other")
            _log.info("query", name=name, type=kind, rcode=rcode, proto=channel.proto)
        if self._lost:
            _log.warning("queries not logged, there were too many", count=self._lost)
            self._lost = 0

    async def run(self, clock: Clock) -> None:
        """Write for ever."""
        while True:
            await clock.sleep(_PERIOD)
            self.flush()
