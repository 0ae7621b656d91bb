"""Upstreams that one client has alone, and what clients are told of each other."""

import pytest

from ambassador.redis.resp import Failure, packed
from tests.support.ambassador import Ambassador, Caller, promote, replicas_of
from tests.support.pinnace import until
from tests.support.redis import Redis

pytestmark = pytest.mark.redis


def listed(client: Caller, *words: str) -> dict[int, dict[str, str]]:
    """Return CLIENT LIST by id."""
    lines = client.do("CLIENT", "LIST", *words).decode().splitlines()
    tables = [dict(field.partition("=")[::2] for field in line.split(" ")) for line in lines]
    return {int(table["id"]): table for table in tables}


def place_of(client: Caller) -> str:
    """Return where a client is, as Redis tells it."""
    host, port = client.sock.getsockname()
    return f"{host}:{port}"


def words_of(server: Redis) -> list[str]:
    return ["--primary", f"127.0.0.1:{server.port}"]


def test_commands_behind_multi_wait_for_it_however_they_come(server: Redis) -> None:
    with Ambassador(*words_of(server)) as proxy:
        for number in range(20):
            with proxy.call() as client:  # a fresh one: no upstream is open for it
                client.do("SELECT", str(number % 7))
                client.send("GET", "before")
                for words in (("MULTI",), ("SET", "k", "v"), ("GET", "k"), ("EXEC",)):
                    client.send(*words)  # in packets of their own
                replies = [client.read() for _ in range(5)]
                assert replies == [None, b"OK", b"QUEUED", b"QUEUED", [b"OK", b"v"]]


def test_clients_are_told_by_the_ids_that_they_know(server: Redis) -> None:
    with Ambassador(*words_of(server)) as proxy, proxy.call() as one, proxy.call() as other:
        first, second = one.do("CLIENT", "ID"), other.do("CLIENT", "ID")
        one.do("CLIENT", "SETNAME", "first")
        other.do("SELECT", "3")
        other.send("BLPOP", "list", "0")
        until(lambda: listed(one).get(second, {}).get("flags") == "b")
        found = listed(one)
        assert found.keys() == {first, second}  # our own connections are nobody's clients
        assert (found[first]["name"], found[first]["cmd"]) == ("first", "client|list")
        assert found[second]["db"] == "3"
        assert found[second]["addr"] == place_of(other)
        assert listed(one, "ID", str(second)).keys() == {second}
        assert listed(one, "TYPE", "pubsub") == {}
        info = one.do("CLIENT", "INFO").decode()
        assert info.startswith(f"id={first} addr=")
        assert " name=first " in info
        assert one.do("CLIENT", "UNBLOCK", str(second), "ERROR") == 1
        assert other.read().startswith(b"UNBLOCKED")
        assert one.do("CLIENT", "UNBLOCK", str(second)) == 0
        assert one.do("CLIENT", "UNBLOCK", "x").startswith(b"ERR")


def test_clients_are_ended_by_the_ids_that_they_know(server: Redis) -> None:
    with Ambassador(*words_of(server)) as proxy, proxy.call() as one:
        for form in ("ID", "ADDR", "old"):
            with proxy.call() as victim:
                number = str(victim.do("CLIENT", "ID"))
                place = place_of(victim)
                words = {"ID": ("ID", number), "ADDR": ("ADDR", place), "old": (place,)}[form]
                assert one.do("CLIENT", "KILL", *words) == (b"OK" if form == "old" else 1)
                assert victim.is_ended()
                assert one.do("CLIENT", "KILL", "ID", number) == 0
        assert one.do("CLIENT", "KILL", "127.0.0.1:1").startswith(b"ERR No such client")
        assert one.do("CLIENT", "KILL", "TYPE", "wrong").startswith(b"ERR Unknown client type")
        assert one.do("CLIENT", "KILL", "ID", "0").startswith(b"ERR")
        assert one.do("CLIENT", "KILL").startswith(b"ERR wrong number of arguments")
        assert one.do("CLIENT", "KILL", "TYPE", "pubsub") == 0
        assert one.do("CLIENT", "KILL", "TYPE", "replica") == 0
        with proxy.call() as listener:
            listener.do("SUBSCRIBE", "c")
            assert one.do("CLIENT", "KILL", "TYPE", "pubsub", "USER", "default") == 1
            assert listener.is_ended()
        assert one.do("CLIENT", "KILL", "SKIPME", "no") == 1
        assert one.is_ended()


