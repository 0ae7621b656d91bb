"""What a client may not use: what a listener denies, and everything until a login."""

from typing import TYPE_CHECKING, Final

from ambassador.redis import errors
from ambassador.redis.commands import Command, Route

if TYPE_CHECKING:
    from ambassador.redis.session import Session

__all__ = ["is_permitted", "may_pass"]

_UNTIL_LOGIN: Final = frozenset({"auth", "hello", "quit", "reset"})


def is_permitted(session: "Session", found: Command, words: list[bytes]) -> bool:
    """Answer what may not be used; say whether this may."""
    client, listener = session.client, session.client.listener
    name = found.name
    if not session.is_known and name not in _UNTIL_LOGIN:
        client.local(errors.NO_AUTH)
        return False
    allowed = listener.allow_admin
    refused = found.is_admin and not ("all" in allowed or name in allowed)
    container = name.partition("|")[0]
    if refused and container in allowed:
        refused = False
    refused = refused and not session.is_harmless(words)
    if refused or name in listener.deny or container in listener.deny:
        client.local(errors.denied(name))
        return False
    return True


def may_pass(session: "Session", word: bytes) -> bool:
    """Say whether a long command may go on as it comes: a write that is allowed."""
    client = session.client
    found = client.hub.command(word[word.index(b"\n") + 1 :])
    container = found.name.partition("|")[0]
    return (
        found.route in {Route.WRITE, Route.SCRIPT}
        and not found.is_container
        and not ({found.name, container} & client.listener.deny)
        and session.is_known
        and not client.hub.is_cluster
    )
