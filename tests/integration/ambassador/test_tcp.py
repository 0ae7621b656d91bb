"""The plain TCP ambassador: the same frame, another protocol."""

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Self

import pytest

from deploy.tools.consul import Consul
from tests.support.ambassador import Ambassador, put
from tests.support.pinnace import until


class Echo:
    """Says its name, then echoes until the end."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            client.sendall(self.name)
            try:
                while data := client.recv(65536):
                    client.sendall(data)
            except OSError:
                pass


@pytest.fixture
def echoes() -> Iterator[list[Echo]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Echo(b"%d" % number)) for number in range(3)]


def name_of(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        return client.recv(1)


def test_connections_are_shared_out_and_pass_bytes_both_ways(echoes: list[Echo]) -> None:
    words = [word for echo in echoes for word in ("--server", f"127.0.0.1:{echo.port}")]
    with Ambassador(*words, protocol="tcp") as proxy:
        clients = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(6)]
        names = sorted(client.recv(1) for client in clients)
        assert names == [b"0", b"0", b"1", b"1", b"2", b"2"]
        big = b"x" * 3_000_000
        threading.Thread(target=clients[0].sendall, args=(big,)).start()
        left = len(big)
        while left:
            left -= len(clients[0].recv(1 << 20))
        clients[1].shutdown(socket.SHUT_WR)
        assert clients[1].recv(1) == b""
        for client in clients:
            client.close()
        until(lambda: sum(one["clients"] for one in proxy.get("/topology")[1]) == 0)


def test_an_instance_that_takes_nothing_is_passed_over(echoes: list[Echo]) -> None:
    words = [word for echo in echoes for word in ("--server", f"127.0.0.1:{echo.port}")]
    with Ambassador(*words, protocol="tcp") as proxy:
        echoes[0].stop()
        echoes[1].stop()
        assert {name_of(proxy.port) for _ in range(9)} == {b"2"}
        echoes[2].stop()
        assert name_of_or_end(proxy.port) == b""


def name_of_or_end(port: int) -> bytes:
    try:
        return name_of(port)
    except OSError:
        return b""


def test_the_catalogue_is_followed(consul: Consul, echoes: list[Echo]) -> None:
    def register(echo: Echo) -> None:
        body = {"ID": echo.name.decode(), "Name": "echo", "Address": "127.0.0.1", "Port": echo.port}
        put(consul, "/v1/agent/service/register", body)

    register(echoes[0])
    words = ["--service", "echo", "--store", consul.url.replace("http:", "consul:")]
    with Ambassador(*words, protocol="tcp") as proxy:
        assert name_of(proxy.port) == b"0"
        kept = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
        assert kept.recv(1) == b"0"
        register(echoes[1])
        until(lambda: len(proxy.get("/topology")[1]) == 2)
        put(consul, "/v1/agent/service/deregister/0")
        until(lambda: len(proxy.get("/topology")[1]) == 1)
        assert {name_of(proxy.port) for _ in range(4)} == {b"1"}
        kept.sendall(b"still here")  # it ends when it wants to
        assert kept.recv(10) == b"still here"
        kept.close()


def test_an_instance_that_is_drained_by_hand_keeps_what_it_has(echoes: list[Echo]) -> None:
    words = [word for echo in echoes[:2] for word in ("--server", f"127.0.0.1:{echo.port}")]
    with Ambassador(*words, protocol="tcp") as proxy:
        kept = [socket.create_connection(("127.0.0.1", proxy.port), timeout=10) for _ in range(2)]
        assert sorted(one.recv(1) for one in kept) == [b"0", b"1"]
        drained = f"127.0.0.1:{echoes[0].port}"
        assert proxy.get(f"/drain/{drained}", "POST")[1]["clients"] == 1
        assert {name_of(proxy.port) for _ in range(4)} == {b"1"}
        for one in kept:
            one.sendall(b"on")
            assert one.recv(2) == b"on"
            one.close()
        os.kill(proxy.pid, signal.SIGHUP)  # there is nothing to reload, and nothing ends
        assert proxy.get(f"/undrain/{drained}", "POST")[0] == 200
        assert proxy.get("/drain/nobody:1", "POST")[0] == 404
        names = [socket.create_connection(("127.0.0.1", proxy.port), timeout=10) for _ in range(4)]
        assert {one.recv(1) for one in names} == {b"0", b"1"}
        for one in names:
            one.close()


class Odd:
    """A server that ends its side first, then takes; or resets; or sends without end."""

    def __init__(self, manner: str) -> None:
        self._manner = manner
        self.taken = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client, suppress(OSError):
            if self._manner == "ends first":
                client.sendall(b"hello")
                client.shutdown(socket.SHUT_WR)
                while data := client.recv(65536):
                    self.taken += len(data)
            elif self._manner == "resets":
                client.recv(1)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                for _ in range(400):
                    client.sendall(b"x" * 100_000)
                    self.taken += 100_000


def test_a_server_that_ends_first_still_gets_everything() -> None:
    with (
        Odd("ends first") as server,
        Ambassador("--server", f"127.0.0.1:{server.port}", protocol="tcp") as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as client,
    ):
        assert client.recv(5) == b"hello"
        assert client.recv(1) == b""
        client.sendall(b"z" * 5_000_000)
        client.shutdown(socket.SHUT_WR)
        until(lambda: server.taken == 5_000_000, 20)


def test_a_server_that_resets_ends_its_client() -> None:
    with (
        Odd("resets") as server,
        Ambassador("--server", f"127.0.0.1:{server.port}", protocol="tcp") as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as client,
    ):
        client.sendall(b"a")
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_a_client_that_does_not_read_holds_its_server_back() -> None:
    with (
        Odd("floods") as server,
        Ambassador("--server", f"127.0.0.1:{server.port}", protocol="tcp") as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as client,
    ):
        before = proxy.resident()
        until(lambda: server.taken > 0, 20)
        seen = -1
        while seen != server.taken:  # until nothing more is taken
            seen = server.taken
            time.sleep(0.3)
        assert server.taken < 40_000_000
        assert proxy.resident() - before < 20_000_000
        left = 40_000_000
        while left:
            left -= len(client.recv(1 << 20))
        assert client.recv(1) == b""


def test_quiet_connections_end_after_the_idle_time(echoes: list[Echo]) -> None:
    words = ["--server", f"127.0.0.1:{echoes[0].port}", "--idle", "300ms"]
    with Ambassador(*words, protocol="tcp") as proxy:
        client = socket.create_connection(("127.0.0.1", proxy.port), timeout=20)
        with client, suppress(ConnectionResetError):
            assert client.recv(1) == b"0"
            assert client.recv(1) == b""


def test_an_instance_that_refuses_is_known_before_clients_find_out(echoes: list[Echo]) -> None:
    words = [word for echo in echoes[:2] for word in ("--server", f"127.0.0.1:{echo.port}")]
    with Ambassador(*words, "--probe", "100ms", protocol="tcp") as proxy:

        def refusing() -> list[bool]:
            return sorted(one["refusing"] for one in proxy.get("/topology")[1])

        until(lambda: refusing() == [False, False])
        echoes[0].stop()
        until(lambda: refusing() == [False, True])
        assert {name_of(proxy.port) for _ in range(6)} == {b"1"}
        assert proxy.metric("ambassador_tcp_failures_total") == 0  # no client had to try
        echoes[1].stop()
        until(lambda: proxy.get("/health/ready")[0] == 503)
        assert "no instance takes connections" in str(proxy.get("/health/ready")[1])