def test_tracking_is_told_to_the_client_that_is_named(server: Redis) -> None:
    with (
        Ambassador(*words_of(server)) as proxy,
        proxy.call() as reader,
        proxy.call() as listener,
        proxy.call() as writer,
    ):
        number = str(listener.do("CLIENT", "ID"))
        assert listener.do("SUBSCRIBE", "__redis__:invalidate")[0] == b"subscribe"
        assert reader.do("CLIENT", "TRACKING", "ON", "REDIRECT", number) == b"OK"
        assert reader.do("CLIENT", "GETREDIR") == int(number)
        assert int(number) in reader.do("CLIENT", "TRACKINGINFO")
        reader.do("GET", "k")
        writer.do("SET", "k", "v")
        assert listener.read() == [b"message", b"__redis__:invalidate", [b"k"]]
        assert isinstance(reader.do("CLIENT", "TRACKING", "ON", "REDIRECT", "999"), Failure)
        # One that listens to nothing gets an upstream for it.
        assert listener.do("UNSUBSCRIBE")[0] == b"unsubscribe"
        writer.do("HELLO", "3")
        target = str(writer.do("CLIENT", "ID"))
        assert reader.do("CLIENT", "TRACKING", "OFF") == b"OK"
        assert reader.do("CLIENT", "TRACKING", "ON", "REDIRECT", target) == b"OK"
        reader.do("GET", "k")
        reader.do("SET", "k", "w")
        assert writer.read() == [b"invalidate", [b"k"]]


def test_subscriptions_go_on_when_the_server_is_replaced(servers: list[Redis]) -> None:
    primary, one, _ = servers
    with Ambassador(*replicas_of(primary, one)) as proxy, proxy.call() as listener:
        assert listener.do("SUBSCRIBE", "a", "b") == [b"subscribe", b"a", 1]
        assert listener.read() == [b"subscribe", b"b", 2]
        assert listener.do("PSUBSCRIBE", "n*") == [b"psubscribe", b"n*", 3]
        primary.kill()
        promote(one)
        proxy.until_primary(one)
        until(lambda: proxy.metric("ambassador_resubscribed_total") == 1)
        with Caller(one.port) as direct:
            until(lambda: direct.do("PUBSUB", "NUMSUB", "b") == [b"b", 1])
            until(lambda: direct.do("PUBSUB", "NUMPAT") == 1)
            direct.do("PUBLISH", "news", "x")
        assert listener.read() == [b"pmessage", b"n*", b"news", b"x"]
        assert listener.do("UNSUBSCRIBE", "a") == [b"unsubscribe", b"a", 2]


def test_without_that_the_client_is_ended(servers: list[Redis]) -> None:
    primary, one, _ = servers
    env = {"AMBASSADOR_UPSTREAM__RESUBSCRIBE": "false"}
    with Ambassador(*replicas_of(primary, one), env=env) as proxy, proxy.call() as listener:
        listener.do("SUBSCRIBE", "a")
        primary.kill()
        assert listener.is_ended()


def test_who_writes_in_a_transaction_reads_it_everywhere(servers: list[Redis]) -> None:
    primary, one, _ = servers
    with Ambassador(*replicas_of(primary, one)) as proxy, proxy.call() as client:
        proxy.until_reads(one)
        for number in range(200):
            value = str(number).encode()
            for words in (("MULTI",), ("SET", "k", str(number)), ("EXEC",)):
                client.do(*words)
            assert client.do("GET", "k") == value
            client.do("RPUSH", "list", value)
            assert client.do("BLMOVE", "list", "other", "LEFT", "RIGHT", "1") == value
            assert client.do("LLEN", "other") == number + 1


def test_a_long_value_is_passed_on_and_not_kept(server: Redis) -> None:
    size = 128 << 20
    with Ambassador(*words_of(server)) as proxy, proxy.call() as client, proxy.call() as other:
        other.do("SET", "x", "y")
        before = proxy.resident()
        part = bytes(range(256)) * 4096  # 1 MiB
        client.sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$%d\r\n" % size)
        for _ in range(size // len(part)):
            client.sock.sendall(part)
        assert other.do("GET", "x") == b"y"  # who shares upstreams does not wait
        assert proxy.resident() - before < 32 << 20
        # What follows in the same packet is a command of its own.
        client.sock.sendall(
            b"\r\n" + packed(b"STRLEN", b"b") + packed(b"GETRANGE", b"b", b"1", b"3")
        )
        assert [client.read() for _ in range(3)] == [b"OK", size, b"\x01\x02\x03"]
        assert proxy.resident() - before < 64 << 20


def test_a_long_value_that_breaks_off_is_never_executed(server: Redis) -> None:
    begun = b"*4\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$%d\r\n" % (4 << 20)
    with Ambassador(*words_of(server)) as proxy, proxy.call() as witness:
        with proxy.call() as client:
            client.sock.sendall(begun + b"x" * (4 << 20) + b"\r\n*nonsense\r\n")
            assert client.read() == b"ERR Protocol error: expected '$', got '*'"
            assert client.is_ended()
        with proxy.call() as client:
            client.sock.sendall(begun + b"x" * (3 << 20))
        assert witness.do("EXISTS", "l") == 0
