"""A Redis Cluster behind the ambassador is one Redis to who knows nothing of clusters."""

import subprocess

import pytest

from ambassador.frame.address import Address
from ambassador.redis.cluster.slots import slot_of, view_of
from ambassador.redis.commands import Table, names_of
from ambassador.redis.resp import Failure
from tests.support.ambassador import Ambassador, Caller
from tests.support.pinnace import until
from tests.support.redis import Redis
from tests.support.redis_cluster import RedisCluster

pytestmark = pytest.mark.redis

SCRIPT = """
PING|ECHO a|SET k v|GET k|GETDEL k|GET k|SET k|NOSUCH a b|OBJECT ENCODING k|LPUSH l a b c
LRANGE l 0 -1|BLPOP l 1|BLPOP none 0.01|XADD s 1-1 a b|XREAD COUNT 1 STREAMS s 0|TYPE s
XREAD BLOCK 10 STREAMS s $|MULTI|SET t 1|INCR t|EXEC|GET t|MULTI|PING|NOSUCH|EXEC|MULTI|DISCARD
EXEC|DISCARD|WATCH t|MULTI|GET t|EXEC|UNWATCH|MULTI|MULTI|WATCH t|EXEC|MULTI|PING|ECHO x|EXEC
CLIENT GETNAME|CLIENT SETNAME bob|CLIENT GETNAME|CLIENT REPLY|CLIENT NOSUCH|EVAL return(1) 0
SCRIPT LOAD return(2)|EVALSHA 7f923f79fe76194c868d7e1d0820de36700eb649 0|EVAL_RO return(3) 0
SCRIPT EXISTS 7f923f79fe76194c868d7e1d0820de36700eb649 x|SCRIPT FLUSH|SCRIPT EXISTS x
HELLO 9|HELLO x|AUTH a|AUTH a b c|SUBSCRIBE c|PING|GET k|UNSUBSCRIBE c|PING|RESET|PING
HSET h a 1 b 2|HGETALL h|HSCAN h 0|SINTERCARD 1 none|TOUCH h|MEMORY USAGE none
COMMAND COUNT|CONFIG GET maxmemory|ACL WHOAMI|OBJECT|CLIENT|FUNCTION LIST|FUNCTION KILL
SCRIPT KILL|SLOWLOG RESET|DBSIZE|KEYS h*|EXISTS h|DEL h|UNLINK h|GETRANGE none 0 1|TTL none
SORT l|SADD z 1|SORT z|SORT z STORE {z}1|EXPIRE none 1|BITCOUNT none|PFCOUNT none
RENAME none none|SUNION z {z}none|SINTER z{a} z|COPY none {none}1|LCS none none|GEOADD g 1 1 a
GEOPOS g a b|ZADD zz 1 a|ZUNION 1 zz|ZUNIONSTORE zz 1 zz|XINFO STREAM none|XGROUP CREATE s g $
XLEN s|XREADGROUP GROUP g c STREAMS s >|SCAN x|SCAN 0 COUNT x|FLUSHALL|DBSIZE|RANDOMKEY|KEYS *
TIME x|LASTSAVE x|MGET|DEL|MSET a
"""
COMMANDS = [command for line in SCRIPT.strip().splitlines() for command in line.split("|")]
DIFFERENT = {"SINTER z{a} z": b"CROSSSLOT"}


def transcript(port: int, protocol: str) -> list[tuple[str, object]]:
    with Caller(port) as client:
        if protocol == "3":
            assert client.do("HELLO", "3")[b"proto"] == 3
        return [(command, client.do(*command.split(" "))) for command in COMMANDS]


@pytest.mark.parametrize("protocol", ["2", "3"])
def test_the_same_commands_have_the_same_replies_as_of_one_server(
    cluster: RedisCluster, server: Redis, protocol: str
) -> None:
    skipped = {"RESET", "GET k"} if protocol == "3" else set()
    with Ambassador("--cluster", cluster.seed) as proxy:
        ours = transcript(proxy.port, protocol)
    for (command, theirs), (_, mine) in zip(transcript(server.port, protocol), ours, strict=True):
        if command in DIFFERENT:
            assert isinstance(mine, Failure)
            assert mine.startswith(DIFFERENT[command])
        elif command not in skipped:
            assert (command, mine) == (command, theirs)


def test_a_tool_that_knows_no_cluster_sees_all_keys(cluster: RedisCluster) -> None:
    with Ambassador("--cluster", cluster.seed) as proxy:

        def cli(*words: str, given: str = "") -> list[str]:
            command = ["redis-cli", "-p", str(proxy.port), *words]
            done = subprocess.run(
                command, input=given, capture_output=True, text=True, timeout=60, check=True
            )
            return done.stdout.split()

        lines = "".join(f"SET key:{number} {number}\n" for number in range(2000))
        assert set(cli(given=lines)) == {"OK"}
        assert cli("DBSIZE") == ["2000"]
        assert sorted(cli("--scan", "--pattern", "key:*")) == sorted(
            f"key:{n}" for n in range(2000)
        )
        assert cli("GET", "key:77") == ["77"]
        assert cli("FLUSHALL") == ["OK"]


