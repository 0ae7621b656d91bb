"""CLIENT LIST, INFO, KILL, UNBLOCK and tracking in our clients' ids, not in the server's.

A client knows itself and others by the ids that CLIENT ID tells, which are ours, and most of our
clients have no connection to the server of their own. So these commands are asked of the server in
its own ids, and what it answers of connections that one client has alone is told in ours; the
clients that share connections are told in the same form. What is wrong with a command the server
says: it gets it with an id that no connection has. With ``client_view: upstream`` the first four
are about the server's connections, unchanged.
"""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from ambassador.redis.buffers import PEAK_RESET, reply_buffer
from ambassador.redis.ids import is_id, server_id
from ambassador.redis.killing import kill, unblock
from ambassador.redis.resp import bulk, packed
from ambassador.redis.tracking import redirection, tracking, tracking_info

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.lease import Lease

__all__ = ["clients_counted", "translated"]

After = Callable[[bytes], bytes]
Translation = tuple[bytes, "After | None"]

_ZEROS: Final = b"sub psub ssub qbuf-free argv-mem multi-mem obl watch fd".split()
_STRUCTURE: Final = 5824  # bytes that Redis 7.0 counts for a client without buffers
_CLIENTS: Final = re.compile(rb"(?<=\nconnected_clients:)\d+(?=\r)")
_FIELD: Final = re.compile(rb"(?<![^ ])([a-z-]+)=([^ \n]*)")
_OF_CLIENTS: Final = frozenset({"client|list", "client|info", "client|kill", "client|unblock"})


def translated(
    client: "Client", lease: "Lease", raw: bytes, words: list[bytes], name: str
) -> Translation:
    """Return a command as the server understands it, and what makes its reply the client's."""
    if name in _OF_CLIENTS and client.listener.client_view == "upstream":
        return raw, None
    translate = _TRANSLATORS.get(name)
    return (raw, None) if translate is None else translate(client, lease, raw, words)


# --- CLIENT LIST and INFO ------------------------------------------------------------------------


def _list(client: "Client", lease: "Lease", raw: bytes, words: list[bytes]) -> Translation:
    wanted: set[int] | None = None
    is_any = len(words) == 2
    if len(words) > 3 and words[2].upper() == b"ID" and all(map(is_id, words[3:])):
        wanted, raw, is_any = set(map(int, words[3:])), packed(*words[:2]), True
    is_normal = is_any or (len(words) == 4 and words[3].lower() == b"normal")

    def after(reply: bytes) -> bytes:
        lines = _lines(reply)
        if lines is None:
            return reply
        others = client.hub.clients if is_normal else ()
        told = _told(client, lease, lines, others)
        return _text(reply, b"".join(
            line + b"\n" for number, line in sorted(told.items())
            if wanted is None or number in wanted
        ))  # fmt: skip

    return raw, after


def _info(client: "Client", _lease: "Lease", raw: bytes, _: list[bytes]) -> Translation:
    def after(reply: bytes) -> bytes:
        lines = _lines(reply)
        if not lines:
            return reply
        return _text(reply, _renamed(lines[0], client) + b"\n")

    return raw, after


def _told(
    asking: "Client", lease: "Lease", lines: list[bytes], others: Iterable["Client"]
) -> dict[int, bytes]:
    """Return the lines of all clients that we know, by our ids."""
    by_server = {server_id(client): client for client in asking.hub.clients}
    told = {}
    model = b""
    for line in lines:
        number = int(dict(_FIELD.findall(line)).get(b"id", b"0"))
        if number == lease.link.server_id:
            model = line
        client = by_server.get(number)
        if client is not None and number:
            told[client.id] = _renamed(line, client)
    for client in others:
        if client.id not in told and not server_id(client):
            told[client.id] = _sharing(model, client)
    return told


def _renamed(line: bytes, client: "Client") -> bytes:
    """Return the server's line of a connection as that of the client that has it."""
    facts = {
        b"id": b"%d" % client.id,
        b"addr": client.peer,
        b"laddr": client.place,
        b"name": client.session.name,
        b"age": b"%d" % (client.hub.now() - client.since),
    }
    lease = client.session.lease
    if lease is not None and lease.redirects_to:
        facts[b"redir"] = b"%d" % lease.redirects_to
    return _with(line, facts)


