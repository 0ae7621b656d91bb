"""The primary is killed, frozen, demoted; replicas lag, hang, go: what clients see."""

import os
import signal
import threading
import time

import pytest

from ambassador.redis.resp import Failure
from tests.support.ambassador import Ambassador, follow, promote, replicas_of
from tests.support.pinnace import until
from tests.support.redis import Redis

pytestmark = pytest.mark.redis


def test_writes_go_to_the_primary_and_reads_to_replicas(servers: list[Redis]) -> None:
    primary, one, two = servers
    with Ambassador(*replicas_of(primary, one, two), "--mode", "eventual") as proxy:
        proxy.until_reads(one, two)
        with proxy.call() as client:
            assert client.do("SET", "k", "v") == b"OK"
            until(lambda: client.do("GET", "k") == b"v")
            for _ in range(50):
                client.do("GET", "k")
        reads = [proxy.node(server)["commands"]["read"] for server in servers]
        writes = [proxy.node(server)["commands"]["write"] for server in servers]
    assert reads[0] == 0
    assert sum(reads) >= 50
    assert writes == [1, 0, 0]


def test_a_killed_primary_is_replaced_by_a_promoted_replica_under_the_same_clients(
    servers: list[Redis],
) -> None:
    primary, one, _ = servers
    with Ambassador(*replicas_of(primary, one)) as proxy, proxy.call() as client:
        assert client.do("SET", "a", "1") == b"OK"
        until(lambda: one.do("GET", "a").endswith(b"1\r\n+OK\r\n"))
        primary.kill()
        threading.Timer(0.5, promote, [one]).start()
        # Commands of the gap wait; the connection stays.
        replies: list[object] = []

        def is_written() -> bool:
            replies.append(client.do("SET", "a", "2"))
            return replies[-1] == b"OK"

        until(is_written, 20)
        assert client.do("GET", "a") == b"2"
        assert all(isinstance(reply, Failure) for reply in replies[:-1])


def test_a_write_under_way_when_the_primary_dies_is_answered_unknown_and_not_repeated(
    servers: list[Redis],
) -> None:
    primary, one, _ = servers
    with Ambassador(*replicas_of(primary, one)) as proxy, proxy.call() as client:
        client.do("SET", "n", "0")
        until(lambda: b"0" in one.do("GET", "n"))
        primary.freeze()
        client.send("INCR", "n")
        time.sleep(0.3)  # until the command is in the frozen server's socket
        promote(one)
        os.kill(primary.pid, signal.SIGKILL)  # it must not run once more, as kill() would let it
        reply = client.read()
        assert reply == b"ERR ambassador: connection to primary lost, write outcome unknown"
        proxy.until_primary(one)
        assert client.do("GET", "n") == b"0"
        assert client.do("INCR", "n") == 1
        assert proxy.metric("ambassador_unknown_outcome_total") >= 1


def test_a_frozen_primary_that_comes_back_after_a_promotion_gets_no_writes(
    servers: list[Redis],
) -> None:
    primary, one, _ = servers
    words = replicas_of(primary, one)
    env = {"AMBASSADOR_UPSTREAM__FAILOVER_QUEUE": "500ms"}
    with Ambassador(*words, env=env) as proxy, proxy.call() as client:
        assert client.do("SET", "k", "old") == b"OK"
        primary.freeze()
        until(lambda: proxy.get("/health/ready")[0] == 503, 20)
        promote(one)
        proxy.until_primary(one)
        assert client.do("SET", "k", "new") == b"OK"
        primary.thaw()
        # Two call themselves the primary: neither is written to until one gives in.
        until(lambda: "both" in (proxy.get("/topology")[1]["trouble"] or ""), 20)
        assert client.do("SET", "k", "split").startswith(b"TRYAGAIN ")
        follow(primary, one)
        proxy.until_primary(one)
        until(lambda: client.do("SET", "k", "newer") == b"OK", 20)
        assert client.do("GET", "k") == b"newer"


def test_a_demoted_primary_says_readonly_and_the_write_finds_the_new_one(
    servers: list[Redis],
) -> None:
    primary, one, two = servers
    with Ambassador(*replicas_of(primary, one, two)) as proxy, proxy.call() as client:
        proxy.until_reads(one, two)
        assert client.do("SET", "n", "0") == b"OK"
        until(lambda: b"0" in one.do("GET", "n"))
        promote(one)
        primary.do("REPLICAOF", "127.0.0.1", str(one.port))
        replies = []
        for _ in range(20):
            client.send("INCR", "n")
        replies = [client.read() for _ in range(20)]
        assert replies == list(range(1, 21))
        until(lambda: one.do("GET", "n").startswith(b"+OK\r\n$2\r\n20"))


def test_a_replica_that_hangs_is_left_and_taken_again(servers: list[Redis]) -> None:
    primary, one, two = servers
    with Ambassador(*replicas_of(primary, one, two), "--mode", "eventual") as proxy:
        proxy.until_reads(one, two)
        with proxy.call() as client:
            client.do("SET", "k", "v")
            until(lambda: client.do("GET", "k") == b"v")
            one.freeze()
            proxy.until_reads(two)
            for _ in range(20):
                assert client.do("GET", "k") == b"v"
            one.thaw()
            proxy.until_reads(one, two)


def test_without_replicas_reads_go_to_the_primary_or_are_refused_as_asked(
    server: Redis,
) -> None:
    with Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy, proxy.call() as client:
        assert client.do("SET", "k", "v") == b"OK"
        assert client.do("GET", "k") == b"v"
    env = {"AMBASSADOR_LISTENER__FALLBACK": "error"}
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with Ambassador(*words, env=env) as proxy, proxy.call() as client:
        assert client.do("GET", "k") == b"ERR ambassador: no replica available for reads"


def test_no_primary_at_all_is_said_within_the_bound(server: Redis) -> None:
    env = {"AMBASSADOR_UPSTREAM__FAILOVER_QUEUE": "300ms"}
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with Ambassador(*words, env=env) as proxy, proxy.call() as client:
        assert client.do("SET", "k", "v") == b"OK"
        server.kill()
        until(lambda: proxy.get("/health/ready")[0] == 503)
        assert client.do("SET", "k", "v") == b"TRYAGAIN ambassador: failover in progress"
        server.start()
        until(lambda: client.do("GET", "k") is None, 20)


def test_a_transaction_ends_refused_when_its_upstream_is_lost(server: Redis) -> None:
    with Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy, proxy.call() as client:
        assert client.do("MULTI") == b"OK"
        assert client.do("SET", "k", "v") == b"QUEUED"
        server.kill()
        server.start()
        until(lambda: isinstance(client.do("SET", "k", "w"), Failure), 20)
        assert client.do("EXEC") == (
            b"EXECABORT Transaction discarded because of: upstream connection lost"
        )
        until(lambda: client.do("GET", "k") is None, 20)
