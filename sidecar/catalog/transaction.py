"""Transactions over keys: all of up to 64 operations or none (Consul's ``/v1/txn``). Pure.

Every operation is tried even after one failed, so that the answer names all that went wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sidecar.catalog.draft import Draft
from sidecar.catalog.kv import Entry
from sidecar.catalog.session_id import canonical
from sidecar.catalog.sessions import Moment
from sidecar.errors import ApiError

__all__ = ["MOST", "WRITES", "Failure", "KeyOperation", "Outcome", "run"]

MOST: Final = 64
WRITES: Final = frozenset({"set", "delete", "delete-cas", "delete-tree", "cas", "lock", "unlock"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOperation:
    """One step; which fields count depends on the verb."""

    verb: str
    key: str = ""
    value: bytes = b""
    flags: int = 0
    index: int = 0
    session: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Which operation failed, and why, in Consul's words."""

    operation: int
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Entries to show (of writes without their value), or why nothing was done."""

    entries: tuple[Entry, ...] = ()
    failures: tuple[Failure, ...] = ()


def run(draft: Draft, operations: Sequence[KeyOperation], at: Moment) -> Outcome:
    """Apply all operations to the draft, or none of them."""
    if len(operations) > MOST:
        raise ApiError(
            413, f"Transaction contains too many operations ({len(operations)} > {MOST})"
        )
    refused = _each(operations, lambda operation: _refuse(draft, operation, at))
    if refused.failures:
        return refused
    inner = Draft(draft)
    outcome = _each(operations, lambda operation: _apply(inner, operation, at))
    if not outcome.failures:
        draft.absorb(inner)
    return outcome


_Step = Callable[[KeyOperation], Sequence[Entry]]


def _each(operations: Sequence[KeyOperation], step: _Step) -> Outcome:
    entries: list[Entry] = []
    failures: list[Failure] = []
    for number, operation in enumerate(operations):
        try:
            entries.extend(step(operation))
        except ApiError as error:
            failures.append(Failure(number, str(error)))
    return Outcome((), tuple(failures)) if failures else Outcome(tuple(entries))


def _refuse(draft: Draft, operation: KeyOperation, at: Moment) -> Sequence[Entry]:
    """Check what needs no order of operations: Consul does so before it begins."""
    if not operation.key and operation.verb != "delete-tree":
        raise ApiError(500, "Must provide key")
    if operation.verb == "lock" and draft.delayed_until(operation.key) > at.now:
        raise ApiError(500, f"failed to lock key {_quoted(operation.key)} due to lock delay")
    return ()


def _apply(draft: Draft, operation: KeyOperation, at: Moment) -> Sequence[Entry]:
    step = _STEPS.get(operation.verb)
    if step is None:
        raise ApiError(500, f"unknown KV verb {_quoted(operation.verb)}")
    return step(draft, operation, at)


def _set(draft: Draft, op: KeyOperation, at: Moment) -> Sequence[Entry]:
    return [_blank(draft.put(op.key, op.value, op.flags, at))]


def _cas(draft: Draft, op: KeyOperation, at: Moment) -> Sequence[Entry]:
    if not draft.put_if(op.key, op.value, op.flags, op.index, at):
        raise ApiError(409, f"failed to set key {_quoted(op.key)}, index is stale")
    return _written(draft, op)


def _lock(draft: Draft, op: KeyOperation, at: Moment) -> Sequence[Entry]:
    if not draft.acquire(op.key, op.value, op.flags, op.session, at):
        raise ApiError(409, f"failed to lock key {_quoted(op.key)}, lock is already held")
    return _written(draft, op)


def _unlock(draft: Draft, op: KeyOperation, at: Moment) -> Sequence[Entry]:
    if not draft.release(op.key, op.value, op.flags, op.session, at):
        raise ApiError(
            409,
            f"failed to unlock key {_quoted(op.key)}, lock isn't held,"
            " or is held by another session",
        )
    return _written(draft, op)


def _get(draft: Draft, op: KeyOperation, _: Moment) -> Sequence[Entry]:
    return [_present(draft, op)]


def _get_tree(draft: Draft, op: KeyOperation, _: Moment) -> Sequence[Entry]:
    return [entry for key in draft.keys(op.key) if (entry := draft.get(key)) is not None]


def _check_index(draft: Draft, op: KeyOperation, _: Moment) -> Sequence[Entry]:
    entry = _present(draft, op, "failed to check index, ")
    if entry.modify_index != op.index:
        raise ApiError(
            409,
            f"failed index check for key {_quoted(op.key)},"
            f" current modify index {entry.modify_index} != {op.index}",
        )
    return [_blank(entry)]


def _check_session(draft: Draft, op: KeyOperation, _: Moment) -> Sequence[Entry]:
    entry = _present(draft, op, "failed to check session, ")
    if entry.session != canonical(op.session):
        raise ApiError(
            409,
            f"failed session check for key {_quoted(op.key)},"
            f" current session {_quoted(entry.session)} != {_quoted(op.session)}",
        )
    return [_blank(entry)]


def _check_not_exists(draft: Draft, op: KeyOperation, _: Moment) -> Sequence[Entry]:
    if draft.get(op.key) is not None:
        raise ApiError(409, f"key {_quoted(op.key)} exists")
    return ()


def _delete(draft: Draft, op: KeyOperation, at: Moment) -> Sequence[Entry]:
    draft.delete(op.key, at)
    return ()


def _delete_tree(draft: Draft, op: KeyOperation, at: Moment) -> Sequence[Entry]:
    draft.delete_tree(op.key, at)
    return ()


def _delete_cas(draft: Draft, op: KeyOperation, at: Moment) -> Sequence[Entry]:
    if not draft.delete_if(op.key, op.index, at):
        raise ApiError(409, f"failed to delete key {_quoted(op.key)}, index is stale")
    return ()


def _present(draft: Draft, op: KeyOperation, what: str = "") -> Entry:
    entry = draft.get(op.key)
    if entry is None:
        raise ApiError(409, f"{what}key {_quoted(op.key)} doesn't exist")
    return entry


def _written(draft: Draft, op: KeyOperation) -> Sequence[Entry]:
    return [_blank(_present(draft, op))]


def _blank(entry: Entry) -> Entry:
    return replace(entry, value=b"")


def _quoted(text: str) -> str:
    """Return the text in double quotes with Go's escapes for the common cases."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


_STEPS: Final[dict[str, Callable[[Draft, KeyOperation, Moment], Sequence[Entry]]]] = {
    "set": _set,
    "cas": _cas,
    "lock": _lock,
    "unlock": _unlock,
    "get": _get,
    "get-tree": _get_tree,
    "check-index": _check_index,
    "check-session": _check_session,
    "check-not-exists": _check_not_exists,
    "delete": _delete,
    "delete-tree": _delete_tree,
    "delete-cas": _delete_cas,
}
