"""CLIENT KILL and UNBLOCK, in our clients' ids (``roster``)."""

from typing import TYPE_CHECKING, Final

from ambassador.redis.ids import NOBODY, is_id, of_server
from ambassador.redis.resp import packed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ambassador.redis.client import Client
    from ambassador.redis.lease import Lease

__all__ = ["kill", "unblock"]

Translation = tuple[bytes, "Callable[[bytes], bytes] | None"]
_OF_REPLICATION: Final = frozenset({b"master", b"slave", b"replica"})


def kill(client: "Client", _: "Lease", raw: bytes, words: list[bytes]) -> Translation:
    """Return CLIENT KILL so that it meets nobody, and what kills those meant."""
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


def unblock(client: "Client", _: "Lease", raw: bytes, words: list[bytes]) -> Translation:
    """Return CLIENT UNBLOCK with the server's id."""
    if len(words) < 3 or not is_id(words[2]):
        return raw, None
    return packed(*words[:2], of_server(client, words[2]), *words[3:]), None
