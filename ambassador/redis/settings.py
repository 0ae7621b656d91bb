"""Settings of the Redis ambassador, as they are after reading. Pure."""

from dataclasses import dataclass, field
from functools import cache
from typing import Final

from ambassador.frame.address import Address
from ambassador.frame.tls import TlsClient, TlsServer
from ambassador.redis.framing import DEFAULT_LIMITS, CommandLimits

__all__ = ["MODES", "MOVABLE", "Listener", "RedisSettings"]

_STORING: Final = frozenset({"sort", "georadius", "georadiusbymember"})
MOVABLE: Final = frozenset({"dbsize", "keys", "lastsave", "randomkey", "time"})
"""What each server answers for itself, and any may be asked."""
_BY_REPLICAS: Final = frozenset({"dbsize", "keys", "randomkey"})
MODES: Final = ("primary", "eventual", "bounded", "session")


@cache
def _adapted(moved: frozenset[str], *chosen: bool) -> frozenset[str]:
    several = (_STORING, frozenset({"eval"}), frozenset({"ping"}))
    return moved.union(*(one for one, is_on in zip(several, chosen, strict=True) if is_on))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where clients come in, and what they get."""

    bind: Address
    name: str = ""
    mode: str = "session"
    max_lag: float = 1.0
    max_lag_bytes: int = 1 << 20
    balance: str = "sticky"
    fallback: str = "primary"  # or error: when no replica may be read
    scope: str = "connection"  # of what a client wrote: connection, user or listener
    cursor: str = "primary"  # or sticky: scans go to one replica
    young: float = 0.002  # a write younger than this is not looked for on a replica
    session_fallback: str = "guarded"  # or primary: a replica not known to be so far is not asked
    window: float = 0.0  # seconds of reading from the primary after a write, in place of offsets
    after_write: str = "primary"  # or replica: of a read behind a write without an answer
    replica_answers: frozenset[str] = _BY_REPLICAS  # of MOVABLE
    allow_admin: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    users: tuple[tuple[str, str], ...] = ()  # with any, logins are checked here
    tls: TlsServer | None = None
    is_pinnable: bool = False  # AMBASSADOR PIN and MODE
    limits: CommandLimits = DEFAULT_LIMITS
    max_outstanding: int = 10000
    max_bytes: int = 64 << 20
    idle: float = 0.0
    is_cross_slot: bool = False  # commands with keys in several slots of a cluster are split
    rewrites_ro: bool = False  # SORT and the like go to replicas where they store nothing
    has_script_flags: bool = False  # EVAL goes to replicas where the script says it may
    ping: str = "upstream"  # or local, which says nothing of the primary
    client_view: str = "proxy"  # or upstream: whose clients CLIENT LIST tells
    primary_read_weight: float = 0.0  # the primary's share of the reads beside replicas of 1

    @property
    def adapted(self) -> frozenset[str]:
        """Return the names of commands that the options change."""
        moved = self.replica_answers ^ _BY_REPLICAS
        return _adapted(moved, self.rewrites_ro, self.has_script_flags, self.ping == "local")

    @property
    def label(self) -> str:
        """Return what it is called in logs."""
        return self.name or str(self.bind)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Everything but where the servers are learned from."""

    listeners: tuple[Listener, ...]
    source: str = "static"  # static, catalog, sentinel or cluster
    servers: tuple[Address, ...] = ()  # of the source: servers, sentinels or seeds
    service: str = ""
    store: str = ""
    master_name: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    sentinel_user: str = ""
    sentinel_password: str = field(default="", repr=False)
    tls: TlsClient | None = None
    zone: str = ""
    zones: tuple[tuple[str, str], ...] = ()  # server to zone
    probe: float = 1.0
    bounded_probe: float = 0.1
    probe_timeout: float = 0.5
    connect_timeout: float = 1.0
    op_timeout: float = 5.0
    failover_queue: float = 3.0
    failover_bytes: int = 64 << 20
    split_brain: str = "refuse"  # or evidence
    drain: float = 0.2  # a former primary that still answers has so long for what it was sent
    connections_per_node: int = 1
    dedicated_min: int = 0  # connections for single clients that the primary has at least
    dedicated_max: int = 1000  # and any server at most
    resubscribe: bool = True  # after a failover, for clients that are subscribed
    slow: float = 0.05  # without an answer for so long a shared connection gets no new commands
    is_multiplexed: bool = True  # False: each client has an upstream of its own, all to the primary
    max_clients: int = 10000
    reply_hard: int = 256 << 20
    reply_soft: int = 64 << 20
    push_hard: int = 32 << 20
    push_soft: int = 8 << 20
    soft_for: float = 60.0
    memory: int = 512 << 20
    slowlog: float = 0.1
    slowlog_size: int = 128
    admin: Address | None = None
    ready: str = "primary"  # or replica: what there must be for /health/ready
    workers: int = 1

    @property
    def probe_every(self) -> float:
        """Return how often servers are asked; bounded reading needs to know more often."""
        is_bounded = any(listener.mode == "bounded" for listener in self.listeners)
        return min(self.probe, self.bounded_probe) if is_bounded else self.probe
