"""What a client is told is what one Redis would have told it."""

import re

import pytest

from ambassador.redis.resp import Failure
from tests.integration.ambassador.conftest import QUICK
from tests.support.ambassador import Ambassador, Caller, replicas_of
from tests.support.redis import Redis
from tests.support.redis_twin import twin

ROUNDS = 60
ENV = {"AMBASSADOR_LISTENER__ALLOW_ADMIN": "all", "AMBASSADOR_LISTENER__SESSION_SCOPE": "listener"}


@pytest.mark.parametrize("way", ["shared", "replicas", "alone"])
def test_random_calls_have_the_replies_of_one_redis(servers: list[Redis], way: str) -> None:
    primary, *replicas = servers
    words = replicas_of(primary, *(replicas if way == "replicas" else ()))
    env = {**ENV, "AMBASSADOR_UPSTREAM__MULTIPLEX": str(way != "alone").lower()}
    found: list[str] = []
    with Redis(*QUICK) as real, Ambassador(*words, env=env) as proxy:
        if way == "replicas":
            proxy.until_reads(*replicas)
        for seed in (2, 26):
            twin(real.port, proxy.port, seed, ROUNDS, found.append)
    assert not found


def seen(reader: Caller, count: int) -> list[tuple[str, str]]:
    """Return the places and commands of so many lines."""
    lines = [
        re.fullmatch(r"[\d.]+ \[\d+ (\S+)\] (.*)", reader.read().decode()) for _ in range(count)
    ]
    return [(line[1], line[2]) for line in lines if line is not None]


@pytest.mark.parametrize("multiplex", ["true", "false"])
def test_a_monitor_tells_the_commands_of_clients_by_their_addresses(
    server: Redis, multiplex: str
) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}"]
    env = {"AMBASSADOR_UPSTREAM__MULTIPLEX": multiplex, "AMBASSADOR_UPSTREAM__PROBE": "10ms"}
    with (
        Ambassador(*words, env=env) as proxy,
        proxy.call() as reader,
        proxy.call() as one,
        proxy.call() as other,
    ):
        places = ["{}:{}".format(*client.sock.getsockname()) for client in (one, other)]
        assert reader.do("MONITOR") == b"OK"
        one.do("SET", "a", "1")
        other.do("GET", "a")
        one.do("NOSUCH")
        one.do("SELECT", "1")
        one.do("CLIENT", "SETNAME", "x")
        assert isinstance(other.do("AUTH", "ann", "secret"), Failure)
        other.do("MULTI")
        other.do("INCR", "a")
        other.do("EXEC")
        assert seen(reader, 8) == [
            (places[0], '"SET" "a" "1"'),
            (places[1], '"GET" "a"'),
            (places[0], '"SELECT" "1"'),
            (places[0], '"CLIENT" "SETNAME" "x"'),
            (places[1], '"AUTH" "(redacted)" "(redacted)"'),
            (places[1], '"MULTI"'),
            (places[1], '"INCR" "a"'),
            (places[1], '"EXEC"'),
        ]
        assert reader.do("RESET") == b"RESET"


def test_a_monitor_tells_what_is_read_from_replicas(servers: list[Redis]) -> None:
    primary, replica, _ = servers
    words = [*replicas_of(primary, replica), "--mode", "eventual"]
    with Ambassador(*words) as proxy, proxy.call() as reader, proxy.call() as client:
        proxy.until_reads(replica)
        assert reader.do("MONITOR") == b"OK"
        client.do("SELECT", "2")
        client.do("GET", "k\n")
        client.do("SET", "k", "v")
        place = "{}:{}".format(*client.sock.getsockname())
        told = seen(reader, 3)
        assert proxy.node(replica)["commands"]["read"] == 1
    wanted = ['"SELECT" "2"', r'"GET" "k\n"', '"SET" "k" "v"']
    assert told == [(place, line) for line in wanted]


def test_reads_around_a_look_are_all_answered(servers: list[Redis]) -> None:
    """The look waits for the reads before it, and one behind it may be answered first."""
    primary, replica, _ = servers
    with Ambassador(*replicas_of(primary, replica)) as proxy, proxy.call() as client:
        proxy.until_reads(replica)
        for _ in range(20):
            for command in ("GET", "TOUCH", "GET", "OBJECT FREQ", "GET"):
                client.send(*command.split(), "k")
            assert [client.read() for _ in range(5)][:3] == [None, 0, None]


