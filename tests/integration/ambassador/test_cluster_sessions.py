"""What one connection to a cluster is set to: transactions, subscriptions, modes, logins."""

import pytest

from ambassador.redis.cluster.slots import slot_of
from ambassador.redis.resp import Failure, packed
from tests.support.ambassador import Ambassador
from tests.support.pinnace import until
from tests.support.redis_cluster import RedisCluster

pytestmark = pytest.mark.redis


def test_a_transaction_begins_before_its_node_is_known(cluster: RedisCluster) -> None:
    with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
        assert client.line("MULTI") == b"OK"
        assert client.line("PING") == b"QUEUED"
        assert client.line("DISCARD") == b"OK"
        assert client.line("MULTI") == b"OK"
        assert client.line("NOSUCH a").startswith(b"ERR unknown command 'NOSUCH'")
        assert client.line("EXEC").startswith(b"EXECABORT")
        assert client.line("MULTI") == b"OK"
        assert client.line("DBSIZE").startswith(b"ERR ambassador: this command concerns all")
        assert client.line("SET t 1") == b"QUEUED"
        assert client.line("EXEC").startswith(b"EXECABORT")
        assert client.line("MULTI") == b"OK"
        assert client.line("RESET") == b"RESET"
        assert client.line("EXEC") == b"ERR EXEC without MULTI"
        assert client.line("EXISTS t") == 0
        # All of it in one segment, and what comes behind goes elsewhere.
        words = ["MULTI", "PING", "INCR {t}a", "INCR {t}b", "EXEC", "SET other 1", "GET other"]
        client.sock.sendall(b"".join(packed(*line.encode().split()) for line in words))
        found = [client.read() for _ in words]
        assert found == [b"OK", b"QUEUED", b"QUEUED", b"QUEUED", [b"PONG", 1, 1], b"OK", b"1"]
        assert client.line("DEL {t}a {t}b") == 2
        assert client.line("MULTI") == b"OK"
        assert client.line("QUIT") == b"OK"
        assert client.is_ended()


def test_a_script_goes_to_its_keys_and_its_text_everywhere(cluster: RedisCluster) -> None:
    with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
        sha = client.do("SCRIPT", "LOAD", "return redis.call('incr', KEYS[1])")
        for key in "abcdef":
            assert client.do("EVALSHA", sha, "1", key) == 1
        for node in cluster.nodes:
            if node in cluster.primaries:
                assert node.ask("SCRIPT", "EXISTS", sha) == [1]
        library = "#!lua name=lib\nredis.register_function('f', function(k) return k[1] end)"
        assert client.do("FUNCTION", "LOAD", library) == b"lib"
        for key in "abcdef":
            assert client.do("FCALL", "f", "1", key) == key.encode()
        assert client.do("FUNCTION", "DELETE", "lib") == b"OK"
        for _ in range(2):  # only the server knows where its keys are; then it is remembered
            assert client.line("SORT_RO none LIMIT 0 1") == []
        assert client.do("RPUSH", "sorted", "2", "1") == 2
        assert client.line("SORT_RO sorted LIMIT 0 1") == [b"1"]
        assert client.line("SORT_RO").startswith(b"ERR wrong number")
        assert client.do("FLUSHALL") == b"OK"


@pytest.mark.parametrize("protocol", ["2", "3"])
def test_a_subscriber_may_do_nothing_else_until_it_is_none(
    cluster: RedisCluster, protocol: str
) -> None:
    refusal = b"ERR Can't execute 'get'" if protocol == "2" else b"CROSSSLOT"
    with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
        client.do("HELLO", protocol)
        for key in ("one", "two", "three"):
            client.sock.sendall(packed(b"SUBSCRIBE", b"c", b"d") + packed(b"GET", key.encode()))
            assert client.read() == [b"subscribe", b"c", 1]
            assert client.read() == [b"subscribe", b"d", 2]
            assert client.read().startswith(refusal)
            # It waits for its turn behind whatever comes before it.
            client.sock.sendall(packed(b"UNSUBSCRIBE") + packed(b"SET", key.encode(), b"v"))
            assert {tuple(client.read()[:1]) for _ in range(2)} == {(b"unsubscribe",)}
            assert client.read() == b"OK"
            assert client.do("GET", key) == b"v"
        assert client.do("MONITOR") == b"OK"
        client.send("GET", "one")
        while not isinstance(seen := client.read(), Failure):
            pass
        assert seen == b"ERR Replica can't interact with the keyspace"
    with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
        assert client.do("FLUSHALL") == b"OK"


