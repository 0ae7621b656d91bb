"""The next state of keys and sessions while it is being made. Pure.

Operations run against a draft, one after the other, each seeing what those before it did. The
tables themselves change only when the draft is committed, that is when it is on the disk: what
a reader saw, or a writer was told, is never lost. A draft on a draft is how a transaction is
all or nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from sidecar.catalog.kv import Entry, KeyValues, Removed
from sidecar.catalog.session_id import canonical, checked_id
from sidecar.catalog.sessions import Moment, Session, Sessions, delay_of
from sidecar.errors import ApiError

__all__ = ["Draft", "Operation", "State"]

T = TypeVar("T")


class _View(Protocol):
    """What a draft stands on."""

    def get(self, key: str) -> Entry | None: ...
    def keys(self, prefix: str) -> list[str]: ...
    def held(self, session: str) -> set[str]: ...
    def session(self, id_: str) -> Session | None: ...
    def delayed_until(self, key: str) -> float: ...


@dataclass(slots=True)
class State:
    """The committed tables."""

    kv: KeyValues = field(default_factory=KeyValues)
    sessions: Sessions = field(default_factory=Sessions)

    def get(self, key: str) -> Entry | None:
        """Return a committed entry, or None."""
        return self.kv.get(key)

    def keys(self, prefix: str) -> list[str]:
        """Return the committed keys below a prefix, sorted."""
        return self.kv.keys(prefix)

    def held(self, session: str) -> set[str]:
        """Return the keys a session holds."""
        return self.kv.held(session)

    def session(self, id_: str) -> Session | None:
        """Return a committed session, or None."""
        return self.sessions.get(id_)

    def delayed_until(self, key: str) -> float:
        """Return the monotonic second until which this key cannot be locked."""
        return self.sessions.delayed_until(key)

    def commit(self, draft: "Draft", moment: Moment) -> None:
        """Take everything a draft holds."""
        self.kv.commit(draft.entries)
        self.sessions.commit(draft.sessions, draft.delays, moment)
        for id_ in draft.renewed:
            self.sessions.renew(id_, moment.awake)


class Draft:
    """Changes on top of the tables, or of another draft."""

    def __init__(self, base: "_View | Draft") -> None:
        """Start without changes."""
        self._base: _View = base
        self.entries: dict[str, Entry | Removed] = {}
        self.sessions: dict[str, Session | Removed] = {}
        self.delays: dict[str, float] = {}
        self.renewed: set[str] = set()

    @property
    def writes(self) -> bool:
        """Whether there is anything to put on the disk."""
        return bool(self.entries or self.sessions)

    # --- reading ---------------------------------------------------------------------------

    def get(self, key: str) -> Entry | None:
        """Return the entry as it will be."""
        change = self.entries.get(key)
        if change is None:
            return self._base.get(key)
        return change if isinstance(change, Entry) else None

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix as they will be, sorted."""
        found = self._base.keys(prefix)
        ours = {key: change for key, change in self.entries.items() if key.startswith(prefix)}
        if not ours:
            return found
        kept = {key for key in found if key not in ours}
        return sorted(kept | {key for key, change in ours.items() if isinstance(change, Entry)})

    def held(self, session: str) -> set[str]:
        """Return the keys a session will hold."""
        kept = {key for key in self._base.held(session) if key not in self.entries}
        return kept | {
            key
            for key, change in self.entries.items()
            if isinstance(change, Entry) and change.session == session
        }

    def session(self, id_: str) -> Session | None:
        """Return the session as it will be."""
        change = self.sessions.get(id_)
        if change is None:
            return self._base.session(id_)
        return change if isinstance(change, Session) else None

    def delayed_until(self, key: str) -> float:
        """Return the monotonic second until which this key cannot be locked."""
        return max(self.delays.get(key, 0.0), self._base.delayed_until(key))

    # --- keys ------------------------------------------------------------------------------

    def put(self, key: str, value: bytes, flags: int, at: Moment) -> Entry:
        """Write a key: the holder of its lock stays, the lock index starts anew."""
        old = self.get(key)
        session = old.session if old is not None else ""
        return self._store(old, Entry(key=key, value=value, flags=flags, session=session), at)

    def put_if(self, key: str, value: bytes, flags: int, expected: int, at: Moment) -> bool:
        """Write if the key was last changed at ``expected``; 0 means that it must be absent."""
        old = self.get(key)
        if (old.modify_index if old is not None else 0) != expected:
            return False
        self.put(key, value, flags, at)
        return True

    def acquire(self, key: str, value: bytes, flags: int, session: str, at: Moment) -> bool:
        """Lock a key for a session and write it; False when another holds it or just did.

        Raises ApiError for a session that is not there.
        """
        if self.delayed_until(key) > at.now:
            return False
        given, session = session, checked_id(session)
        if self.session(session) is None:
            raise ApiError(500, f'invalid session "{given}"')
        old = self.get(key)
        if old is not None and old.session not in {"", session}:
            return False
        locks = old.lock_index if old is not None else 0
        if old is None or old.session != session:
            locks += 1
        new = Entry(key=key, value=value, flags=flags, lock_index=locks, session=session)
        self._store(old, new, at)
        return True

    def release(self, key: str, value: bytes, flags: int, session: str, at: Moment) -> bool:
        """Write a key and unlock it; False when this session does not hold it."""
        if not session:
            raise ApiError(500, "missing session")
        old = self.get(key)
        if old is None or old.session != canonical(session):
            return False
        new = Entry(key=key, value=value, flags=flags, lock_index=old.lock_index)
        self._store(old, new, at)
        return True

    def delete(self, key: str, at: Moment) -> None:
        """Remove a key, if it is there."""
        if self.get(key) is not None:
            self.entries[key] = Removed(at.index)

    def delete_if(self, key: str, expected: int, at: Moment) -> bool:
        """Remove a key last changed at ``expected``; an absent one counts as removed."""
        old = self.get(key)
        if old is not None and old.modify_index != expected:
            return False
        self.delete(key, at)
        return True

    def delete_tree(self, prefix: str, at: Moment) -> None:
        """Remove every key that begins with this text."""
        for key in self.keys(prefix):
            self.entries[key] = Removed(at.index, prefix)

    # --- sessions --------------------------------------------------------------------------

    def add(self, session: Session) -> None:
        """Take a new session."""
        self.sessions[session.id] = session

    def renew(self, id_: str) -> Session | None:
        """Put off a session's end; None when it is not there."""
        session = self.session(id_)
        if session is not None:
            self.renewed.add(id_)
        return session

    def destroy(self, id_: str, at: Moment) -> None:
        """End a session: its keys are released or deleted, and cannot be locked for a while."""
        session = self.session(id_)
        if session is None:
            return
        delay = delay_of(session)
        for entry in [e for key in self.held(id_) if (e := self.get(key)) is not None]:
            if session.deletes:
                self.delete(entry.key, at)
            else:
                self._store(entry, replace(entry, session=""), at)
            if delay > 0:
                self.delays[entry.key] = at.now + delay
        self.sessions[id_] = Removed(at.index)

    def absorb(self, other: "Draft") -> None:
        """Take the changes of a draft that stands on this one."""
        self.entries.update(other.entries)
        self.sessions.update(other.sessions)
        self.delays.update(other.delays)
        self.renewed.update(other.renewed)

    def _store(self, old: Entry | None, new: Entry, at: Moment) -> Entry:
        if old is not None:
            new = replace(new, create_index=old.create_index, modify_index=old.modify_index)
            if new == old:
                return old  # an identical write does not move the index
            new = replace(new, modify_index=at.index)
        else:
            new = replace(new, create_index=at.index, modify_index=at.index)
        self.entries[new.key] = new
        return new


Operation = Callable[[Draft, Moment], T]