def test_a_transaction_behind_a_watch_in_one_pipeline_is_the_clients_alone(
    servers: list[Redis],
) -> None:
    primary, replica, _ = servers
    with Ambassador(*replicas_of(primary, replica)) as proxy, proxy.call() as client:
        proxy.until_reads(replica)
        for command in ("WATCH k", "SET j 1", "MULTI", "INCR j", "EXEC", "GET j"):
            client.send(*command.split())
        assert [client.read() for _ in range(6)] == [b"OK", b"OK", b"OK", b"QUEUED", [2], b"2"]


def test_what_a_transaction_changes_of_the_connection_stays(server: Redis) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with Ambassador(*words) as proxy, proxy.call() as client:
        for command in ("MULTI", "CLIENT SETNAME me", "SELECT 3", "CLIENT ID", "EXEC"):
            client.send(*command.split())
        assert [client.read() for _ in range(5)][-1][:2] == [b"OK", b"OK"]
        assert client.line("CLIENT GETNAME") == b"me"
        assert b" db=3 " in client.line("CLIENT INFO")


def test_only_exec_and_unwatch_end_a_watch(server: Redis) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with Ambassador(*words) as proxy, proxy.call() as client:
        client.line("WATCH k")
        for command in ("EXEC", "DISCARD", "UNWATCH now"):
            assert isinstance(client.line(command), Failure)
        server.do("SET", "k", "1")
        client.line("MULTI")
        assert isinstance(client.line("DISCARD now"), Failure)
        assert isinstance(client.line("EXEC"), Failure)  # what was wrong in it ends it
        client.line("WATCH k")
        server.do("SET", "k", "2")
        client.line("MULTI")
        assert client.line("EXEC") is None


def test_who_may_not_use_a_command_is_told_so_also_where_it_is_answered_here() -> None:
    with Redis("--user", "bob", "on", ">pw", "~*", "+get", "+wait") as server:
        words = ["--primary", f"127.0.0.1:{server.port}"]
        with Ambassador(*words) as proxy, proxy.call() as client:
            assert client.line("AUTH bob pw") == b"OK"
            for command in ("SELECT 1", "CLIENT SETNAME x", "CLIENT GETNAME", "CLIENT REPLY OFF"):
                assert client.line(command).startswith(b"NOPERM"), command
            assert client.line("WAIT 0 1") == 0
            assert client.line("GET k") is None


def test_info_counts_the_clients_that_are_listed(server: Redis) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with Ambassador(*words) as proxy, proxy.call() as one, proxy.call() as other:
        other.do("PING")
        assert b"connected_clients:2\r\n" in one.do("INFO", "clients")
        assert len(one.do("CLIENT", "LIST").splitlines()) == 2
        one.do("HELLO", "3")
        assert b"connected_clients:2\r\n" in one.do("INFO", "clients")


def test_what_is_to_be_tracked_is_the_next_command_of_the_client(servers: list[Redis]) -> None:
    primary, replica, _ = servers
    with Ambassador(*replicas_of(primary, replica)) as proxy, proxy.call() as client:
        proxy.until_reads(replica)
        client.line("HELLO 3")
        assert client.line("CLIENT TRACKING ON OPTIN") == b"OK"
        assert client.line("CLIENT CACHING YES") == b"OK"
        assert client.line("GET watched") is None
        primary.do("SET", "watched", "1")
        assert client.read() == [b"invalidate", [b"watched"]]


def test_a_tracking_client_that_hears_nothing_of_its_own_changes_hears_of_all_others(
    servers: list[Redis],
) -> None:
    primary, replica, _ = servers
    words = replicas_of(primary, replica)
    with Ambassador(*words, env=ENV) as proxy, proxy.call() as client:
        proxy.until_reads(replica)
        client.line("HELLO 3")
        assert client.line("CLIENT TRACKING ON NOLOOP") == b"OK"
        assert client.line("MGET one other") == [None, None]
        # What the table has no room for is dropped before the next command, whoever sends it.
        assert client.line("CONFIG SET tracking-table-max-keys 1") == b"OK"
        kind, (name,) = client.read()
        assert (kind, name in {b"one", b"other"}) == (b"invalidate", True)


def test_who_is_known_to_the_primary_alone_reads_there(servers: list[Redis]) -> None:
    primary, replica, _ = servers
    words = [*replicas_of(primary, replica), "--mode", "eventual"]
    with Ambassador(*words) as proxy, proxy.call() as client:
        proxy.until_reads(replica)
        primary.do("ACL", "SETUSER", "ann", "on", ">secret", "~*", "+@all")
        assert client.line("AUTH ann secret") == b"OK"
        assert client.line("SET k v") == b"OK"
        assert [client.line("GET k") for _ in range(3)] == [b"v"] * 3
