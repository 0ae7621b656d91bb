"""AUTH, HELLO and SELECT: what needs connections to the primary that are set otherwise.

Clients that say the same share links. Where logins are the servers' matter, the first link that is
set so decides whether the login is right, and its refusal is the client's answer.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from ambassador.redis import errors
from ambassador.redis.greeting import Attributes, Refused
from ambassador.redis.patience import patiently
from ambassador.redis.resp import bulk, error, mapping
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.session import Session
    from ambassador.redis.settings import Listener

__all__ = ["BAD_NAME", "asked", "auth", "hello", "is_name", "switch"]

_OK: Final = b"+OK\r\n"
BAD_NAME: Final = error("ERR Client names cannot contain spaces, newlines or special characters.")


def auth(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    """Answer AUTH."""
    if len(words) not in {2, 3}:
        return False
    user = words[1] if len(words) == 3 else b""
    wanted = session.attributes._replace(user=user, password=words[-1])
    _login(session, client, wanted, lambda: _OK)
    return True


def _login(
    session: "Session", client: "Client", wanted: Attributes, reply: Callable[[], bytes]
) -> None:
    listener = client.listener
    if not listener.checks_logins:
        switch(session, client, wanted, reply)
        return
    if not _is_right(listener, wanted.user or b"default", wanted.password or b""):
        client.hub.failed_with("WRONGPASS")
        client.local(errors.WRONG_PASSWORD)
        return
    session.is_known, client.requests.is_stranger = True, False
    session.settle_directness()
    own = session.attributes._replace(protocol=wanted.protocol)
    switch(session, client, own, reply)


def _is_right(listener: "Listener", user: bytes, password: bytes) -> bool:
    """Compare with each, so that time tells nothing."""
    from hashlib import sha256  # noqa: PLC0415 - memory
    from hmac import compare_digest  # noqa: PLC0415

    hashed = b"#" + sha256(password).hexdigest().encode()
    known = [(name, f">{secret}") for name, secret in listener.users]
    found = False
    for name, secret in (*known, *listener.secrets):
        told = hashed if secret.startswith("#") else b">" + password
        is_name = compare_digest(name.encode(), user)
        found |= compare_digest(secret.encode(), told) and is_name
    return found


class _Hello(NamedTuple):
    """What HELLO asks for."""

    protocol: int
    user: bytes = b""
    password: bytes | None = None
    name: bytes | None = None
    refusal: bytes = b""

    def attributes(self, before: Attributes) -> Attributes:
        """Return what a connection is set to after it."""
        after = before._replace(protocol=self.protocol)
        if self.password is None:
            return after
        return after._replace(user=self.user, password=self.password)


def asked(words: list[bytes], protocol: int) -> _Hello | None:
    """Read HELLO; None: the server has the right words for what is wrong."""
    found, rest = _Hello(protocol), words[1:]
    if rest:
        if rest[0] not in {b"2", b"3"}:
            is_number = rest[0].lstrip(b"-").isdigit()
            return found._replace(refusal=errors.NO_PROTOCOL) if is_number else None
        found, rest = found._replace(protocol=int(rest[0])), rest[1:]
    while rest:
        option = rest[0].upper()
        if option == b"AUTH" and len(rest) >= 3:
            found, rest = found._replace(user=rest[1], password=rest[2]), rest[3:]
        elif option == b"SETNAME" and len(rest) >= 2:
            found, rest = found._replace(name=rest[1]), rest[2:]
        else:
            text = f"ERR Syntax error in HELLO option '{rest[0].decode('latin-1')}'"
            return found._replace(refusal=error(text))
    if found.name is not None and not is_name(found.name):
        return found._replace(refusal=BAD_NAME)
    return found


def hello(session: "Session", client: "Client", _: bytes, words: list[bytes]) -> bool:
    """Answer HELLO."""
    told = asked(words, session.attributes.protocol)
    if told is None or not client.hub.hello:
        return False
    if told.refusal and not client.listener.users:
        return False  # some versions of Redis log in before they see what is wrong
    if told.refusal or (not session.is_known and told.password is None):
        client.local(told.refusal or errors.NO_AUTH_HELLO)
        return True

    def reply() -> bytes:
        if told.name is not None:
            session.name = told.name
        return _facts(client, told.protocol)

    wanted = told.attributes(session.attributes)
    if told.password is not None:
        _login(session, client, wanted, reply)
    else:
        switch(session, client, wanted, reply)
    return True


def _facts(client: "Client", protocol: int) -> bytes:
    """Return the answer to HELLO: the primary's, but for what is ours."""
    told = client.hub.hello
    pairs = [
        (b"server", bulk(told.get(b"server", b"redis"))),
        (b"version", bulk(told.get(b"version", b""))),
        (b"proto", b":%d\r\n" % protocol),
        (b"id", b":%d\r\n" % client.id),
        (b"mode", bulk(b"standalone")),
        (b"role", bulk(b"master")),
        (b"modules", b"*0\r\n"),
    ]
    return mapping(pairs, protocol)


def switch(
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
        await patiently(client, lambda: client.hub.tried(attributes))
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


def is_name(name: bytes) -> bool:
    """Say whether Redis takes this as a name."""
    return all(0x21 <= byte <= 0x7E for byte in name)