def test_a_scan_finds_every_key_once_and_its_cursor_is_kept_to_its_node(
    cluster: RedisCluster,
) -> None:
    with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
        for number in range(3000):
            client.send("SET", f"k{number}", "v")
        assert {client.read() for _ in range(3000)} == {b"OK"}
        cursor, keys, cursors = b"0", [], 0
        while True:
            with proxy.call() as other:  # a pool goes on with a cursor on any connection
                cursor, found = other.do("SCAN", cursor, "COUNT", "100", "TYPE", "string")
            keys += found
            cursors += 1
            if cursor == b"0":
                break
        assert sorted(keys) == sorted(b"k%d" % number for number in range(3000))
        assert cursors > 20
        known = int(client.do("SCAN", "0", "COUNT", "1")[0]) % 16384
        unknown = next(mark for mark in range(1, 9) if mark != known) + (5 << 14)
        assert client.do("SCAN", str(unknown)).startswith(b"ERR ambassador: scan cursor lost")
        assert client.do("FLUSHALL") == b"OK"


def test_keys_in_several_slots_are_refused_or_split(cluster: RedisCluster) -> None:
    with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
        for command in ("MSET a 1 b 2", "MGET a b", "DEL a b", "EXISTS a b"):
            assert client.line(command).startswith(b"CROSSSLOT")
        assert client.line("MSET {a}1 1 {a}2 2") == b"OK"
        assert client.line("MGET {a}2 {a}1") == [b"2", b"1"]
    env = {"AMBASSADOR_LISTENER__CROSS_SLOT": "true"}
    with Ambassador("--cluster", cluster.seed, env=env) as proxy, proxy.call() as client:
        names = [f"n{number}" for number in range(50)]
        pairs = [word for name in names for word in (name, f"v{name}")]
        assert client.do("MSET", *pairs) == b"OK"
        wanted = [f"v{name}".encode() for name in names]
        assert client.do("MGET", *names) == wanted
        assert client.do("MGET", *reversed(names), "none") == [*reversed(wanted), None]
        assert client.do("EXISTS", *names, names[0], "none") == 51
        assert client.do("TOUCH", *names) == 50
        assert client.do("LPUSH", "list", "a") == 1
        assert client.do("MGET", "list", *names) == [None, *wanted]
        assert client.do("DEL", *names[:20], "none") == 20
        assert client.do("UNLINK", *names, "list") == 31
        assert client.do("MSET", "a", "1", "b").startswith(b"ERR wrong number")
        assert client.do("MULTI") == b"OK"  # there nothing is split
        assert client.do("MGET", "a", "b").startswith(b"CROSSSLOT")
        assert client.do("EXEC").startswith(b"EXECABORT")
        # A pipeline in which parts and whole commands stand side by side keeps its order.
        for number in range(50):
            client.send("MSET", "x", str(number), "y", str(number))
            client.send("MGET", "x", "y", "x")
        for number in range(50):
            value = b"%d" % number
            assert client.read() == b"OK"
            assert client.read() == [value] * 3


def test_messages_reach_subscribers_whatever_their_node(cluster: RedisCluster) -> None:
    with (
        Ambassador("--cluster", cluster.seed) as proxy,
        proxy.call() as reader,
        proxy.call() as shard_reader,
        proxy.call() as writer,
    ):
        assert reader.do("SUBSCRIBE", "news") == [b"subscribe", b"news", 1]
        owner = cluster.owner("channel")
        assert shard_reader.do("SSUBSCRIBE", "channel") == [b"ssubscribe", b"channel", 1]
        assert owner.ask("PUBSUB", "SHARDCHANNELS") == [b"channel"]
        for node in cluster.nodes:
            node.ask("PUBLISH", "news", "direct")
            assert reader.read() == [b"message", b"news", b"direct"]
        writer.do("PUBLISH", "news", "a")
        assert reader.read() == [b"message", b"news", b"a"]
        assert writer.do("SPUBLISH", "channel", "b") == 1
        assert shard_reader.read() == [b"smessage", b"channel", b"b"]
        other = next(key for key in "abcdef" if cluster.owner(key) is not owner)
        assert shard_reader.do("SSUBSCRIBE", other).startswith(b"CROSSSLOT")


def test_reads_go_to_replicas_of_the_slot(cluster: RedisCluster) -> None:
    words = ("--cluster", cluster.seed, "--mode", "eventual")
    with Ambassador(*words) as proxy, proxy.call() as client:
        replicas = [cluster.replicas_of(one)[0] for one in cluster.primaries]
        proxy.until_reads(*replicas)
        for number in range(30):
            assert client.do("SET", f"k{number}", "v") == b"OK"
        assert client.do("WAIT", "1", "5000") == 1
        for number in range(30):
            assert client.do("GET", f"k{number}") == b"v"
        for replica in replicas:
            assert proxy.node(replica)["commands"]["read"] > 0
        assert proxy.metric("ambassador_reissued_reads_total") == 0
        assert client.do("GET", "none") is None  # not believed of a replica
        assert proxy.metric("ambassador_reissued_reads_total") == 1
        assert client.do("READWRITE") == b"OK"
        before = sum(proxy.node(replica)["commands"]["read"] for replica in replicas)
        assert client.do("GET", "k1") == b"v"
        assert sum(proxy.node(replica)["commands"]["read"] for replica in replicas) == before
        assert client.do("READONLY") == b"OK"
        assert client.do("ASKING") == b"OK"
        shards = proxy.get("/topology")[1]["shards"]
        assert sum(end - begin + 1 for one in shards for begin, end in one["slots"]) == 16384
        assert client.do("FLUSHALL") == b"OK"


