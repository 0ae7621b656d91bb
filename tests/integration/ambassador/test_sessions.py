"""Read-your-writes on replicas that lag, checked by the history of what was written and seen."""

import pytest

from ambassador.redis.resp import packed
from tests.support.ambassador import Ambassador
from tests.support.pinnace import until
from tests.support.read_history import recorded, violations
from tests.support.redis import Redis
from tests.support.streams import Stream

pytestmark = pytest.mark.redis

ROUNDS = 250
CLIENTS = 4


def lagging(primary: Redis, replica: Redis, stream: Stream) -> list[str]:
    """Let one follow the other through a slow stream; return the topology's command line."""
    replica.do("REPLICAOF", "127.0.0.1", str(stream.port))
    until(lambda: b"master_link_status:up" in replica.do("INFO", "replication"), 30, 0.05)
    return [
        "--primary", f"127.0.0.1:{primary.port}", "--replica", f"127.0.0.1:{replica.port}",
    ]  # fmt: skip


def test_no_client_misses_what_it_wrote_though_the_replica_lags(servers: list[Redis]) -> None:
    primary, replica, _ = servers
    with Stream(primary.port) as stream:
        stream.delay = 0.004
        words = lagging(primary, replica, stream)
        with Ambassador(*words) as proxy:
            proxy.until_reads(replica)
            assert violations(recorded([proxy.port] * CLIENTS, ROUNDS)) == []
            reads = proxy.node(replica)["commands"]["read"]
            stale = proxy.metric("ambassador_reissued_reads_total")
        # The same rounds without tokens do go wrong, so the check can.
        primary.do("FLUSHALL")
        with Ambassador(*words, "--mode", "eventual") as proxy:
            proxy.until_reads(replica)
            assert violations(recorded([proxy.port] * CLIENTS, ROUNDS))
    assert reads + stale > 0  # the replica was asked at all


def test_pipelined_reads_behind_a_write_see_it(servers: list[Redis]) -> None:
    primary, replica, _ = servers
    with Stream(primary.port) as stream:
        stream.delay = 0.02
        words = lagging(primary, replica, stream)
        for mode in ("session", "bounded", "eventual"):
            with Ambassador(*words, "--mode", mode) as proxy, proxy.call() as client:
                proxy.until_reads(replica)
                for number in range(200):
                    # In one segment: behind a write that is answered these modes may show less.
                    pair = packed(b"SET", b"k", b"%d" % number) + packed(b"GET", b"k")
                    client.sock.sendall(pair)
                seen = [client.read() for _ in range(400)][1::2]
                assert seen == [b"%d" % number for number in range(200)], mode


def test_a_replica_behind_by_more_than_the_bound_is_not_read(servers: list[Redis]) -> None:
    primary, replica, _ = servers
    with Stream(primary.port) as stream:
        words = lagging(primary, replica, stream)
        with Ambassador(*words, "--mode", "bounded", "--max-lag", "300ms") as proxy:
            proxy.until_reads(replica)
            with proxy.call() as client:
                client.do("SET", "k", "old")
                until(lambda: b"old" in replica.do("GET", "k"))
                until(lambda: client.do("GET", "k") == b"old")
                replica.do("REPLICAOF", "NO", "ONE")  # it hears nothing more
                replica.do("REPLICAOF", "127.0.0.1", "1")
                client.do("SET", "k", "new")
                until(lambda: client.do("GET", "k") == b"new", 10)
                assert all(client.do("GET", "k") == b"new" for _ in range(50))


def test_one_token_for_a_listener_makes_all_its_clients_one(servers: list[Redis]) -> None:
    primary, replica, _ = servers
    env = {"AMBASSADOR_LISTENER__SESSION_SCOPE": "listener"}
    with Stream(primary.port) as stream:
        stream.delay = 0.01
        words = lagging(primary, replica, stream)
        with Ambassador(*words, env=env) as proxy:
            proxy.until_reads(replica)
            history = recorded([proxy.port] * CLIENTS, ROUNDS)
            assert violations(history, is_shared=True) == []


def test_wait_counts_replicas_that_have_the_write(servers: list[Redis]) -> None:
    primary, one, _ = servers
    with Stream(primary.port) as stream:
        stream.delay = 0.05
        words = lagging(primary, one, stream)
        with Ambassador(*words) as proxy, proxy.call() as client:
            assert client.do("WAIT", "0", "100") == 1
            client.do("SET", "k", "v")
            assert client.do("WAIT", "1", "5000") == 1
            assert b"v" in one.do("GET", "k")
            assert client.do("WAIT", "2", "100") == 1
            assert client.do("WAIT", "x", "1").startswith(b"ERR")
