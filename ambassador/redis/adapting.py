"""What a listener's options make of single commands, before they are routed."""

from typing import TYPE_CHECKING

from ambassador.redis.commands import Command, Route
from ambassador.redis.resp import bulk, packed
from ambassador.redis.rewriting import is_harmless_script, read_twin
from ambassador.redis.settings import MOVABLE

if TYPE_CHECKING:
    from ambassador.redis.client import Client

__all__ = ["adapted"]

Taken = tuple[bytes, list[bytes], Command]


def adapted(client: "Client", raw: bytes, words: list[bytes], found: Command) -> Taken | None:
    """Return a command as it is to be routed; None: it is answered."""
    name = found.name
    if name == "ping" and len(words) < 3:
        client.local(bulk(words[1]) if len(words) == 2 else b"+PONG\r\n")
        return None
    if name in MOVABLE:
        is_moved = name in client.listener.replica_answers
        return raw, words, found._replace(route=Route.READ if is_moved else Route.LOOK)
    if name == "eval" and len(words) > 1 and is_harmless_script(words[1]):
        return raw, words, found._replace(route=Route.SCRIPT_READ)
    if name in {"sort", "georadius", "georadiusbymember"}:
        twin = read_twin(name, words)
        if twin is not None and twin[0].decode().lower() in client.hub.table.names():
            return packed(*twin), twin, client.hub.command(twin[0])
    return raw, words, found