def test_a_sharded_channel_ends_with_its_slot(cluster: RedisCluster) -> None:
    with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
        assert client.do("SSUBSCRIBE", "leaving") == [b"ssubscribe", b"leaving", 1]
        source = cluster.owner("leaving")
        target = next(one for one in cluster.primaries if one is not source)
        cluster.move(slot_of(b"leaving"), source, target)
        assert client.read() == [b"sunsubscribe", b"leaving", 0]
        until(lambda: not proxy.get("/clients")[1][0]["alone"], 20, 0.05)
        assert client.do("SSUBSCRIBE", "leaving") == [b"ssubscribe", b"leaving", 1]
        assert target.ask("SPUBLISH", "leaving", "m") == 1
        assert client.read() == [b"smessage", b"leaving", b"m"]


@pytest.mark.parametrize("scope", ["user", "listener"])
def test_several_connections_see_what_one_of_them_wrote(cluster: RedisCluster, scope: str) -> None:
    env = {
        "AMBASSADOR_LISTENER__SESSION_SCOPE": scope,
        "AMBASSADOR_LISTENER__SESSION_YOUNG": "0s",
        "AMBASSADOR_LISTENER__PINNABLE": "true",
    }
    with (
        Ambassador("--cluster", cluster.seed, env=env) as proxy,
        proxy.call() as writer,
        proxy.call() as reader,
    ):
        proxy.until_reads(*(cluster.replicas_of(one)[0] for one in cluster.primaries))
        for number in range(300):
            key = f"k{number % 7}"
            assert writer.do("SET", key, str(number)) == b"OK"
            assert reader.do("GET", key) == str(number).encode()
            assert writer.line("MULTI") == b"OK"
            assert writer.do("APPEND", key, "+") == b"QUEUED"
            assert writer.line("EXEC") == [len(str(number)) + 1]
            assert reader.do("GET", key) == f"{number}+".encode()
        nodes = proxy.get("/topology")[1]["nodes"]
        assert sum(node["commands"]["read"] for node in nodes if node["readable"]) > 0
        assert reader.line("AMBASSADOR MODE bounded") == b"OK"
        assert reader.do("GET", "k0") is not None
        assert writer.line("WAIT 0 10") == 1
        assert reader.do("RESET") == b"RESET"
        assert reader.line("FLUSHALL") == b"OK"


def test_upstreams_of_single_clients_end_with_their_primary() -> None:
    env = {"AMBASSADOR_UPSTREAM__FAILOVER_QUEUE": "1s"}
    with (
        RedisCluster(replicas=0) as cluster,
        Ambassador("--cluster", cluster.seed, env=env) as proxy,
        proxy.call() as client,
        proxy.call() as other,
        proxy.call() as third,
    ):
        lost = cluster.owner("{a}")
        assert client.line("MULTI") == b"OK"
        assert client.line("SET {a} 1") == b"QUEUED"
        other.send("BLPOP", "{a}list", "0")
        until(lambda: b"cmd=blpop" in lost.ask("CLIENT", "LIST"), 20, 0.02)
        lost.kill()
        assert other.read() == (
            b"ERR ambassador: connection to primary lost, write outcome unknown"
        )
        assert client.line("INCR {a}").startswith(b"ERR ambassador: upstream connection lost")
        assert client.line("EXEC").startswith(b"EXECABORT")
        until(lambda: proxy.get("/health/ready")[0] == 503, 20, 0.02)
        assert third.line("BLPOP {a}list 1").startswith(b"ERR ambassador: no primary")
        assert third.line("KEYS *").startswith(b"CLUSTERDOWN")
        assert third.line("SCAN 0").startswith(b"CLUSTERDOWN")
        assert third.line("GET {a}").startswith(b"CLUSTERDOWN")


def test_logins_are_the_servers_on_every_node(cluster: RedisCluster) -> None:
    for node in cluster.nodes:
        node.ask("ACL", "SETUSER", "bob", "on", ">pw", "~*", "+@all")
    try:
        with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
            assert client.line("AUTH bob no").startswith(b"WRONGPASS")
            assert client.line("AUTH bob pw") == b"OK"
            for key in "abcdef":
                assert client.do("SET", key, "v") == b"OK"
            assert client.line("ACL WHOAMI") == b"bob"
            assert client.line("DBSIZE") == 6
            cluster.owner("a").ask("ACL", "SETUSER", "bob", "-get")
            assert client.line("MULTI") == b"OK"
            assert client.line("GET a").startswith(b"NOPERM")
            assert client.line("EXEC").startswith(b"EXECABORT")
            assert client.line("FLUSHALL") == b"OK"
    finally:
        for node in cluster.nodes:
            node.ask("ACL", "DELUSER", "bob")
