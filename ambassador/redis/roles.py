"""Who is the primary and who may be read, from what each server says of itself. Pure.

ROLE decides, not a name or tag: a server is the primary only if it says so itself. Two that say so
are a split; then none is, unless Sentinel names one or evidence is allowed to decide.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ambassador.frame.address import Address
from ambassador.redis.resp import Failure
from sidecar.errors import ProtocolError

__all__ = ["Lag", "Observation", "Verdict", "judge", "observation_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a server said of itself, and when."""

    role: str
    offset: int
    replid: str = ""
    is_linked: bool = True  # a replica's link to its primary is up, and no full sync under way
    is_loading: bool = False
    followers: int = 0
    version: str = ""
    run_id: str = ""
    modules: frozenset[str] = frozenset()
    is_told: bool = True  # by ROLE; not by INFO, where ROLE may not be used
    since: float = 0.0  # when it was first seen in this role


class Verdict(NamedTuple):
    """Who is the primary, and why nobody is."""

    primary: Address | None
    why: str


def judge(
    seen: Mapping[Address, Observation], *, named: Address | None = None, by_evidence: bool = False
) -> Verdict:
    """Decide among the servers that answer; ``named`` is whom Sentinel calls the primary."""
    masters = [where for where, one in seen.items() if one.role == "master" and not one.is_loading]
    if named is not None:
        if named in masters:
            return Verdict(named, "")
        return Verdict(None, f"Sentinel names {named}, which does not call itself the primary")
    if len(masters) == 1:
        return Verdict(masters[0], "")
    if not masters:
        return Verdict(None, "no server calls itself the primary")
    if by_evidence:
        best = max(masters, key=lambda where: (seen[where].followers, seen[where].since))
        return Verdict(best, "")
    both = " and ".join(map(str, sorted(masters)))
    return Verdict(None, f"{both} both call themselves the primary")


_INFO: Final = {
    "master_replid", "master_link_status", "master_sync_in_progress", "loading", "redis_version",
    "run_id", "role", "master_repl_offset", "slave_repl_offset", "connected_slaves",
}  # fmt: skip
_MODULE: Final = "module:"
_NOT_ALLOWED: Final = (b"NOPERM ", b"ERR unknown command")


def observation_of(role: object, info: object, now: float) -> Observation:
    """Return what the replies to ROLE and INFO say. Raises ProtocolError."""
    lines = _lines(info)
    facts = _facts(lines)
    is_loading = facts.get("loading") == "1"
    if isinstance(role, Failure) and role.startswith(b"LOADING"):
        return Observation(role="slave", offset=-1, is_loading=True, is_linked=False, since=now)
    is_told = not (isinstance(role, Failure) and role.startswith(_NOT_ALLOWED) and "role" in facts)
    told = role if is_told else _role_in(facts)
    match told:
        case [b"master", int(offset), list(followers)]:
            kind, linked, count = "master", True, len(followers)
        case [b"slave", _, _, bytes(state), int(offset)]:
            is_up = facts.get("master_link_status", "up") == "up"
            is_syncing = facts.get("master_sync_in_progress") == "1"
            kind, linked, count = "slave", state == b"connected" and is_up and not is_syncing, 0
        case Failure():
            raise ProtocolError(f"ROLE is refused: {told.decode(errors='replace')}")
        case _:
            raise ProtocolError("ROLE is answered by something else")
    return Observation(
        role=kind,
        offset=offset,
        replid=facts.get("master_replid", ""),
        is_linked=linked,
        is_loading=is_loading,
        followers=count,
        version=facts.get("redis_version", ""),
        run_id=facts.get("run_id", ""),
        modules=frozenset(line for line in lines if line.startswith(_MODULE)),
        is_told=is_told,
        since=now,
    )


def _role_in(facts: Mapping[str, str]) -> object:
    """Return what ROLE would say, as far as INFO does."""
    if facts["role"] == "master":
        offset = facts.get("master_repl_offset", "0")
        return [b"master", int(offset), [b""] * int(facts.get("connected_slaves", "0"))]
    state = b"connected" if facts.get("master_link_status") == "up" else b"connect"
    return [b"slave", b"", 0, state, int(facts.get("slave_repl_offset", "-1"))]


def _lines(info: object) -> list[str]:
    if not isinstance(info, bytes) or isinstance(info, Failure):
        return []
    return info.decode(errors="replace").splitlines()


def _facts(lines: Iterable[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines)
    return {name: value for name, _, value in pairs if name in _INFO}


class Lag:
    """How far behind a replica is, in bytes and time, from samples of the primary's offset."""

    _MOST: Final = 600

    def __init__(self) -> None:
        """Start without samples."""
        self._samples: list[tuple[float, int]] = []

    def sample(self, now: float, offset: int) -> None:
        """Take where the primary was seen; an offset that goes back begins anew."""
        samples = self._samples
        if samples and offset < samples[-1][1]:
            samples.clear()
        if not samples or offset > samples[-1][1]:
            samples.append((now, offset))
            del samples[: -self._MOST]

    def bytes_behind(self, offset: int) -> int:
        """Return how many bytes such a replica lacks."""
        return max(0, self._samples[-1][1] - offset) if self._samples else 0

    def seconds_behind(self, offset: int, now: float) -> float:
        """Return how long ago the primary was first seen past that offset; 0 if it was not."""
        for at, seen in self._samples:
            if seen > offset:
                return now - at
        return 0.0
