"""Nobody waits behind a slow command of somebody else, and who is slow is not taken for lost."""

import time

import pytest

from ambassador.redis.resp import Failure
from tests.support.ambassador import Ambassador, Caller, replicas_of
from tests.support.pinnace import until
from tests.support.redis import Redis

pytestmark = pytest.mark.redis


def words_of(server: Redis) -> list[str]:
    return ["--primary", f"127.0.0.1:{server.port}"]


def test_reads_do_not_wait_behind_the_slow_write_of_another_client(server: Redis) -> None:
    with Ambassador(*words_of(server)) as proxy, proxy.call() as one, proxy.call() as other:
        assert one.do("SET", "k", "v") == b"OK"
        assert other.do("GET", "k") == b"v"  # both share a connection now
        server.do("CLIENT", "PAUSE", "600000", "WRITE")
        one.send("SET", "k", "w")
        one.send("GET", "k")  # stays behind its own write
        for _ in range(3):
            assert other.do("GET", "k") == b"v"
        assert proxy.metric("ambassador_reissued_reads_total") <= 1
        server.do("CLIENT", "UNPAUSE")
        assert [one.read(), one.read()] == [b"OK", b"w"]
        assert other.do("GET", "k") == b"w"


def test_a_script_that_runs_is_ended_by_another_client(server: Redis) -> None:
    server.do("CONFIG", "SET", "lua-time-limit", "10")
    with Ambassador(*words_of(server)) as proxy, proxy.call() as one, proxy.call() as other:
        other.do("SET", "k", "v")
        one.send("EVAL", "while true do end", "0")
        one.send("GET", "k")
        until(lambda: isinstance(other.do("GET", "k"), Failure))
        assert other.do("GET", "k").startswith(b"BUSY")
        assert other.do("SCRIPT", "KILL") == b"OK"
        assert b"killed by user" in one.read()
        assert one.read() == b"v"
        assert other.do("GET", "k") == b"v"
        assert proxy.metric("ambassador_failovers_total") == 0


def test_a_server_that_is_silent_for_a_while_is_not_lost(servers: list[Redis]) -> None:
    primary, replica, _ = servers
    with Ambassador(*replicas_of(primary, replica)) as proxy, proxy.call() as client:
        client.do("SET", "n", "1")
        with Caller(primary.port) as direct:
            direct.send("DEBUG", "SLEEP", "2.5")
            client.send("INCR", "n")
            assert client.read() == 2
        assert client.do("INCR", "n") == 3


def test_the_only_server_is_waited_for_however_long_it_is_silent(server: Redis) -> None:
    env = {
        "AMBASSADOR_UPSTREAM__PROBE_TIMEOUT": "50ms",
        "AMBASSADOR_UPSTREAM__FAILOVER_QUEUE": "100ms",
    }
    with Ambassador(*words_of(server), env=env) as proxy, proxy.call() as client:
        assert client.do("SET", "k", "v") == b"OK"
        server.freeze()
        until(lambda: proxy.get("/health/ready")[0] == 503)
        client.send("SET", "k", "w")
        with proxy.call() as other:
            other.send("BLPOP", "k", "1")
            time.sleep(0.5)  # longer than what waits for a primary may wait
            server.thaw()
            assert client.read() == b"OK"
            assert other.read().startswith(b"WRONGTYPE ")
        until(lambda: proxy.get("/health/ready")[0] == 200)
        assert proxy.metric("ambassador_failovers_total") == 0


def test_what_was_seen_to_be_long_goes_apart(server: Redis) -> None:
    server.do("DEBUG", "POPULATE", "500000")
    with Ambassador(*words_of(server)) as proxy, proxy.call() as client:
        assert client.do("GET", "key:1") == b"value:1"
        assert proxy.node(server)["links"] == 1

        def is_apart() -> bool:
            assert client.do("KEYS", "nothing*") == []
            return bool(proxy.node(server)["links"] == 2)

        until(is_apart)
        assert client.do("GET", "key:1") == b"value:1"


def test_who_makes_most_of_what_nobody_reads_is_stopped_first(server: Redis) -> None:
    big, times = "x" * (4 << 20), 12
    server.do("SET", "big", big)
    env = {"AMBASSADOR_MEMORY": "8MiB"}
    with (
        Ambassador(*words_of(server), env=env) as proxy,
        proxy.call() as other,
        proxy.call() as slow,
    ):
        assert other.do("SET", "k", "v") == b"OK"
        for _ in range(times):
            slow.send("GET", "big")
        until(lambda: proxy.metric("ambassador_buffer_bytes") > 8 << 20, 20)
        # They shared a connection. Others go on, on another one.
        for number in range(20):
            assert other.do("SET", "k", str(number)) == b"OK"
            assert other.do("GET", "k") == str(number).encode()
        # Nothing is left to stop: nobody new comes in until it is read.
        until(lambda: _is_refused(proxy), 20)
        for _ in range(times):
            assert slow.read() == big.encode()
        until(lambda: not _is_refused(proxy), 20)
        assert slow.do("GET", "k") == b"19"
        assert other.do("GET", "k") == b"19"


def _is_refused(proxy: Ambassador) -> bool:
    with proxy.call() as caller:
        try:
            return isinstance(caller.do("PING"), Failure)
        except OSError:  # it was closed before it could ask
            return True
