"""Our clients' ids, and those that a server calls their connections by."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ambassador.redis.client import Client

__all__ = ["NOBODY", "is_id", "of_server", "server_id"]

NOBODY: Final = b"%d" % (2**63 - 1)
"""An id that no connection has."""


def is_id(word: bytes) -> bool:
    """Say whether a word can be an id."""
    return word.isdigit() and 0 < int(word) < 2**63


def of_server(client: "Client", number: bytes) -> bytes:
    """Return the server's id for one of ours; that of nobody if it has none there."""
    for one in client.hub.clients:
        if one.id == int(number):
            return b"%d" % (server_id(one) or int(NOBODY))
    return NOBODY


def server_id(client: "Client") -> int:
    """Return what the server calls the connection that a client has alone, 0 if it has none."""
    lease = client.session.lease
    return lease.link.server_id if lease is not None else 0
