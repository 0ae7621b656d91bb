"""Real Redis servers: a primary and two replicas that follow it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.redis import Redis
from tests.support.redis_cluster import RedisCluster

QUICK = (
    "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
    "--enable-debug-command", "yes",
)  # fmt: skip


@pytest.fixture
def servers() -> Iterator[list[Redis]]:
    """Three servers; who follows whom is the test's."""
    with ExitStack() as stack:
        yield [stack.enter_context(Redis(*QUICK)) for _ in range(3)]


@pytest.fixture
def server() -> Iterator[Redis]:
    """One server."""
    with Redis(*QUICK) as running:
        yield running


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[RedisCluster]:
    """A cluster of three primaries and three replicas that many tests use."""
    with RedisCluster() as running:
        yield running


@pytest.fixture
def cluster(running_cluster: RedisCluster) -> RedisCluster:
    """The same, empty."""
    for primary in running_cluster.primaries:
        primary.ask("FLUSHALL")
    return running_cluster
