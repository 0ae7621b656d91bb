"""Commands about the connection itself, which the proxy answers: who the client is, its database,
protocol and name. The words of the answers are Redis'.
"""

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ambassador.redis import errors
from ambassador.redis.commands import Command, Route
from ambassador.redis.link import Attributes, Refused
from ambassador.redis.resp import bulk, error, mapping
from ambassador.redis.settings import MODES
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.session import Session

__all__ = ["Attributes", "follower", "take"]

_OK: Final = b"+OK\r\n"
_BAD_NAME: Final = error("ERR Client names cannot contain spaces, newlines or special characters.")
Take = Callable[["Session", "Client", bytes, list[bytes]], bool]


def take(
    session: "Session", client: "Client", raw: bytes, words: list[bytes], found: Command
) -> None:
    """Answer a command; one that is put strangely is answered by the server."""
    handler = _HANDLERS.get(found.name)
    if handler is None or not handler(session, client, raw, words):
        session.with_lease(lambda lease: lease.take_plainly(raw, words, found.name), found)


def _select(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    if len(words) != 2 or not (words[1].isdigit() and len(words[1]) < 10):
        return False
    wanted = int(words[1])
    if wanted == session.attributes.db:
        client.local(_OK)
    else:
        _switch(session, client, session.attributes._replace(db=wanted), lambda: _OK)
    return True


def _auth(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    if len(words) not in {2, 3}:
        return False
    user = words[1] if len(words) == 3 else b""
    _login(session, client, user, words[-1], session.attributes.protocol, lambda: _OK)
    return True


def _login(
    session: "Session",
    client: "Client",
    user: bytes,
    password: bytes,
    protocol: int,
    reply: Callable[[], bytes],
) -> None:
    users = client.listener.users
    attributes = session.attributes._replace(protocol=protocol)
    if not users:
        _switch(session, client, attributes._replace(user=user, password=password), reply)
        return
    if not _is_right(users, user or b"default", password):
        client.hub.failed_with("WRONGPASS")
        client.local(errors.WRONG_PASSWORD)
        return
    session.is_known, client.requests.is_stranger = True, False
    session.settle_directness()
    _switch(session, client, attributes, reply)


def _is_right(users: tuple[tuple[str, str], ...], user: bytes, password: bytes) -> bool:
    """Compare with each, so that time tells nothing."""
    found = False
    for name, secret in users:
        is_name = hmac.compare_digest(name.encode(), user)
        found |= hmac.compare_digest(secret.encode(), password) and is_name
    return found


def _hello(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    protocol, user, password, name, rest = session.attributes.protocol, b"", None, None, words[1:]
    if rest:
        if rest[0] not in {b"2", b"3"}:
            if rest[0].lstrip(b"-").isdigit():
                client.local(errors.NO_PROTOCOL)
                return True
            return False
        protocol, rest = int(rest[0]), rest[1:]
    while rest:
        option = rest[0].upper()
        if option == b"AUTH" and len(rest) >= 3:
            user, password, rest = rest[1], rest[2], rest[3:]
        elif option == b"SETNAME" and len(rest) >= 2:
            name, rest = rest[1], rest[2:]
        else:
            client.local(error(f"ERR Syntax error in HELLO option '{rest[0].decode('latin-1')}'"))
            return True
    if name is not None and not _is_name(name):
        client.local(_BAD_NAME)
        return True
    if not session.is_known and password is None:
        client.local(errors.NO_AUTH_HELLO)
        return True
    if not client.hub.hello:
        return False

    def reply() -> bytes:
        if name is not None:
            session.name = name
        return _facts(client, protocol)

    if password is not None:
        _login(session, client, user, password, protocol, reply)
    else:
        _switch(session, client, session.attributes._replace(protocol=protocol), reply)
    return True


def _facts(client: "Client", protocol: int) -> bytes:
    """Return the answer to HELLO: the primary's, but for what is ours."""
    told = client.hub.hello
    pairs = [
        (b"server", bulk(told.get(b"server", b"redis"))),
        (b"version", bulk(told.get(b"version", b""))),
        (b"proto", b":%d\r\n" % protocol),
        (b"id", b":%d\r\n" % client.id),
        (b"mode", bulk(b"standalone" if client.hub.cluster is None else b"cluster")),
        (b"role", bulk(b"master")),
        (b"modules", b"*0\r\n"),
    ]
    return mapping(pairs, protocol)


def _switch(
    session: "Session", client: "Client", attributes: Attributes, reply: Callable[[], bytes]
) -> None:
    """Answer when the primary has taken a connection that is set so; else its refusal."""
    if attributes == session.attributes:
        client.local(reply())
        return

    def begin() -> None:
        session.waits = True
        client.hub.spawn(_try(session, client, attributes, reply), "attributes")

    client.barrier(begin)


async def _try(
    session: "Session", client: "Client", attributes: Attributes, reply: Callable[[], bytes]
) -> None:
    answer = errors.NO_PRIMARY
    try:
        await client.hub.tried(attributes)
        session.become(attributes)
        answer = reply()
    except Refused as refused:
        answer = b"-" + refused.reply + b"\r\n"
    except (UpstreamUnavailable, TimeoutError):
        pass
    session.waits = False
    if not client.is_closed:
        client.local(answer)
        client.pump()
        client.settle()


def _reset(session: "Session", client: "Client", _: bytes, _words: list[bytes]) -> bool:
    def act() -> None:
        session.reset()
        client.write(b"+RESET\r\n")

    client.barrier(act)
    return True


def _quit(_: "Session", client: "Client", _raw: bytes, _words: list[bytes]) -> bool:
    def act() -> None:
        client.local(_OK)
        client.close("")

    client.backlog.clear()
    client.barrier(act)
    return True


def _id(_: "Session", client: "Client", _raw: bytes, words: list[bytes]) -> bool:
    if len(words) != 2:
        return False
    client.local(b":%d\r\n" % client.id)
    return True


def _get_name(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    if len(words) != 2:
        return False
    null = b"_\r\n" if session.attributes.protocol >= 3 else b"$-1\r\n"
    client.local(bulk(session.name) if session.name else null)
    return True


def _set_name(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    if len(words) != 3:
        return False
    if _is_name(words[2]):
        session.name = words[2]
        client.local(_OK)
    else:
        client.local(_BAD_NAME)
    return True


def _is_name(name: bytes) -> bool:
    return all(0x21 <= byte <= 0x7E for byte in name)


def _set_info(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    if len(words) != 4 or "client|setinfo" not in client.hub.table.names():
        return False
    option = words[2].lower()
    if option not in {b"lib-name", b"lib-ver"} or not _is_name(words[3]):
        return False
    session.facts[option] = words[3]
    client.local(_OK)
    return True


def _reply(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    mode = words[2].upper() if len(words) == 3 else b""
    if mode not in {b"ON", b"OFF", b"SKIP"}:
        return False
    if mode == b"ON":
        session.set_reply_mode(b"ON")
        client.local(_OK)
    elif mode == b"OFF" or session.reply_mode != b"OFF":
        session.begin_reply_mode(mode)
    return True


def _info(session: "Session", client: "Client", raw: bytes, words: list[bytes]) -> bool:
    if len(words) == 2 and words[1].lower() == b"ambassador":
        client.local(bulk(client.hub.info().encode()))
    elif session.lease is not None:
        session.lease.take_plainly(raw, words, "info")
    elif client.hub.cluster is not None:
        return False
    else:
        client.emit(raw, 1, Route.LOOK)
    return True


def _ambassador(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    if not client.listener.is_pinnable or len(words) < 2:
        return False
    match words[1].upper(), [word.lower() for word in words[2:]]:
        case b"MODE", [mode] if mode.decode("latin-1") in MODES:
            client.reader.mode = mode.decode()
            client.local(_OK)
        case b"PIN", []:
            client.reader.mode = "primary"
            client.local(_OK)
        case b"INFO", []:
            client.local(bulk(client.hub.info().encode()))
        case _:
            client.local(errors.SYNTAX)
    return True


def follower(session: "Session", words: list[bytes], name: str) -> Callable[[bytes], bytes] | None:
    """Return what keeps the session equal to what the upstream answers on a lease."""

    def after(reply: bytes) -> bytes:
        if reply.startswith(b"-"):
            return reply
        attributes = session.attributes
        if name == "hello" and len(words) > 1:
            session.become(attributes._replace(protocol=int(words[1])))
        elif name == "auth":
            user = words[1] if len(words) == 3 else b""
            session.become(attributes._replace(user=user, password=words[-1]))
        elif name == "client|setname" and len(words) == 3:
            session.name = words[2]
        return reply

    return after


_HANDLERS: Final[dict[str, Take]] = {
    "select": _select,
    "auth": _auth,
    "hello": _hello,
    "reset": _reset,
    "quit": _quit,
    "client|id": _id,
    "client|getname": _get_name,
    "client|setname": _set_name,
    "client|setinfo": _set_info,
    "client|reply": _reply,
    "info": _info,
    "ambassador": _ambassador,
}
