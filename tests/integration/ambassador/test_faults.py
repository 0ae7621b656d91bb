"""Connections that break in the middle, clients that do not read, nonsense (F26, F27)."""

import random
import socket
import threading
from contextlib import ExitStack

import pytest

from ambassador.redis.resp import Failure, packed
from tests.support.ambassador import Ambassador, Caller
from tests.support.pinnace import until
from tests.support.redis import Redis
from tests.support.streams import Stream

pytestmark = pytest.mark.redis


def test_a_reply_cut_at_any_byte_never_reaches_another_client(server: Redis) -> None:
    values = {f"key{number}": f"<{number}>" * 12 for number in range(4)}
    with (
        Stream(server.port) as stream,
        Ambassador("--primary", f"127.0.0.1:{stream.port}") as proxy,
    ):
        callers = {key: proxy.call() for key in values}
        for key, value in values.items():
            assert callers[key].do("SET", key, value) == b"OK"
        stream.marked = b"$3\r\nGET"
        for at in range(1, 201):
            stream.cut_after = at
            for key, caller in callers.items():
                caller.send("GET", key)
            for key, caller in callers.items():
                assert caller.read() == values[key].encode(), f"cut after {at}"
        for caller in callers.values():
            caller.sock.close()
    assert stream.cuts == 200


def test_a_write_is_never_sent_twice_wherever_its_reply_is_cut(server: Redis) -> None:
    with (
        Stream(server.port) as stream,
        Ambassador("--primary", f"127.0.0.1:{stream.port}") as proxy,
        proxy.call() as client,
    ):
        stream.marked = b"$4\r\nINCR"
        sent = unknown = 0
        for at in range(60):
            stream.cut_after = at
            for _ in range(10):
                client.send("INCR", "n")
            replies = [client.read() for _ in range(10)]
            sent += 10
            unknown += sum(isinstance(reply, Failure) for reply in replies)
            numbers = [reply for reply in replies if isinstance(reply, int)]
            assert numbers == sorted(numbers)
            stream.cut_after = -1
        counted = int(client.do("GET", "n"))
    assert 0 < unknown < sent
    assert sent - unknown <= counted <= sent


def test_a_client_that_does_not_read_costs_no_more_than_its_limit(server: Redis) -> None:
    big = b"x" * (100 << 20)
    env = {"AMBASSADOR_REPLY_HARD": "32MiB", "AMBASSADOR_REPLY_SOFT": "32MiB"}
    with Ambassador("--primary", f"127.0.0.1:{server.port}", env=env) as proxy:
        with Caller(server.port) as direct:
            direct.do("SET", "big", big)
            direct.do("SET", "small", "s")
        before = proxy.resident()
        with proxy.call() as other, proxy.call() as slow:
            slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.send("GET", "big")
            # Who shares the upstream with it is served all the time.
            until(lambda: proxy.metric("ambassador_dropped_clients_total") >= 1, 30)
            assert other.do("GET", "small") == b"s"
            assert other.do("GET", "small") == b"s"
        assert proxy.resident() - before < 96 << 20


def test_clients_that_do_not_read_do_not_keep_others_when_memory_is_full(server: Redis) -> None:
    env = {"AMBASSADOR_MEMORY": "24MiB"}
    with Ambassador("--primary", f"127.0.0.1:{server.port}", env=env) as proxy:
        with Caller(server.port) as direct:
            direct.do("SET", "big", b"x" * (20 << 20))
        before = proxy.resident()
        with ExitStack() as stack:
            other = stack.enter_context(proxy.call())
            for _ in range(6):
                slow = stack.enter_context(proxy.call())
                slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.send("GET", "big")
            for number in range(300):
                assert other.do("SET", "small", str(number)) == b"OK"
                assert other.do("GET", "small") == str(number).encode()
            until(lambda: 'reason="memory"' in proxy.get("/metrics")[1], 20)
            assert other.do("GET", "small") == b"299"
            assert proxy.resident() - before < 96 << 20


