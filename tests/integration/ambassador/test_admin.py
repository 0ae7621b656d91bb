"""The admin address, and doors that cannot be opened."""

import http.client
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.ambassador import Ambassador, replicas_of
from tests.support.pinnace import until
from tests.support.redis import Redis

pytestmark = pytest.mark.redis


def test_people_can_look_and_act(servers: list[Redis]) -> None:
    primary, one, _ = servers
    env = {"AMBASSADOR_SLOWLOG": "1us"}
    with Ambassador(*replicas_of(primary, one), env=env) as proxy, proxy.call() as client:
        proxy.until_reads(one)

        def slow_writes() -> list[str]:
            # The loop's clock counts milliseconds: what takes less may take none.
            assert client.do("SET", "key", "secret") == b"OK"
            entries = proxy.get("/slowlog")[1]
            return [entry["command"] for entry in entries if entry["kind"] == "write"]

        until(lambda: slow_writes()[:1] == ["SET key"], 20)
        assert proxy.get(f"/undrain/127.0.0.1:{one.port}", "POST")[1]["draining"] is False
        assert proxy.get("/refresh", "POST") == (200, {"refreshed": True})
        until(lambda: proxy.get("/topology")[1]["primary"] == f"127.0.0.1:{primary.port}", 20)
        assert proxy.get("/reload", "POST") == (200, {"reloaded": True})
        assert proxy.get("/health/live")[0] == 200
        assert proxy.get("/clients", "POST")[0] == 405
        assert proxy.get("/drain/", "POST")[0] == 404


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Origin": "http://example.org"}, 403),
        ("GET", {"Host": "example.org"}, 403),
        ("PUT", {}, 405),
        ("HEAD", {}, 200),
        ("POST", {"Content-Length": "3"}, 400),
    ],
)
def test_pages_of_others_and_bodies_are_refused(
    server: Redis, method: str, headers: dict[str, str], status: int
) -> None:
    with Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.admin, timeout=20)
        connection.request(method, "/topology", headers=headers)
        response = connection.getresponse()
        assert response.status == status
        assert bool(response.read()) == (method != "HEAD")
        connection.close()


def ended(*words: str) -> tuple[int, str]:
    program = str(Path(sys.executable).with_name("ambassador"))
    done = subprocess.run(
        [program, "redis", "--primary", "127.0.0.1:1", *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_path_is_taken_only_from_who_has_left_it(server: Redis, tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()
        status, text = ended("--listen", f"unix:{path}")
        assert status == 1
        assert "taken by another program" in text
    status, text = ended("--listen", f"unix:{tmp_path}/none/redis.sock")
    assert (status, "cannot listen" in text) == (1, True)
    words = ["--primary", f"127.0.0.1:{server.port}", "--listen", f"unix:{path}"]
    with Ambassador(*words), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        assert client.recv(100) == b"+PONG\r\n"


@pytest.mark.parametrize("protocol", ["redis", "tcp"])
def test_clients_are_as_many_as_there_are_descriptors_for(server: Redis, protocol: str) -> None:
    option = "--primary" if protocol == "redis" else "--server"
    program = Ambassador(option, f"127.0.0.1:{server.port}", protocol=protocol)
    program.command = ["sh", "-c", 'ulimit -n 64; exec "$0" "$@"', *program.command]
    with program as proxy, ExitStack() as stack:
        kept = stack.enter_context(proxy.call())
        assert kept.do("SET", "k", "v") == b"OK"
        served = refused = 0
        for _ in range(80):
            client = stack.enter_context(proxy.call())
            try:
                served += client.do("GET", "k") == b"v"
            except (EOFError, ConnectionResetError):
                refused += 1
        assert 0 < served < 64
        assert served + refused <= 80
        assert kept.do("GET", "k") == b"v"
        assert "descriptors limit the clients" in proxy.log_text()


def test_certificates_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    config = tmp_path / "amb.yaml"
    for text in (
        "listeners:\n- bind: 127.0.0.1:0\n  tls: {cert: /none, key: /none}\n",
        "upstream:\n  tls: {ca: /none}\n",
        "upstream:\n  tls: {cert: /none, key: /none, verify: false}\n",
    ):
        config.write_text(text)
        status, said = ended("--config", str(config))
        assert status == 78
        assert "tls of" in said
