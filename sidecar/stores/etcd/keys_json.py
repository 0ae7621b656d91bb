"""The answers of etcd's v2 keys API: nodes in directories, events, numbered errors. Pure."""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from sidecar.errors import StoreUnavailable
from sidecar.stores.etcd.keyspace import Event, Held

__all__ = [
    "CLEARED",
    "CONFLICTS",
    "NOT_FOUND",
    "NO_DIRECTORY",
    "UNAUTHORIZED",
    "Refusal",
    "directory_of",
    "events_of",
    "held_of",
    "leaves_of",
    "path_of",
    "refusal_of",
]

NOT_FOUND: Final = 100
NO_DIRECTORY: Final = 104  # a key of this name stands above
UNAUTHORIZED: Final = 110
CONFLICTS: Final = frozenset({101, 105})  # compare failed; the key exists already
CLEARED: Final = 401  # the event asked for is no longer known
_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Refusal(NamedTuple):
    """An error answer: the API's own number (0: not its form) and its words."""

    code: int
    message: str


def path_of(key: str) -> str:
    """Return the path of a request for a key."""
    return "/v2/keys/" + quote(key.strip("/"), safe="/:", errors="surrogateescape")


def directory_of(prefix: str) -> str:
    """Return the directory that holds every key that begins with this text."""
    return prefix.rpartition("/")[0]


def refusal_of(body: bytes) -> Refusal:
    """Return what an error answer says, whatever it is."""
    words = body.decode("utf-8", "replace")
    try:
        found = json.loads(words)
        cause = str(found.get("cause", ""))
        code, words = int(found["errorCode"]), f"{found['message']} {cause}"
    except _UNREADABLE:
        code = 0
    return Refusal(code, " ".join(words.split())[:300])


def leaves_of(body: bytes) -> dict[str, Held]:
    """Return the keys of a recursive answer, sorted. Raises StoreUnavailable."""
    try:
        return dict(sorted(_leaves(json.loads(body)["node"])))
    except _UNREADABLE as error:
        raise StoreUnavailable(f"etcd sent no nodes: {body[:60]!r}") from error


def held_of(body: bytes) -> Held | None:
    """Return what stands under the key of an answer; None for a directory."""
    try:
        node = json.loads(body)["node"]
        return None if node.get("dir") else next(_leaves(node))[1]
    except _UNREADABLE as error:
        raise StoreUnavailable(f"etcd sent no node: {body[:60]!r}") from error


def events_of(body: bytes) -> tuple[int, tuple[Event, ...] | None]:
    """Return the index and the changes of an answer to a wait. Raises StoreUnavailable.

    None: a directory went, and what was below it is not told.
    """
    try:
        found = json.loads(body)
        node = found["node"]
        index, key = int(node["modifiedIndex"]), str(node["key"])
        if found["action"] in {"delete", "expire", "compareAndDelete"}:
            return index, None if node.get("dir") else (Event(key, None, index),)
        return index, tuple(Event(key, held, index) for key, held in _leaves(node | {"nodes": []}))
    except _UNREADABLE as error:
        raise StoreUnavailable(f"etcd sent no event: {body[:60]!r}") from error


def _leaves(node: Any) -> Iterator[tuple[str, Held]]:
    if node.get("dir"):
        for child in node.get("nodes") or ():
            yield from _leaves(child)
        return
    modified, created = int(node["modifiedIndex"]), int(node["createdIndex"])
    lease = 1 if int(node.get("ttl", 0)) else 0
    value = str(node["value"]).encode(errors="surrogatepass")
    yield str(node["key"]), Held(value, modified, created, lease)
