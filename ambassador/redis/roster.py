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

from ambassador.redis.ids import NOBODY, is_id, of_server, server_id
from ambassador.redis.resp import bulk, packed
from ambassador.redis.tracking import redirection, tracking, tracking_info

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.lease import Lease

__all__ = ["translated"]

After = Callable[[bytes], bytes]
Translation = tuple[bytes, "After | None"]

_FIELD: Final = re.compile(rb"(?<![^ ])([a-z-]+)=([^ \n]*)")
_OF_CLIENTS: Final = frozenset({"client|list", "client|info", "client|kill", "client|unblock"})
_OF_REPLICATION: Final = frozenset({b"master", b"slave", b"replica"})


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
    zeros = b"sub psub ssub qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem watch fd"
    facts = dict.fromkeys(zeros.split(), b"0") | {
        b"idle": b"%d" % (client.hub.now() - client.heard),
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


# --- CLIENT KILL and UNBLOCK ---------------------------------------------------------------------


def _kill(client: "Client", _: "Lease", raw: bytes, words: list[bytes]) -> Translation:
    if len(words) < 3:
        return raw, None
    if len(words) == 3:
        return packed(*words[:2], b"-:0"), lambda reply: _killed_at(client, words[2], reply)
    filters = _filters(words[2:])
    if filters is None:
        return packed(*_without_ids(words)), None  # the server says what is wrong
    kind = filters.get(b"TYPE", b"").lower()
    if kind in _OF_REPLICATION and len(filters) == 1:
        return raw, None  # no client of ours is one

    def after(reply: bytes) -> bytes:
        if reply.startswith(b"-"):
            return reply
        chosen = [one for one in list(client.hub.clients) if _is_meant(one, client, filters)]
        for one in chosen:
            _end(one, client)
        return b":%d\r\n" % len(chosen)

    return packed(*_without_ids(words)), after


def _without_ids(words: list[bytes]) -> list[bytes]:
    """Return CLIENT KILL so that it is checked, and meets nobody."""
    found = words[:2]
    for place in range(2, len(words), 2):
        option = words[place : place + 2]
        if len(option) == 2 and option[0].upper() == b"ID" and is_id(option[1]):
            continue
        found += option
    return [*found, b"ID", NOBODY]


def _filters(words: list[bytes]) -> dict[bytes, bytes] | None:
    """Return what CLIENT KILL says, None for what is not understood here."""
    known = {b"ID", b"TYPE", b"ADDR", b"LADDR", b"USER", b"SKIPME"}
    filters = {
        option.upper(): value for option, value in zip(words[::2], words[1::2], strict=False)
    }
    is_good = len(words) % 2 == 0 and filters.keys() <= known
    return filters if is_good and is_id(filters.get(b"ID", b"1")) else None


def _is_meant(one: "Client", asking: "Client", filters: dict[bytes, bytes]) -> bool:
    if one is asking and filters.get(b"SKIPME", b"yes").lower() == b"yes":
        return False
    lease = one.session.lease
    listens = lease is not None and lease.feed is not None
    facts = {
        b"ID": b"%d" % one.id,
        b"ADDR": one.peer,
        b"LADDR": one.place,
        b"USER": one.session.attributes.user or b"default",
    }
    kind = filters.get(b"TYPE")
    return (kind is None or kind.lower() == (b"pubsub" if listens else b"normal")) and all(
        fact == filters.get(option, fact) for option, fact in facts.items()
    )


def _killed_at(client: "Client", place: bytes, reply: bytes) -> bytes:
    """Kill by address, the old form; the reply is that to an address that nobody has."""
    for one in list(client.hub.clients):
        if one.peer == place:
            _end(one, client)
            return b"+OK\r\n"
    return reply


def _end(one: "Client", asking: "Client") -> None:
    if one is asking:
        one.barrier(lambda: one.close("killed"))  # behind its reply
    else:
        one.close("killed", is_abort=False)


def _unblock(client: "Client", _: "Lease", raw: bytes, words: list[bytes]) -> Translation:
    if len(words) < 3 or not is_id(words[2]):
        return raw, None
    return packed(*words[:2], of_server(client, words[2]), *words[3:]), None


def _id(client: "Client", _: "Lease", raw: bytes, _words: list[bytes]) -> Translation:
    return raw, lambda reply: b":%d\r\n" % client.id if reply.startswith(b":") else reply


_TRANSLATORS: Final[dict[str, Callable[["Client", "Lease", bytes, list[bytes]], Translation]]] = {
    "client|id": _id,
    "client|list": _list,
    "client|info": _info,
    "client|kill": _kill,
    "client|unblock": _unblock,
    "client|tracking": tracking,
    "client|getredir": redirection,
    "client|trackinginfo": tracking_info,
}
