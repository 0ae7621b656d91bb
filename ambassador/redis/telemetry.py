"""What the Redis ambassador counts. No label holds a key or a client's address."""

from typing import TYPE_CHECKING, Final

from sidecar.metrics import Spread, counter, gauge, histogram

if TYPE_CHECKING:
    from ambassador.redis.hub import Hub

__all__ = ["CLASSES", "ERRORS", "SECONDS", "Tallies"]

CLASSES: Final = ("other", "read", "write", "look")
_BUCKETS: Final = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 0.1, 0.5, 1.0, 5.0)

_commands = counter(
    "ambassador_commands_total", "Commands answered, by what they are and by whom",
    ["class", "node", "outcome"],
)  # fmt: skip
_seconds = histogram(
    "ambassador_command_seconds", "Time of runs of commands, one of 16", _BUCKETS, ["class"]
)
_bytes = counter("ambassador_bytes_total", "Bytes from clients (in) and to them (out)", ["dir"])
_clients = gauge("ambassador_clients", "Clients connected")
_dedicated = gauge("ambassador_dedicated_upstreams", "Upstreams that one client has alone")
_outstanding = gauge("ambassador_outstanding", "Runs under way", ["node"])
_lag_bytes = gauge("ambassador_replica_lag_bytes", "Bytes a replica lacks", ["node"])
_lag_seconds = gauge("ambassador_replica_lag_seconds", "How old what it shows is", ["node"])
_reissued = counter("ambassador_reissued_reads_total", "Reads sent again", ["reason"])
_tokens = counter(
    "ambassador_session_tokens_total", "Reads in mode session, by how they were made safe",
    ["result"],
)  # fmt: skip
_unknown = counter("ambassador_unknown_outcome_total", "Writes whose outcome nobody knows")
_failovers = counter("ambassador_failovers_total", "Changes of the primary")
_failover_seconds = gauge("ambassador_failover_seconds", "How long the last one took")
ERRORS: Final = counter("ambassador_errors_total", "Error replies of servers", ["code"])
_buffer = gauge("ambassador_buffer_bytes", "Replies that wait for slow clients")
_dropped = counter("ambassador_dropped_clients_total", "Clients that were ended", ["reason"])
_resubscribed = counter(
    "ambassador_resubscribed_total",
    "Clients that were subscribed again after their server was lost",
)
_age = gauge("ambassador_topology_age_seconds", "Since servers were asked who they are")

SECONDS: Final[tuple[Spread, ...]] = tuple(_seconds.labels(name) for name in CLASSES)


class Tallies:
    """Numbers of one hub, put into the metrics when somebody looks."""

    def __init__(self, hub: "Hub") -> None:
        """Count from 0."""
        self._hub = hub
        self.direct = 0
        self.guarded = 0
        self.fallback = 0
        self.last_primary = ""
        self.last_look = 0.0

    def failover(self, seconds: float) -> None:
        """Count a change of the primary and how long there was none."""
        _failovers.inc()
        _failover_seconds.set(seconds)

    def dropped(self, reason: str) -> None:
        """Count a client that was ended."""
        _dropped.labels(reason).inc()

    def reissued(self, reason: str) -> None:
        """Count a read that was sent again."""
        _reissued.labels(reason).inc()

    def resubscribed(self) -> None:
        """Count a client whose subscriptions went on elsewhere."""
        _resubscribed.inc()

    def refresh(self) -> None:
        """Bring what is counted elsewhere into the metrics; called before they are shown."""
        hub = self._hub
        _clients.set(len(hub.clients))
        _dedicated.set(sum(node.dedicated for node in hub.nodes.values()))
        _buffer.set(hub.buffered)
        _age.set(hub.now() - self.last_look if self.last_look else 0.0)
        _unknown.set(hub.unknown_outcomes)
        for name in ("direct", "guarded", "fallback"):
            _tokens.labels(name).set(getattr(self, name))
        _bytes.labels("in").set(hub.taken)
        _bytes.labels("out").set(hub.given)
        for gauged in (_outstanding, _lag_bytes, _lag_seconds):
            gauged.cells.clear()  # servers that are gone are not told of
        for node in hub.nodes.values():
            _outstanding.labels(node.label).set(node.outstanding)
            for kind, name in enumerate(CLASSES):
                wrong, unknown = node.errors[kind], node.unknown[kind]
                done = node.counts[kind] - wrong - unknown
                for outcome, count in (("answered", done), ("error", wrong), ("unknown", unknown)):
                    _commands.labels(name, node.label, outcome).set(count)
            if not node.is_primary and node.offset >= 0:
                lag = hub.lag_of(node)
                _lag_bytes.labels(node.label).set(lag.bytes_behind(node.offset))
                _lag_seconds.labels(node.label).set(lag.seconds_behind(node.offset, hub.now()))
