"""The proxy answers as the server does: the same commands asked of both."""

import pytest

from ambassador.redis.resp import Failure
from tests.support.ambassador import Ambassador, Caller, replicas_of
from tests.support.pinnace import until
from tests.support.redis import Redis

pytestmark = pytest.mark.redis

SCRIPT = """
PING|ECHO a|SET k v|GET k|GETDEL k|GET k|SET k|NOSUCH a b|OBJECT ENCODING k|LPUSH l a b c
LRANGE l 0 -1|BLPOP l 1|BLPOP none 0.01|XADD s 1-1 a b|XREAD COUNT 1 STREAMS s 0|TYPE s
XREAD BLOCK 10 STREAMS s $|MULTI|SET t 1|INCR t|EXEC|GET t|MULTI|NOSUCH|EXEC|MULTI|DISCARD|EXEC
DISCARD|WATCH t|MULTI|GET t|EXEC|UNWATCH|SELECT 3|SET in3 1|DBSIZE|SELECT 0|EXISTS in3|SELECT 99
SELECT x|MULTI|SELECT 4|SET in4 1|EXEC|DBSIZE|SELECT 0|CLIENT GETNAME|CLIENT SETNAME bob
CLIENT GETNAME|CLIENT SETNAME a\tb|CLIENT REPLY|CLIENT NOSUCH|EVAL return(1) 0|SCRIPT LOAD return(2)
EVALSHA 7f923f79fe76194c868d7e1d0820de36700eb649 0|EVAL_RO return(3) 0|HELLO 9|HELLO x
HELLO 2 SETNAME|AUTH a|AUTH a b c|SUBSCRIBE c|PING|GET k|UNSUBSCRIBE c|PING|RESET|PING
HSET h a 1 b 2|HGETALL h|SCAN 0|SINTERCARD 1 none|TOUCH h|MEMORY USAGE none|WAIT 0 10|COMMAND COUNT
CONFIG GET maxmemory|ACL WHOAMI|ACL WHOAMI extra|OBJECT|CLIENT|INFO a b|READONLY|FLUSHALL|DBSIZE
"""
COMMANDS = [command for line in SCRIPT.strip().splitlines() for command in line.split("|")]


def transcript(port: int, protocol: str) -> list[object]:
    with Caller(port) as client:
        if protocol == "3":
            hello = client.do("HELLO", "3")
            assert hello[b"proto"] == 3
        return [(command, client.do(*command.split(" "))) for command in COMMANDS]


@pytest.mark.parametrize("protocol", ["2", "3"])
def test_the_same_commands_have_the_same_replies(server: Redis, protocol: str) -> None:
    skipped = {"RESET", "GET k"} if protocol == "3" else set()  # RESET ends RESP3
    with Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy:
        direct = transcript(server.port, protocol)
        server.do("FLUSHALL")
        server.do("SCRIPT", "FLUSH")
        ours = transcript(proxy.port, protocol)
    for theirs, mine in zip(direct, ours, strict=True):
        if theirs[0] not in skipped:  # type: ignore[index]
            assert mine == theirs


def test_dangerous_commands_are_refused_unless_allowed(server: Redis) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}"]
    refused = ["CONFIG SET a b", "SHUTDOWN", "REPLICAOF a 1", "MODULE LOAD x", "DEBUG SLEEP 0",
               "SCRIPT DEBUG YES", "ACL SETUSER x", "SYNC", "CLUSTER INFO", "FAILOVER"]  # fmt: skip
    with Ambassador(*words) as proxy, proxy.call() as client:
        for command in refused:
            assert client.line(command).startswith(b"NOPERM this command is disabled"), command
    env = {
        "AMBASSADOR_LISTENER__ALLOW_ADMIN": "config",
        "AMBASSADOR_LISTENER__DENY": "get,flushall",
    }
    with Ambassador(*words, env=env) as proxy, proxy.call() as client:
        assert client.line("CONFIG SET maxmemory 0") == b"OK"
        assert client.line("DEBUG SLEEP 0").startswith(b"NOPERM")
        assert client.line("SET a 1") == b"OK"
        assert client.line("GET a") == b"NOPERM this command is disabled by ambassador: 'get'"
        assert client.line("GET a").startswith(b"NOPERM")
        assert client.line("FLUSHALL").startswith(b"NOPERM")


def test_messages_of_subscriptions_and_monitor_pass(server: Redis) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with Ambassador(*words) as proxy, proxy.call() as reader, proxy.call() as writer:
        assert reader.do("SUBSCRIBE", "news") == [b"subscribe", b"news", 1]
        assert writer.do("PUBLISH", "news", "a") == 1
        assert reader.read() == [b"message", b"news", b"a"]
        assert isinstance(reader.do("GET", "k"), Failure)
        assert reader.do("UNSUBSCRIBE") == [b"unsubscribe", b"news", 0]
        # Without subscriptions the upstream is given back after a while; commands go on as ever.
        assert reader.do("SET", "k", "v") == b"OK"
        until(lambda: not any(one["alone"] for one in proxy.get("/clients")[1]), 10)
        assert reader.do("GET", "k") == b"v"
        assert reader.do("MONITOR") == b"OK"
        writer.do("SET", "seen", "1")
        while b"seen" not in reader.read():
            pass
        assert reader.do("RESET") == b"RESET"


