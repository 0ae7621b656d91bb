"""Sessions: who holds locks, and for how long (recorded from Consul 1.8.7). Pure.

A session with a TTL is invalidated lazily, at twice its TTL after the last renewal. TTLs are
judged in *awake* seconds, which stand still while this process does (stopped, starved): then
its clients had no way to renew. Lock delays are plain monotonic seconds: they protect against
a former holder, who was not stopped. Neither survives a restart; each TTL begins anew then, as
with a new leader in Consul. Wall time plays no part.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.catalog.kv import Removed
from sidecar.errors import ApiError

__all__ = [
    "NODE_CHECK",
    "Moment",
    "Session",
    "SessionRequest",
    "Sessions",
    "delay_of",
    "new_session",
]

NODE_CHECK: Final = "serfHealth"
"""The check of every node; a session depends on it unless told otherwise."""

_CRITICAL: Final = "critical"
_SHORTEST: Final = 10.0
_LONGEST: Final = 86_400.0
_LONGEST_DELAY: Final = 60.0

NodeChecks = Callable[[str], Mapping[str, str] | None]
"""Returns the statuses of a node's checks by check ID, or None for an unknown node."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When an operation happens: its index, monotonic seconds, and awake seconds."""

    index: int
    now: float
    awake: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """What a client asks for, with Consul's defaults; ``lifetime`` is ``ttl`` in seconds."""

    node: str
    name: str = ""
    lock_delay: float = 15.0
    behavior: str = "release"
    ttl: str = ""
    lifetime: float = 0.0
    checks: tuple[str, ...] = (NODE_CHECK,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A live session; ``lifetime`` is its TTL in seconds, 0 for none."""

    id: str
    node: str
    name: str
    lock_delay: float
    behavior: str
    ttl: str
    lifetime: float
    checks: tuple[str, ...]
    create_index: int
    modify_index: int

    @property
    def deletes(self) -> bool:
        """Say whether the keys it holds go with it."""
        return self.behavior == "delete"


def new_session(request: SessionRequest, id_: str, index: int, checks_of: NodeChecks) -> Session:
    """Return the session asked for; raises ApiError with Consul's words."""
    if request.behavior not in {"", "release", "delete"}:
        raise ApiError(500, f"Invalid Behavior setting '{request.behavior}'")
    lifetime = request.lifetime
    if lifetime and not _SHORTEST <= lifetime <= _LONGEST:
        shown = round(lifetime * 1e9)
        raise ApiError(500, f"Invalid Session TTL '{shown}', must be between [10s=24h0m0s]")
    statuses = checks_of(request.node)
    if statuses is None:
        raise ApiError(500, "Missing node registration")
    for check in request.checks:
        match statuses.get(check):
            case None:
                raise ApiError(500, f"Missing check '{check}' registration")
            case "critical":
                raise ApiError(500, f"Check '{check}' is in critical state")
    return Session(
        id=id_,
        node=request.node,
        name=request.name,
        lock_delay=request.lock_delay,
        behavior=request.behavior or "release",
        ttl=request.ttl,
        lifetime=lifetime,
        checks=request.checks,
        create_index=index,
        modify_index=index,
    )


class Sessions:
    """The committed sessions, their deadlines, and the delays they left on keys."""

    def __init__(
        self, sessions: Iterable[Session] = (), index: int = 0, awake: float = 0.0
    ) -> None:
        """Start from sessions read back; every TTL begins anew."""
        self._sessions = {session.id: session for session in sessions}
        newest = max((s.modify_index for s in self._sessions.values()), default=0)
        self._index = max(index, newest)
        self._deadlines: dict[str, float] = {}
        self._delays: dict[str, float] = {}
        for session in self._sessions.values():
            self.renew(session.id, awake)

    @property
    def index(self) -> int:
        """The index of the last change to the table, at least 1."""
        return max(1, self._index)

    @property
    def have_deadlines(self) -> bool:
        """Whether any session has a TTL."""
        return bool(self._deadlines)

    def __len__(self) -> int:
        """Return the number of sessions."""
        return len(self._sessions)

    def get(self, id_: str) -> Session | None:
        """Return one session, or None."""
        return self._sessions.get(id_)

    def list(self, node: str | None = None) -> tuple[Session, ...]:
        """Return the sessions (of one node), ordered by id."""
        found = (s for s in self._sessions.values() if node is None or s.node == node)
        return tuple(sorted(found, key=lambda session: session.id))

    def ended_by(self, before: NodeChecks, after: NodeChecks) -> tuple[str, ...]:
        """Return the ids of sessions that end with a change: their node went, a check of theirs
        went or turned critical. What was not there before ends nothing: it may still come back
        after a restart.
        """
        found: dict[str, tuple[Mapping[str, str] | None, Mapping[str, str] | None]] = {}
        ended = []
        for session in self._sessions.values():
            if session.node not in found:
                found[session.node] = before(session.node), after(session.node)
            was, now = found[session.node]
            if was is not None and (now is None or _lost(session.checks, was, now)):
                ended.append(session.id)
        return tuple(sorted(ended))

    def renew(self, id_: str, awake: float) -> None:
        """Put off a session's end; nothing happens to one that has no TTL or is gone."""
        session = self._sessions.get(id_)
        if session is not None and session.lifetime:
            self._deadlines[id_] = awake + 2 * session.lifetime

    def expired(self, awake: float) -> tuple[str, ...]:
        """Return the ids of sessions whose end has come."""
        return tuple(sorted(id_ for id_, end in self._deadlines.items() if end <= awake))

    def delayed_until(self, key: str) -> float:
        """Return the monotonic second until which this key cannot be locked."""
        return self._delays.get(key, 0.0)

    def commit(
        self, changes: Mapping[str, Session | Removed], delays: Mapping[str, float], moment: Moment
    ) -> None:
        """Take the last state of each changed session, and new lock delays by key."""
        for id_, change in changes.items():
            if isinstance(change, Session):
                self._sessions[id_] = change
                self._index = max(self._index, change.modify_index)
                self.renew(id_, moment.awake)
            else:
                self._sessions.pop(id_, None)
                self._deadlines.pop(id_, None)
                self._index = max(self._index, change.index)
        if delays:
            self._delays = {k: end for k, end in self._delays.items() if end > moment.now}
            self._delays.update(delays)


def _lost(checks: Iterable[str], was: Mapping[str, str], now: Mapping[str, str]) -> bool:
    return any(
        check in was and was[check] != now.get(check) and now.get(check, _CRITICAL) == _CRITICAL
        for check in checks
    )


def delay_of(session: Session) -> float:
    """Return for how long keys stay unlockable after this session ends without releasing them."""
    return min(session.lock_delay, _LONGEST_DELAY)
