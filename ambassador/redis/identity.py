"""Commands about the connection itself, which the proxy answers: who the client is, its database,
protocol and name. The words of the answers are Redis'.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ambassador.redis import errors
from ambassador.redis.commands import Command, Route
from ambassador.redis.logins import BAD_NAME, asked, auth, hello, is_name, switch
from ambassador.redis.resp import bulk, packed
from ambassador.redis.roster import clients_counted
from ambassador.redis.settings import MODES

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.session import Session

__all__ = ["OURS", "follower", "if_permitted", "take"]

_OK: Final = b"+OK\r\n"
_ANYBODY: Final = frozenset({b"", b"default"})
_ID: Final = re.compile(rb"(\$2\r\nid\r\n:)\d+")
Take = Callable[["Session", "Client", bytes, list[bytes]], bool]


_PROBES: Final[dict[str, tuple[bytes, ...]]] = {
    "select": (b"SELECT", b"-"),
    "client|setname": (b"CLIENT", b"SETNAME", b" "),
    "client|getname": (b"CLIENT", b"GETNAME"),
    "client|setinfo": (b"CLIENT", b"SETINFO", b"-", b"-"),
    "client|reply": (b"CLIENT", b"REPLY", b"-"),
    "wait": (b"WAIT", b"-", b"-"),
}
"""What the server refuses to a user who may not use the command, and otherwise does nothing."""


def if_permitted(
    session: "Session",
    client: "Client",
    words: list[bytes],
    found: Command,
    act: Callable[[], None],
) -> None:
    """Do what is answered here, unless the server does not allow it to who is logged in."""
    probe = _PROBES.get(found.name)
    lease = session.lease
    is_asked = lease is None or not (lease.is_transparent or lease.is_broken)
    is_asked = is_asked and probe is not None and len(words) == len(probe)
    if probe is None or not is_asked or session.attributes.user in _ANYBODY:
        act()
        return
    refusals: list[bytes] = []

    def after(reply: bytes) -> bytes:
        if reply.startswith(b"-NOPERM"):
            refusals.append(reply)
            return reply
        return b""

    def go_on() -> None:
        if not refusals:
            act()

    raw = packed(*probe)
    run = client.emit(raw, 1, Route.LOOK) if lease is None else lease.send(raw)
    run.after = after
    client.barrier(go_on)


def take(
    session: "Session", client: "Client", raw: bytes, words: list[bytes], found: Command
) -> None:
    """Answer a command; one that is put strangely is answered by the server."""
    handler = _HANDLERS.get(found.name)
    if handler is not None and handler(session, client, raw, words):
        client.hub.monitors.show(client, words, found)
    elif session.lease is not None:
        session.lease.pass_on(raw, words, found)
    else:
        session.with_lease(lambda lease: lease.pass_on(raw, words, found))


def _select(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    if len(words) != 2 or not (words[1].isdigit() and len(words[1]) < 10):
        return False
    wanted = int(words[1])
    if wanted == session.attributes.db:
        client.local(_OK)
    else:
        switch(session, client, session.attributes._replace(db=wanted), lambda: _OK)
    return True


def _reset(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    if len(words) != 1:
        return False

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


def _id(session: "Session", client: "Client", raw: bytes, words: list[bytes]) -> bool:
    if len(words) != 2 or session.lease is not None:
        return False
    # The server is asked as well: it may refuse, and it counts and shows what is asked.
    run = client.emit(raw, 1, Route.LOOK)
    run.after = lambda reply: b":%d\r\n" % client.id if reply.startswith(b":") else reply
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
    if is_name(words[2]):
        session.name = words[2]
        client.local(_OK)
    else:
        client.local(BAD_NAME)
    return True


def _set_info(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    if len(words) != 4 or "client|setinfo" not in client.hub.table.names():
        return False
    option = words[2].lower()
    if option not in {b"lib-name", b"lib-ver"} or not is_name(words[3]):
        return False
    session.facts = {**session.facts, option: words[3]}
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
        return False
    else:
        client.emit(raw, 1, Route.LOOK).after = clients_counted(client)
    return True


def _ambassador(_s: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    if not client.listener.is_pinnable or len(words) < 2:
        return False
    match words[1].upper(), [word.lower() for word in words[2:]]:
        case b"MODE", [mode] if mode.decode("latin-1") in MODES:
            client.reader.take_mode(mode.decode())
            client.local(_OK)
        case b"PIN", []:
            client.reader.take_mode("primary")
            client.local(_OK)
        case b"INFO", []:
            client.local(bulk(client.hub.info().encode()))
        case _:
            client.local(errors.SYNTAX)
    return True


def follower(
    session: "Session", client: "Client", words: list[bytes], name: str
) -> Callable[[bytes], bytes] | None:
    """Return what keeps the session equal to what the upstream answers on a lease."""

    def after(reply: bytes) -> bytes:
        if reply.startswith(b"-"):
            return reply
        attributes = session.attributes
        if name == "hello":
            told = asked(words, attributes.protocol)
            if told is not None:
                session.become(told.attributes(attributes))
                session.name = session.name if told.name is None else told.name
            return _ID.sub(rb"\g<1>%d" % client.id, reply)
        if name == "auth":
            user = words[1] if len(words) == 3 else b""
            session.become(attributes._replace(user=user, password=words[-1]))
        elif name == "client|setname" and len(words) == 3:
            session.name = words[2]
        elif name == "client|setinfo" and len(words) == 4:
            session.facts = {**session.facts, words[2].lower(): words[3]}
        return reply

    return after


_HANDLERS: Final[dict[str, Take]] = {
    "select": _select,
    "auth": auth,
    "hello": hello,
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

OURS: Final = frozenset({"client|reply", "client|getname", "client|setname"})
"""What is answered here whatever upstream the client has."""
