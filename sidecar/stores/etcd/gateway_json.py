"""The JSON of etcd's v3 gateway: bodies of requests, and what answers say. Pure.

Keys and values are base64; 64-bit numbers come as text and are left out when they are 0. A range
of keys is given by its first key and the first one behind it.
"""

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sidecar.errors import StoreUnavailable
from sidecar.stores.etcd.keyspace import Event, Held, Reading

__all__ = [
    "Failure",
    "Message",
    "compared",
    "deletion",
    "failure_of",
    "held_of",
    "lease_of",
    "message_of",
    "nested",
    "number",
    "object_of",
    "prefix_range",
    "put",
    "reading_of",
    "watch_request",
]

Json = dict[str, Any]
_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, binascii.Error)


def text(value: str | bytes) -> str:
    """Return a key or value as the gateway wants it."""
    data = value.encode(errors="surrogateescape") if isinstance(value, str) else value
    return b64encode(data).decode("ascii")


def prefix_range(prefix: str) -> Json:
    """Return the range of the keys that begin with this text."""
    if not prefix:
        return {"key": text(b"\0"), "range_end": text(b"\0")}
    begin = prefix.encode(errors="surrogateescape")
    end = begin.rstrip(b"\xff")
    after = end[:-1] + bytes((end[-1] + 1,)) if end else b"\0"
    return {"key": text(begin), "range_end": text(after)}


def put(key: str, value: bytes, lease: int = 0) -> Json:
    """Return the operation that writes a key."""
    body = {"key": text(key), "value": text(value)}
    return {"request_put": body | ({"lease": str(lease)} if lease else {})}


def deletion(key: str) -> Json:
    """Return the operation that removes a key."""
    return {"request_delete_range": {"key": text(key)}}


def compared(key: str, target: str, value: bytes | int) -> Json:
    """Return a condition: the target (VALUE, LEASE, MOD, CREATE, VERSION) of a key is this."""
    field = {"MOD": "mod_revision", "CREATE": "create_revision"}.get(target, target.lower())
    shown = text(value) if isinstance(value, bytes) else str(value)
    return {"key": text(key), "target": target, field: shown}


def nested(compare: Sequence[Json], success: Sequence[Json], failure: Sequence[Json] = ()) -> Json:
    """Return the operation that is a transaction of its own."""
    body = {"compare": list(compare), "success": list(success), "failure": list(failure)}
    return {"request_txn": body}


def watch_request(prefix: str, revision: int) -> Json:
    """Return what asks for the changes below a prefix from a revision on."""
    return {"create_request": prefix_range(prefix) | {"start_revision": str(revision)}}


class Failure(NamedTuple):
    """An error answer: gRPC's code (0: not the gateway's form) and its words on one line."""

    code: int
    message: str


def failure_of(body: bytes) -> Failure:
    """Return what an error answer says, whatever it is."""
    words = body.decode("utf-8", "replace")
    try:
        found = json.loads(words)
        code, words = int(found.get("code", 0)), str(found.get("message") or found["error"])
    except (*_UNREADABLE, RecursionError):
        code = 0
    return Failure(code, " ".join(words.split())[:300])


def object_of(body: bytes) -> Json:
    """Return the JSON object of an answer. Raises StoreUnavailable."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise StoreUnavailable(f"etcd sent no JSON: {body[:60]!r}") from error
    if not isinstance(found, dict):
        raise StoreUnavailable(f"etcd sent no object: {body[:60]!r}")
    return found


def number(holder: Any, name: str) -> int:
    """Return a 64-bit number; 0 when it is left out. Raises StoreUnavailable."""
    try:
        return int(holder.get(name, 0))
    except _UNREADABLE as error:
        raise StoreUnavailable(f"etcd sent no number as {name}") from error


def reading_of(answers: Iterable[Any], revision: int) -> Reading:
    """Return the entries of some range answers. Raises StoreUnavailable."""
    entries = dict(_pair(kv) for answer in answers for kv in _list(answer, "kvs"))
    return Reading(revision, dict(sorted(entries.items())))


def held_of(answer: Any) -> Held | None:
    """Return the first entry of a range answer, or None. Raises StoreUnavailable."""
    found = _list(answer, "kvs")
    return _pair(found[0])[1] if found else None


def lease_of(answer: Any) -> tuple[int, int]:
    """Return a lease's id and TTL, 0 when there is no such lease. Raises StoreUnavailable."""
    answer = answer.get("result", answer)
    return number(answer, "ID"), number(answer, "TTL")


class Message(NamedTuple):
    """One message of a watch: events, its beginning or its end."""

    revision: int
    events: tuple[Event, ...] = ()
    is_created: bool = False
    is_compacted: bool = False
    refusal: Failure | None = None


def message_of(line: bytes) -> Message:
    """Return what one line of a watch says. Raises StoreUnavailable."""
    found = object_of(line)
    if "error" in found:
        return Message(0, refusal=failure_of(json.dumps(found["error"]).encode()))
    result = found.get("result")
    if not isinstance(result, dict):
        raise StoreUnavailable(f"etcd sent no result in a watch: {line[:60]!r}")
    refusal = None
    compacted = number(result, "compact_revision")
    if result.get("canceled") and not compacted:
        refusal = _cancelled(str(result.get("cancel_reason", "")))
    return Message(
        number(result.get("header", {}), "revision"),
        tuple(_event(event) for event in _list(result, "events")),
        bool(result.get("created")) and refusal is None,
        bool(compacted),
        refusal,
    )


_CODES: Final = {"PermissionDenied": 7, "Unauthenticated": 16, "InvalidArgument": 3}


def _cancelled(reason: str) -> Failure:
    """Return what cancelled a watch; the code stands as a word in the reason."""
    code = next((code for word, code in _CODES.items() if f"= {word} " in reason), 14)
    return Failure(code, reason.rpartition("desc = ")[2][:300])


def _event(found: Any) -> Event:
    try:
        key, held = _pair(found["kv"])
        return Event(key, None if found.get("type") == "DELETE" else held, held.modified)
    except _UNREADABLE as error:
        raise StoreUnavailable("etcd sent an event that cannot be read") from error


def _pair(kv: Any) -> tuple[str, Held]:
    try:
        key = b64decode(kv["key"], validate=True).decode(errors="surrogateescape")
        value = b64decode(kv.get("value", ""), validate=True)
    except _UNREADABLE as error:
        raise StoreUnavailable("etcd sent an entry that cannot be read") from error
    numbers = (number(kv, name) for name in ("mod_revision", "create_revision", "lease"))
    return key, Held(value, *numbers)


def _list(holder: Any, name: str) -> list[Any]:
    found = holder.get(name, []) if isinstance(holder, Mapping) else None
    if not isinstance(found, list):
        raise StoreUnavailable(f"etcd sent no list as {name}")
    return found