def test_what_would_show_the_cluster_is_refused(cluster: RedisCluster) -> None:
    with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
        assert client.do("CLUSTER", "KEYSLOT", "a") == slot_of(b"a")
        for command in ("CLUSTER RESET", "CLUSTER FAILOVER", "CLUSTER", "CONFIG SET maxmemory 0"):
            assert client.line(command).startswith(b"NOPERM")
        assert client.line("CLIENT TRACKING ON").startswith(b"ERR ambassador: CLIENT TRACKING")
        assert client.line("SELECT 1") == b"ERR SELECT is not allowed in cluster mode"
        assert client.line("MULTI") == b"OK"
        assert client.line("SET a 1") == b"QUEUED"
        assert client.line("DBSIZE").startswith(b"ERR ambassador: this command concerns all nodes")
        assert client.line("EXEC").startswith(b"EXECABORT")


def test_both_ways_to_ask_for_slots_say_the_same(cluster: RedisCluster) -> None:
    node = cluster.primaries[0]
    info = node.ask("CLUSTER", "INFO")
    asked = Address("127.0.0.1", node.port)
    shards = view_of(info, node.ask("CLUSTER", "SHARDS"), asked)
    slots = view_of(info, node.ask("CLUSTER", "SLOTS"), asked)
    assert shards == slots
    assert shards.is_ok
    assert {len(one.replicas) for one in shards.shards} == {1}


EXAMPLES = """
GET a|SET a b EX 1|MGET a b c|MSET a 1 b 2|DEL a b|EVAL x 2 a b c|EVAL_RO x 0 a|EVALSHA x 1 a
FCALL f 2 a b c|ZUNIONSTORE d 2 a b WEIGHTS 1 2|ZINTER 2 a b|ZDIFFSTORE d 1 a|LMPOP 2 a b LEFT
BLMPOP 1 2 a b LEFT|ZMPOP 1 a MIN|BZMPOP 1 1 a MIN|SINTERCARD 2 a b LIMIT 1|XREAD STREAMS a b 0 0
XREAD COUNT 1 BLOCK 1 STREAMS a 0|XREADGROUP GROUP g c COUNT 1 STREAMS a b > >|SORT a
SORT a BY w_* LIMIT 0 1 STORE d|GEORADIUS a 1 1 1 m|GEORADIUS a 1 1 1 m STORE d
GEORADIUS a 1 1 1 m STOREDIST d|GEORADIUSBYMEMBER a m 1 m STORE d
GEOSEARCHSTORE d a FROMMEMBER m BYRADIUS 1 m
MIGRATE h 1 a 0 1|BITOP AND d a b|BLPOP a b 0|BRPOPLPUSH a b 0|BLMOVE a b LEFT RIGHT 0
OBJECT ENCODING a|MEMORY USAGE a|XINFO STREAM a|XGROUP CREATE a g $|LCS a b|COPY a b|RENAME a b
PFMERGE d a b|WATCH a b|RESTORE a 0 x|SORT_RO a|GEORADIUS_RO a 1 1 1 m
XADD s * a b|XCLAIM s g c 0 1-1|SMOVE a b m|SUNIONSTORE d a b|HSET a f v|EXPIRE a 1|TOUCH a b
MEMORY USAGE a SAMPLES 1|ZRANGESTORE d a 0 1|BITFIELD a GET u4 0|LPOS a x|SINTERSTORE d a b
"""


def test_keys_are_where_the_server_finds_them(server: Redis) -> None:
    with Caller(server.port) as client:
        told, shipped = Table(names_of(client.do("COMMAND"))), Table()
        for command in EXAMPLES.strip().replace("\n", "|").split("|"):
            words = command.encode().split(b" ")
            wanted = client.do("COMMAND", "GETKEYS", *words)
            for table in (told, shipped):
                places = table.command(words[0], words[1]).keys(words)
                if places is None:  # it says itself that only the server knows
                    assert command == "SORT_RO a"
                    continue
                assert [words[place] for place in places] == wanted, command


def test_waiting_lists_are_filled_by_others(cluster: RedisCluster) -> None:
    with (
        Ambassador("--cluster", cluster.seed) as proxy,
        proxy.call() as waiting,
        proxy.call() as other,
    ):
        for key in ("one", "two", "three"):
            waiting.send("BLPOP", key, "20")
            waiting.send("GET", "after")  # elsewhere, and behind it
            until(lambda: any(one["alone"] for one in proxy.get("/clients")[1]), 20, 0.01)
            assert other.do("RPUSH", key, "x") == 1
            assert waiting.read() == [key.encode(), b"x"]
            assert waiting.read() is None