def _sharing(model: bytes, client: "Client") -> bytes:
    """Return the line of a client without a connection of its own."""
    attributes = client.session.attributes
    now = client.hub.now()
    size, peak = reply_buffer(
        now - client.since, client.peak, now - client.peaked_at, client.hub.peak_reset
    )
    waiting, begun = client.waiting, client.requests.pending
    facts = dict.fromkeys(_ZEROS, b"0") | {
        b"qbuf": b"%d" % begun,
        b"rbs": b"%d" % size,
        b"rbp": b"%d" % peak,
        b"oll": b"%d" % -(-waiting // size),
        b"omem": b"%d" % waiting,
        b"tot-mem": b"%d" % (_STRUCTURE + size + waiting + begun),
        b"idle": b"%d" % (now - client.heard),
        b"flags": b"N",
        b"db": b"%d" % attributes.db,
        b"multi": b"-1",
        b"redir": b"-1",
        b"cmd": b"NULL",
        b"user": attributes.user or b"default",
        b"resp": b"%d" % attributes.protocol,
        b"lib-name": client.session.facts.get(b"lib-name", b""),
        b"lib-ver": client.session.facts.get(b"lib-ver", b""),
    }
    return _renamed(_with(model, facts), client)


def _with(line: bytes, facts: dict[bytes, bytes]) -> bytes:
    return _FIELD.sub(lambda field: b"%b=%b" % (field[1], facts.get(field[1], field[2])), line)


def _lines(reply: bytes) -> list[bytes] | None:
    """Return the lines of a bulk or verbatim string, None for anything else."""
    if not reply.startswith((b"$", b"=")) or reply.startswith(b"$-"):
        return None
    text = reply[reply.index(b"\n") + 1 : -2]
    return (text[4:] if reply.startswith(b"=") else text).splitlines()


def _text(like: bytes, text: bytes) -> bytes:
    if like.startswith(b"="):
        return b"=%d\r\ntxt:%b\r\n" % (len(text) + 4, text)
    return bulk(text)


# --- INFO and DEBUG ------------------------------------------------------------------------------


def clients_counted(client: "Client") -> After | None:
    """Return what makes INFO count the clients that CLIENT LIST tells."""
    if client.listener.client_view == "upstream":
        return None

    def after(reply: bytes) -> bytes:
        lines = reply[reply.find(b"\n") + 1 : -2]
        told = _CLIENTS.sub(b"%d" % len(client.hub.clients), lines)
        if told == lines:
            return reply
        if reply.startswith(b"="):
            return b"=%d\r\n%b\r\n" % (len(told), told)
        return bulk(told)

    return after


def _counted(client: "Client", _: "Lease", raw: bytes, _words: list[bytes]) -> Translation:
    return raw, clients_counted(client)


def _debug(client: "Client", _: "Lease", raw: bytes, words: list[bytes]) -> Translation:
    """Take how long large replies are remembered, as Redis' own tests choose it."""
    options = [word.lower() for word in words[1:]]
    if len(options) != 3 or options[:2] != [b"replybuffer", b"peak-reset-time"]:
        return raw, None

    def after(reply: bytes) -> bytes:
        if reply.startswith(b"+"):
            named = {b"never": -1.0, b"reset": PEAK_RESET}
            value = named.get(options[2])
            client.hub.peak_reset = int(options[2]) / 1000 if value is None else value
        return reply

    return raw, after


def _id(client: "Client", _: "Lease", raw: bytes, _words: list[bytes]) -> Translation:
    return raw, lambda reply: b":%d\r\n" % client.id if reply.startswith(b":") else reply


_TRANSLATORS: Final[dict[str, Callable[["Client", "Lease", bytes, list[bytes]], Translation]]] = {
    "info": _counted,
    "debug": _debug,
    "client|id": _id,
    "client|list": _list,
    "client|info": _info,
    "client|kill": kill,
    "client|unblock": unblock,
    "client|tracking": tracking,
    "client|getredir": redirection,
    "client|trackinginfo": tracking_info,
}
