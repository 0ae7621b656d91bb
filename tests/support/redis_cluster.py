"""A real Redis Cluster on loopback: primaries, and as many replicas."""

import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from ambassador.redis.cluster.slots import slot_of
from tests.support.ambassador import Caller
from tests.support.pinnace import until
from tests.support.redis import Redis

__all__ = ["ClusterNode", "RedisCluster"]

_QUICK = (
    "--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0",
    "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
    "--cluster-allow-replica-migration", "no", "--enable-debug-command", "yes",
)  # fmt: skip


class ClusterNode(Redis):
    """One node; it keeps who it is when it stops."""

    def __init__(self, *options: str) -> None:
        """Prepare."""
        super().__init__(*options, ports=2)  # the second is the bus

    def command(self) -> Sequence[str | Path]:
        """Return the words that start it."""
        return [
            *super().command(), "--cluster-enabled", "yes", "--cluster-port",
            str(self.numbers[1]), *_QUICK,
        ]  # fmt: skip

    def ask(self, *words: str | bytes) -> Any:
        """Return the decoded reply to one command."""
        with Caller(self.port) as client:
            return client.do(*words)

    @property
    def id(self) -> bytes:
        """What the cluster calls it."""
        found: bytes = self.ask("CLUSTER", "MYID")
        return found


class RedisCluster:
    """Three primaries and three replicas; a context manager that leaves nothing behind."""

    def __init__(self, primaries: int = 3, replicas: int = 1) -> None:
        """Prepare."""
        self._count = primaries * (1 + replicas)
        self._replicas = replicas
        self._stack = ExitStack()
        self.nodes: list[ClusterNode] = []

    def __enter__(self) -> Self:
        """Start all and wait until they agree."""
        with ExitStack() as stack:
            self.nodes = [stack.enter_context(ClusterNode()) for _ in range(self._count)]
            places = [f"127.0.0.1:{node.port}" for node in self.nodes]
            words = ["--cluster-replicas", str(self._replicas), "--cluster-yes"]
            subprocess.run(
                ["redis-cli", "--cluster", "create", *places, *words],
                check=True, capture_output=True, timeout=60,
            )  # fmt: skip
            until(self._is_settled, 30, 0.05)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _is_settled(self) -> bool:
        wanted = len(self.nodes) // (1 + self._replicas) * self._replicas
        seeds = [len(self.replicas_of(node)) for node in self.primaries]
        return sum(seeds) == wanted and all(
            b"cluster_state:ok" in node.ask("CLUSTER", "INFO")
            and b"fail" not in node.ask("CLUSTER", "NODES")
            for node in self.nodes
        )

    @property
    def seed(self) -> str:
        """Where to begin."""
        return f"127.0.0.1:{self.nodes[0].port}"

    @property
    def primaries(self) -> list[ClusterNode]:
        """Return who calls itself a primary."""
        return [node for node in self.nodes if node.is_running and node.ask("ROLE")[0] == b"master"]

    def replicas_of(self, primary: ClusterNode) -> list[ClusterNode]:
        """Return who follows a primary, and has all of it."""
        return [
            node
            for node in self.nodes
            if node.is_running and node.ask("ROLE")[:1] == [b"slave"]
            and node.ask("ROLE")[2:4] == [primary.port, b"connected"]
        ]  # fmt: skip

    def owner(self, key: str) -> ClusterNode:
        """Return the primary of a key."""
        slot = slot_of(key.encode())
        for begin, end, first, *_ in self.primaries[0].ask("CLUSTER", "SLOTS"):
            if begin <= slot <= end:
                return next(node for node in self.nodes if node.port == first[1])
        raise AssertionError(f"slot {slot} has no owner")

    def move(self, slot: int, source: ClusterNode, target: ClusterNode, *, keys: int = 10) -> None:
        """Move a slot with its keys from one primary to another, as resharding does."""
        number = str(slot)
        self.begin_move(slot, source, target)
        while found := source.ask("CLUSTER", "GETKEYSINSLOT", number, str(keys)):
            source.ask("MIGRATE", "127.0.0.1", str(target.port), "", "0", "5000", "KEYS", *found)
        self.end_move(slot, source, target)

    def begin_move(self, slot: int, source: ClusterNode, target: ClusterNode) -> None:
        """Say that a slot is on its way; no key of it is yet."""
        number = str(slot)
        assert target.ask("CLUSTER", "SETSLOT", number, "IMPORTING", source.id) == b"OK"
        assert source.ask("CLUSTER", "SETSLOT", number, "MIGRATING", target.id) == b"OK"

    def end_move(self, slot: int, source: ClusterNode, target: ClusterNode) -> None:
        """Say that a slot is where it should be."""
        for node in (target, source, *self.primaries):
            assert node.ask("CLUSTER", "SETSLOT", str(slot), "NODE", target.id) == b"OK"
