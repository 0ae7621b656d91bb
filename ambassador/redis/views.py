"""CLIENT LIST, INFO, KILL and UNBLOCK about our own clients (``client_view: proxy``).

Lines and filters are Redis' own, so that tools can read them; ids are those that CLIENT ID says.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from ambassador.redis import errors
from ambassador.redis.greeting import DEFAULT
from ambassador.redis.resp import bulk, error, packed
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.client import Client

__all__ = ["line_of", "view"]

_TYPES: Final = frozenset({"normal", "master", "replica", "slave", "pubsub"})
_NO_SUCH: Final = error("ERR No such client")
_BAD_ID: Final = error("ERR Invalid client ID")
_NO_NUMBER: Final = error("ERR value is not an integer or out of range")
Wanted = Callable[["Client"], bool]


def view(client: "Client", words: list[bytes], name: str) -> bool:
    """Answer a command; False: it is put strangely, and the server has the right words."""
    rest = [word.decode("latin-1") for word in words[2:]]
    match name:
        case "client|info" if not rest:
            client.local(bulk(line_of(client).encode("latin-1")))
        case "client|list":
            return _list(client, rest)
        case "client|kill" if rest:
            return _kill(client, rest)
        case "client|unblock" if 0 < len(rest) < 3:
            return _unblock(client, rest)
        case _:
            return False
    return True


def line_of(client: "Client") -> str:
    """Return what CLIENT LIST says of a client."""
    session, now = client.session, client.hub.now()
    lease = session.lease
    is_pushed = session.is_transparent
    flags = "P" if is_pushed else "b" if session.is_endless else "N"
    facts = {
        "id": client.id,
        "addr": _place(client, "peername"),
        "laddr": _place(client, "sockname"),
        "fd": _descriptor(client),
        "name": session.name.decode("latin-1"),
        "age": int(now - client.since),
        "idle": int(now - client.heard),
        "flags": flags,
        "db": session.attributes.db,
        "sub": lease.subscriptions if lease is not None and is_pushed else 0,
        "psub": 0,
        "multi": 0 if lease is not None and lease.is_held and not is_pushed else -1,
        "qbuf": client.requests.pending,
        "user": session.attributes.user.decode("latin-1") or "default",
        "resp": session.attributes.protocol,
    }
    return " ".join(f"{key}={value}" for key, value in facts.items()) + "\n"


def _place(client: "Client", which: str) -> str:
    found = client.transport.get_extra_info(which) if client.transport is not None else None
    if isinstance(found, tuple):
        host, port = found[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{found or ''}:0"  # a Unix socket


def _descriptor(client: "Client") -> int:
    sock = client.transport.get_extra_info("socket") if client.transport is not None else None
    return int(sock.fileno()) if sock is not None else -1


def _kind(client: "Client") -> str:
    return "pubsub" if client.session.is_transparent else "normal"


def _all(client: "Client") -> list["Client"]:
    return sorted(client.hub.clients, key=lambda one: one.id)


def _list(client: "Client", rest: list[str]) -> bool:
    chosen: Iterable[Client] = _all(client)
    match [word.lower() for word in rest]:
        case []:
            pass
        case ["type", kind] if kind in _TYPES:
            chosen = [one for one in chosen if _kind(one) == kind]
        case ["id", *numbers] if numbers:
            if not all(number.isdigit() for number in numbers):
                client.local(_BAD_ID)
                return True
            wanted = {int(number) for number in numbers}
            chosen = [one for one in chosen if one.id in wanted]
        case _:
            return False
    client.local(bulk("".join(line_of(one) for one in chosen).encode("latin-1")))
    return True


def _kill(client: "Client", rest: list[str]) -> bool:
    if len(rest) == 1:
        found = [one for one in _all(client) if _place(one, "peername") == rest[0]]
        client.local(b"+OK\r\n" if found else _NO_SUCH)
        _end(found)
        return True
    if len(rest) % 2:
        return False
    spares_self, filters = True, []
    for option, value in zip(rest[::2], rest[1::2], strict=True):
        if option.lower() == "skipme" and value.lower() in {"yes", "no"}:
            spares_self = value.lower() == "yes"
        elif (wanted := _filter(option.lower(), value)) is not None:
            filters.append(wanted)
        else:
            return False
    found = [
        one
        for one in _all(client)
        if all(wanted(one) for wanted in filters) and not (spares_self and one is client)
    ]
    client.local(b":%d\r\n" % len(found))
    _end(found)
    return True


def _filter(option: str, value: str) -> Wanted | None:
    match option:
        case "id" if value.isdigit():
            return lambda one: one.id == int(value)
        case "addr":
            return lambda one: _place(one, "peername") == value
        case "laddr":
            return lambda one: _place(one, "sockname") == value
        case "user":
            return lambda one: (one.session.attributes.user.decode("latin-1") or "default") == value
        case "type" if value.lower() in _TYPES:
            return lambda one: _kind(one) == value.lower()
    return None


def _end(clients: Iterable["Client"]) -> None:
    for one in clients:
        one.close("killed")


def _unblock(client: "Client", rest: list[str]) -> bool:
    how = rest[1].upper() if len(rest) == 2 else "TIMEOUT"
    if how not in {"TIMEOUT", "ERROR"}:
        return False
    if not rest[0].isdigit():
        client.local(_NO_NUMBER)
        return True
    blocked = next((one for one in client.hub.clients if one.id == int(rest[0])), None)
    lease = blocked.session.lease if blocked is not None else None
    if lease is None or not lease.is_blocking or not lease.link.server_id:
        client.local(b":0\r\n")
        return True
    node, number = lease.link.node, lease.link.server_id

    async def ask() -> None:
        question = packed(b"CLIENT", b"UNBLOCK", b"%d" % number, how.encode())
        try:
            [found] = await node.link(DEFAULT).ask(question, 1)
        except UpstreamUnavailable:
            found = None
        client.session.resume_with(b":%d\r\n" % found if isinstance(found, int) else
                                   errors.NO_PRIMARY)  # fmt: skip

    client.session.wait_for(ask, "unblock")
    return True
