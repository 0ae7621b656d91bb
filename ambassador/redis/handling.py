"""What becomes of a command, by its route, of a client that shares upstreams."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ambassador.redis import identity
from ambassador.redis.commands import Command, Route
from ambassador.redis.cursors import Cursors

if TYPE_CHECKING:
    from ambassador.redis.session import Session

__all__ = ["BY_ROUTE"]


def _plain(session: "Session", raw: bytes, words: list[bytes], found: Command) -> None:
    """Send what needs no closer look."""
    if found.name == "script|load" and len(words) == 3:
        session.client.hub.scripts.saw(words[2])
    if found.name in session.client.hub.slow_names:
        session.client.emit(raw, 1, found.route, is_slow=True)
    else:
        session.client.emit(raw, 1, found.route)


def _script(session: "Session", raw: bytes, words: list[bytes], found: Command) -> None:
    """Send a script: nobody knows how long it takes."""
    _note(session, words, found)
    session.client.emit(raw, 1, Route.WRITE, is_slow=True)


def _script_read(session: "Session", raw: bytes, words: list[bytes], found: Command) -> None:
    """Send a script that writes nothing; one that a replica does not know comes back."""
    _note(session, words, found)
    session.client.emit(raw, 1, Route.READ, is_slow=True)


def _note(session: "Session", words: list[bytes], found: Command) -> None:
    if found.name in {"eval", "eval_ro"} and len(words) > 1:
        session.client.hub.scripts.saw(words[1])


def _cursor(session: "Session", raw: bytes, words: list[bytes], _found: Command) -> None:
    """Send a scan."""
    if session.client.listener.cursor == "sticky":
        if session.cursors is None:
            session.cursors = Cursors(session.client)
        session.cursors.take(raw, words)
    else:
        session.client.emit(raw, 1, Route.LOOK)


def _xread(session: "Session", raw: bytes, words: list[bytes], found: Command) -> None:
    """Send XREAD: a read, unless it blocks."""
    for word in words[1:]:
        if word.upper() == b"STREAMS":
            break
        if word.upper() == b"BLOCK":
            _once(session, raw, words, found)
            return
    session.client.emit(raw, 1, Route.READ)


def _once(session: "Session", raw: bytes, words: list[bytes], found: Command) -> None:
    """Send a command on an upstream of its own."""
    attributes = session.attributes
    if found.route is Route.KILL:
        attributes = attributes._replace(db=0)  # while a script runs no database can be chosen
    session.with_lease(lambda lease: lease.take(raw, words, found), attributes)


def _transaction(session: "Session", raw: bytes, words: list[bytes], found: Command) -> None:
    """Begin a transaction, or let Redis say that there is none."""
    if found.name in {"multi", "watch"}:
        _once(session, raw, words, found)
    else:
        session.client.emit(raw, 1, Route.WRITE)  # without MULTI: Redis has the right words


def _session(session: "Session", raw: bytes, words: list[bytes], found: Command) -> None:
    """Answer what is about the connection."""
    client = session.client
    identity.if_permitted(
        session, client, words, found, lambda: identity.take(session, client, raw, words, found)
    )


def _wait(session: "Session", raw: bytes, words: list[bytes], found: Command) -> None:
    """Count replicas, beside the shared upstream."""
    if len(words) != 3 or not all(word.isdigit() for word in words[1:]):
        _once(session, raw, words, found)
        return
    count, limit = int(words[1]), int(words[2]) / 1000
    client = session.client
    client.hub.monitors.show(client, words, found)

    async def ask() -> None:
        session.resume_with(await session.replicas_with(count, limit))

    identity.if_permitted(session, client, words, found, lambda: session.wait_for(ask, "wait"))


BY_ROUTE: Final[dict[Route, Callable[["Session", bytes, list[bytes], Command], None]]] = {
    Route.READ: _plain,
    Route.WRITE: _plain,
    Route.LOOK: _plain,
    Route.SCRIPT: _script,
    Route.SCRIPT_READ: _script_read,
    Route.CURSOR: _cursor,
    Route.XREAD: _xread,
    Route.ONCE: _once,
    Route.TRANSACTION: _transaction,
    Route.SUBSCRIBE: _once,
    Route.TRACKING: _once,
    Route.SESSION: _session,
    Route.WAIT: _wait,
    Route.KILL: _once,
    Route.FORBIDDEN: _once,
}
