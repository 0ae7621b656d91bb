"""Scans on a replica: a cursor means something only to the server that gave it."""

from typing import TYPE_CHECKING, Final

from ambassador.redis import errors
from ambassador.redis.commands import Route
from ambassador.redis.resp import decode
from ambassador.redis.run import ClientRun
from sidecar.errors import ProtocolError

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.node import Node

__all__ = ["Cursors"]

_MOST: Final = 64


class Cursors:
    """Which server each scan of one client is on."""

    __slots__ = ("_client", "_places")

    def __init__(self, client: "Client") -> None:
        """Start without scans."""
        self._client = client
        self._places: dict[tuple[bytes, ...], Node] = {}

    def take(self, raw: bytes, words: list[bytes]) -> None:
        """Send a scan to the server where it began."""
        name = words[0].upper()
        place = 1 if name == b"SCAN" else 2
        if len(words) <= place:
            self._client.emit(raw, 1, Route.LOOK)
            return
        key = (name, *words[1:place])
        if words[place] == b"0":
            self._begin(raw, key)
            return
        node = self._places.get((*key, words[place]))
        if node is None or node.is_gone or not (node.is_readable or node.is_primary):
            self._client.local(errors.CURSOR_LOST)
            return
        self._send(raw, key, node)

    def _begin(self, raw: bytes, key: tuple[bytes, ...]) -> None:
        hub = self._client.hub
        if not hub.readable or self._client.reader.mode == "primary":
            if hub.primary is None:
                self._client.emit(raw, 1, Route.LOOK)
                return
            self._send(raw, key, hub.primary)
            return
        self._send(raw, key, hub.chooser(self._client.listener).choose(hub.readable))

    def _send(self, raw: bytes, key: tuple[bytes, ...], node: "Node") -> None:
        client = self._client
        run = ClientRun(client, raw, 1, Route.LOOK, client.hub.now())
        run.is_muted = client.is_muting

        def after(reply: bytes) -> bytes:
            self._note(reply, key, node)
            return reply

        run.after = after
        run.tries = 99  # nowhere else
        link = run.link = node.link(client.session.attributes)
        client.add(run)
        link.send(run)

    def _note(self, reply: bytes, key: tuple[bytes, ...], node: "Node") -> None:
        try:
            found, _ = decode(reply)
        except (ProtocolError, ValueError):
            return
        match found:
            case [bytes(cursor), *_] if cursor != b"0":
                if len(self._places) >= _MOST:
                    self._places.pop(next(iter(self._places)))
                self._places[*key, cursor] = node