def test_a_client_that_reads_gets_a_reply_of_100_megabytes_whole(server: Redis) -> None:
    big = random.Random(1).randbytes(100 << 20)
    with Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy, proxy.call() as client:
        client.sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$%d\r\n" % len(big))
        client.sock.sendall(big)
        client.sock.sendall(b"\r\n")
        assert client.read() == b"OK"
        client.send("GET", "b")
        parts, left = [], len(big) + len(b"$%d\r\n\r\n" % len(big))
        while left:
            part = client.sock.recv(1 << 20)
            parts.append(part)
            left -= len(part)
        assert b"".join(parts) == b"$%d\r\n%b\r\n" % (len(big), big)
        assert client.do("PING") == b"PONG"


def test_nonsense_ends_the_connection_that_sent_it_and_no_other(server: Redis) -> None:
    draw = random.Random(7)
    good = packed(b"SET", b"k", b"v") + packed(b"GET", b"k") + packed(b"LPUSH", b"l", b"a", b"b")
    with Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy, proxy.call() as witness:
        for _ in range(300):
            data = bytearray(good * 3)
            for _ in range(draw.randrange(1, 6)):
                data[draw.randrange(len(data))] = draw.randrange(256)
            with Caller(proxy.port, timeout=5) as wild:
                wild.sock.sendall(data)
                wild.sock.shutdown(socket.SHUT_WR)
                assert wild.is_ended()
        assert witness.do("PING") == b"PONG"
        assert "Traceback" not in proxy.log_text()


BROKEN = [
    b"*x\r\n", b"*1\r\nx\r\n", b"*1\r\n$x\r\n", b"*1\r\n$-2\r\n", b"*3000000000\r\n",
    b"*1\r\n$999999999999\r\n", b'SET "a\r\n', b"*1\r\n:1\r\n", b"*" + b"1" * 70000,
    b"x" * 70000, b"*2\r\n$" + b"1" * 70000, b"POST / HTTP/1.1\r\n\r\n",
]  # fmt: skip


def test_errors_of_the_protocol_are_told_as_redis_tells_them(server: Redis) -> None:
    def reply(port: int, data: bytes) -> bytes:
        with Caller(port, timeout=10) as client:
            client.sock.sendall(data)
            found = b""
            try:
                while part := client.sock.recv(65536):
                    found += part
            except ConnectionResetError:
                pass  # what was sent after the mistake was not read
            return found

    with Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy:
        for data in BROKEN:
            assert reply(proxy.port, data) == reply(server.port, data), data[:20]


def test_a_client_that_goes_while_it_waits_loses_no_element(server: Redis) -> None:
    with Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy:
        gone = proxy.call()
        gone.send("BLPOP", "list", "0")
        until(lambda: b"blocked_clients:1" in server.do("INFO", "clients"))
        gone.sock.close()
        until(lambda: b"blocked_clients:0" in server.do("INFO", "clients"))
        with proxy.call() as client:
            assert client.do("RPUSH", "list", "element") == 1
            assert client.do("BLPOP", "list", "1") == [b"list", b"element"]


def test_quiet_clients_end_after_the_idle_time_and_busy_ones_do_not(server: Redis) -> None:
    env = {"AMBASSADOR_LISTENER__IDLE": "1500ms"}
    ended = threading.Event()
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with Ambassador(*words, env=env) as proxy, proxy.call() as quiet, proxy.call() as busy:

        def wait() -> None:
            if quiet.is_ended():
                ended.set()

        assert quiet.do("PING") == b"PONG"
        threading.Thread(target=wait, daemon=True).start()
        while not ended.wait(0.05):
            assert busy.do("PING") == b"PONG"
        assert busy.do("CLIENT", "ID") > 1


def test_who_half_closes_gets_all_replies(server: Redis) -> None:
    with Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy, proxy.call() as client:
        for number in range(500):
            client.send("SET", f"k{number}", "v")
        client.sock.shutdown(socket.SHUT_WR)
        assert [client.read() for _ in range(500)] == [b"OK"] * 500
        assert client.is_ended()


def test_many_clients_at_once_each_get_their_own(server: Redis) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        with proxy.call() as client:
            for turn in range(100):
                value = f"{number}.{turn}"
                client.send("SET", f"k{number}", value)
                client.send("GET", f"k{number}")
                client.send("ECHO", value)
                found = [client.read() for _ in range(3)]
                if found != [b"OK", value.encode(), value.encode()]:
                    wrong.append(found)

    with Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
