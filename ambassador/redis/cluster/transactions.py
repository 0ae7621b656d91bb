"""A transaction that has begun and has no key yet, so that nobody knows at which node it will be.

What has no key is answered here and sent with the first command that has one.
"""

from typing import TYPE_CHECKING, Final

from ambassador.redis import errors
from ambassador.redis.cluster.slots import slot_of
from ambassador.redis.commands import Command, Route
from ambassador.redis.resp import packed

if TYPE_CHECKING:
    from ambassador.redis.cluster.client import ClusterClient
    from ambassador.redis.cluster.session import ClusterSession

__all__ = ["Transaction"]

_MOST: Final = 1000
_QUEUED: Final = b"+QUEUED\r\n"
_EMPTY: Final = b"*0\r\n"
_OK: Final = b"+OK\r\n"
_DIRTY: Final = packed(b"GET")
_NOT_NESTED: Final = {
    "multi": b"-ERR MULTI calls can not be nested\r\n",
    "watch": b"-ERR WATCH inside MULTI is not allowed\r\n",
}


class Transaction:
    """Commands between MULTI and the first key."""

    def __init__(self, session: "ClusterSession", client: "ClusterClient") -> None:
        """Start with none."""
        self._session = session
        self._client = client
        self._queue: list[bytes] = []

    def take(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Take the next command."""
        client, session, name = self._client, self._session, found.name
        if name in _NOT_NESTED:
            client.local(_NOT_NESTED[name])
        elif name in {"reset", "quit"}:
            session.transaction = None
            session.dispatch(raw, words, found)
        elif name == "discard" or (name == "exec" and not self._queue):
            session.transaction = None
            client.local(_OK if name == "discard" else _EMPTY)
        elif session.is_for_all(found):
            self._queue.append(_DIRTY)
            client.local(errors.NOT_IN_TRANSACTION)
        else:
            self._take_other(raw, words, found)

    def _take_other(self, raw: bytes, words: list[bytes], found: Command) -> None:
        places = found.keys(words)
        is_plain = found.route in {Route.READ, Route.WRITE, Route.LOOK, Route.SCRIPT}
        if places == [] and is_plain and len(self._queue) < _MOST:
            self._queue.append(raw)
            self._client.local(_QUEUED)
            return
        self._session.transaction = None
        slot = slot_of(words[places[0]]) if places else -1
        self._session.moving.begin(raw, words, found, slot, self._queue)