def test_a_client_of_resp3_gets_pushes(server: Redis) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with Ambassador(*words) as proxy, proxy.call() as reader, proxy.call() as writer:
        reader.do("HELLO", "3")
        assert reader.do("CLIENT", "TRACKING", "ON") == b"OK"
        assert reader.do("GET", "watched") is None
        writer.do("SET", "watched", "1")
        assert reader.read() == [b"invalidate", [b"watched"]]
        assert reader.do("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        assert reader.do("GET", "watched") == b"1"


def test_replies_can_be_switched_off(server: Redis) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with Ambassador(*words) as proxy, proxy.call() as client:
        client.send("CLIENT", "REPLY", "SKIP")
        client.send("SET", "a", "1")
        assert client.do("GET", "a") == b"1"
        client.send("CLIENT", "REPLY", "OFF")
        for _ in range(3):
            client.send("INCR", "a")
        client.send("SELECT", "1")
        client.send("SELECT", "0")
        assert client.do("CLIENT", "REPLY", "ON") == b"OK"
        assert client.do("GET", "a") == b"4"


def test_a_client_logs_in_to_the_server_through_us() -> None:
    with Redis("--requirepass", "secret", "--user", "bob", "on", ">pw", "~b*", "+@all") as server:
        words = ["--primary", f"127.0.0.1:{server.port}"]
        env = {"AMBASSADOR_UPSTREAM__PASSWORD": "secret"}
        with Ambassador(*words, env=env) as proxy, proxy.call() as client:
            assert client.do("AUTH", "bob", "wrong").startswith(b"WRONGPASS")
            assert client.do("AUTH", "bob", "pw") == b"OK"
            assert client.do("ACL", "WHOAMI") == b"bob"
            assert client.do("SET", "b1", "x") == b"OK"
            assert client.do("SET", "a1", "x").startswith(b"NOPERM")
            with proxy.call() as other:
                assert other.do("ACL", "WHOAMI") == b"default"
                assert other.do("SET", "a1", "x") == b"OK"
            client.do("MULTI")
            client.do("SET", "a2", "x")
            assert isinstance(client.do("EXEC"), Failure)


def test_a_login_of_our_own_is_asked_for(server: Redis, tmp_path: object) -> None:
    config = f"{tmp_path}/amb.yaml"
    with open(config, "w") as file:
        file.write(
            "listeners:\n- bind: 127.0.0.1:0\n  users: {app: s3cret}\n"
            f"upstream:\n  servers: ['127.0.0.1:{server.port}']\n"
        )
    with Ambassador("--config", config, listen=False) as proxy:
        port = int(proxy.log_text().split("address=127.0.0.1:")[1].split()[0])
        with Caller(port) as client:
            assert client.do("GET", "a") == b"NOAUTH Authentication required."
            assert client.do("HELLO", "3").startswith(b"NOAUTH HELLO must be called")
            assert client.do("AUTH", "app", "no").startswith(b"WRONGPASS")
            assert client.do("HELLO", "3", "AUTH", "app", "s3cret")[b"proto"] == 3
            assert client.do("GET", "a") is None
            assert client.do("RESET") == b"RESET"
            assert client.do("GET", "a") == b"NOAUTH Authentication required."
        with Caller(port) as client:
            client.sock.sendall(b"*11\r\n")
            assert client.read() == b"ERR Protocol error: unauthenticated multibulk length"


def test_reading_scripts_that_a_replica_does_not_know_come_back(servers: list[Redis]) -> None:
    primary, one, _ = servers
    with Ambassador(*replicas_of(primary, one), "--mode", "eventual") as proxy:
        proxy.until_reads(one)
        with proxy.call() as client:
            sha = client.do("SCRIPT", "LOAD", "return 7")
            for _ in range(3):
                assert client.do("EVALSHA_RO", sha, "0") == 7


def test_scans_are_whole(servers: list[Redis]) -> None:
    primary, one, two = servers
    with Caller(primary.port) as direct:
        for number in range(3000):
            direct.send("SET", f"k{number}", "v")
        for _ in range(3000):
            direct.read()
    for env in ({}, {"AMBASSADOR_LISTENER__CURSOR": "sticky"}):
        with Ambassador(*replicas_of(primary, one, two), "--mode", "eventual", env=env) as proxy:
            proxy.until_reads(one, two)
            with proxy.call() as client:
                until(lambda: client.do("DBSIZE") == 3000)
                cursor, keys = b"0", []
                while True:
                    cursor, found = client.do("SCAN", cursor, "COUNT", "100")
                    keys += found
                    if cursor == b"0":
                        break
                assert len(set(keys)) == 3000
                if env:
                    assert client.do("SCAN", "12345678").startswith(b"ERR ambassador: scan cursor")


def test_a_client_may_choose_its_mode_where_that_is_allowed(server: Redis) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}"]
    env = {"AMBASSADOR_LISTENER__PINNABLE": "true", "AMBASSADOR_MAX_CLIENTS": "2"}
    with Ambassador(*words, env=env) as proxy, proxy.call() as client:
        assert client.line("AMBASSADOR MODE eventual") == b"OK"
        assert proxy.get("/clients")[1][0]["mode"] == "eventual"
        assert client.line("AMBASSADOR PIN") == b"OK"
        assert client.line("AMBASSADOR MODE fast") == b"ERR syntax error"
        assert b"# Ambassador" in client.line("INFO ambassador")
        assert b"redis_version" in client.line("INFO")
        with proxy.call() as second, proxy.call() as third:
            assert second.do("PING") == b"PONG"
            assert third.read() == b"ERR max number of clients reached"
            assert third.is_ended()
    with Ambassador(*words) as proxy, proxy.call() as client:
        assert client.line("AMBASSADOR PIN").startswith(b"ERR unknown command 'AMBASSADOR'")
