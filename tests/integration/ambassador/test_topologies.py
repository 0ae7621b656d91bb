"""Servers learned from Sentinel and from a catalogue; TLS; reload; the admin address."""

import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from ambassador.redis.resp import Failure
from deploy.tools.consul import Consul
from tests.support.ambassador import Ambassador, Caller, follow, put, replicas_of
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.redis import Redis
from tests.support.sentinel import Sentinel

pytestmark = pytest.mark.redis


# Sentinel demotes a primary that comes back, maybe before anybody saw it call itself one.
UNDEMOTABLE = ("--rename-command", "SLAVEOF", "", "--rename-command", "REPLICAOF", "")


def test_sentinel_promotes_and_clients_stay_connected(servers: list[Redis]) -> None:
    one, two, _ = servers
    with Redis(*UNDEMOTABLE, "--repl-diskless-sync-delay", "0") as primary:
        follow(one, primary)
        follow(two, primary)
        with Sentinel(primary) as sentinel:
            sentinel.until_knows(2)
            check_promotion(sentinel, primary, one, two)


def check_promotion(sentinel: Sentinel, primary: Redis, one: Redis, two: Redis) -> None:
    with Ambassador(*sentinel.words) as proxy, proxy.call() as client:
        proxy.until_reads(one, two)
        assert client.do("SET", "n", "0") == b"OK"
        assert client.do("WAIT", "2", "5000") == 2
        written = 0
        primary.kill()

        def is_counted() -> bool:
            nonlocal written
            reply = client.do("INCR", "n")
            if isinstance(reply, Failure):
                return False
            written = reply
            return True

        until(is_counted, 30)
        assert written == 1  # nothing was sent twice
        assert client.do("GET", "n") == b"1"
        # The old one comes back and calls itself the primary; Sentinel does not.
        primary.start()
        until(lambda: proxy.node(primary).get("role") == "master", 20, 0.02)
        assert client.do("INCR", "n") == 2


@pytest.fixture
def registered(consul: Consul, servers: list[Redis]) -> tuple[Consul, list[Redis]]:
    primary, one, _ = servers
    follow(one, primary)
    for server in (primary, one):
        register(consul, server)
    return consul, servers


def register(consul: Consul, server: Redis) -> None:
    body = {"ID": f"redis-{server.port}", "Name": "redis", "Address": "127.0.0.1",
            "Port": server.port}  # fmt: skip
    put(consul, "/v1/agent/service/register", body)


def test_a_catalogue_tells_the_servers_and_role_who_is_what(
    registered: tuple[Consul, list[Redis]],
) -> None:
    consul, (primary, one, two) = registered
    words = [
        "--service",
        "redis",
        "--store",
        consul.url.replace("http:", "consul:"),
        "--mode",
        "eventual",
    ]
    with Ambassador(*words) as proxy, proxy.call() as client:
        proxy.until_primary(primary)
        proxy.until_reads(one)
        assert client.do("SET", "k", "v") == b"OK"
        follow(two, primary)
        register(consul, two)
        proxy.until_reads(one, two)
        put(consul, f"/v1/agent/service/deregister/redis-{one.port}")
        proxy.until_reads(two)
        assert client.do("GET", "k") == b"v"


def test_a_server_can_be_drained_by_hand(servers: list[Redis]) -> None:
    primary, one, two = servers
    with Ambassador(*replicas_of(primary, one, two), "--mode", "eventual") as proxy:
        proxy.until_reads(one, two)
        assert proxy.get(f"/drain/127.0.0.1:{one.port}", "POST")[0] == 200
        proxy.until_reads(two)
        with proxy.call() as client:
            assert client.do("GET", "k") is None
        assert proxy.get(f"/undrain/127.0.0.1:{one.port}", "POST")[0] == 200
        proxy.until_reads(one, two)
        assert proxy.get("/drain/192.0.2.1:1", "POST")[0] == 404
        assert proxy.get("/nothing")[0] == 404
        assert proxy.get("/reload")[0] == 405


def certificates(folder: Path) -> None:
    """Make an authority and one certificate for 127.0.0.1."""
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    name = "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = f"{make} {name} -keyout {folder}/key.pem -out {folder}/cert.pem"
    subprocess.run(command.split(), check=True, capture_output=True)


def test_tls_on_both_sides(tmp_path: Path) -> None:
    certificates(tmp_path)
    port, listen = free_port(), free_port()
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    files = ("--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert)
    config = tmp_path / "amb.yaml"
    config.write_text(
        f"listeners:\n- bind: 127.0.0.1:{listen}\n"
        f"  tls: {{cert: {tmp_path}/cert.pem, key: {tmp_path}/key.pem, ca: {tmp_path}/cert.pem}}\n"
        f"upstream:\n  servers: ['127.0.0.1:{port}']\n"
        f"  tls: {{ca: {tmp_path}/cert.pem, cert: {tmp_path}/cert.pem, key: {tmp_path}/key.pem}}\n"
    )
    context = ssl.create_default_context(cafile=cert)
    words = ["--config", str(config)]
    with Redis("--tls-port", str(port), *files), Ambassador(*words, listen=False):
        assert tls_reply(listen, context, "PING") is None  # without a certificate of its own
        context.load_cert_chain(cert, key)
        assert tls_reply(listen, context, "SET", "k", "x" * 100_000) == b"OK"
        assert tls_reply(listen, context, "GET", "k") == b"x" * 100_000


def tls_reply(port: int, context: ssl.SSLContext, *words: str) -> object:
    """Return the reply to a command over TLS, None when there is none."""
    with Caller(port) as client:
        try:
            client.sock = context.wrap_socket(client.sock, server_hostname="127.0.0.1")
            return client.do(*words)
        except (OSError, EOFError):
            return None


def test_a_reload_keeps_clients_and_takes_new_listeners(server: Redis, tmp_path: Path) -> None:
    config, other = tmp_path / "amb.yaml", free_port()
    upstream = f"upstream:\n  servers: ['127.0.0.1:{server.port}']\n"
    first = free_port()
    listener = f"listeners:\n- bind: 127.0.0.1:{first}\n"
    config.write_text(listener + upstream)
    with Ambassador("--config", str(config), listen=False) as proxy, Caller(first) as client:
        assert client.do("SET", "k", "v") == b"OK"
        config.write_text(f"{listener}- bind: 127.0.0.1:{other}\n{upstream}")
        os.kill(proxy.pid, signal.SIGHUP)
        until(lambda: "reloaded" in proxy.log_text(), 20)
        with Caller(other) as second:
            assert second.do("GET", "k") == b"v"
        assert client.do("GET", "k") == b"v"
        config.write_text(listener + upstream + "nonsense: 1\n")
        os.kill(proxy.pid, signal.SIGHUP)
        until(lambda: "there is no such key" in proxy.log_text(), 20)
        assert client.do("GET", "k") == b"v"


def test_several_workers_share_an_address(server: Redis) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}", "--workers", "2"]
    with Ambassador(*words) as proxy:
        clients = [proxy.call() for _ in range(20)]
        for number, client in enumerate(clients):
            assert client.do("SET", f"k{number}", "v") == b"OK"
            client.sock.close()
        # The second worker may still be starting when the first has served all.
        until(lambda: server.do("CLIENT", "LIST").count(b"name=ambassador:watch") == 2, 20)


def test_a_unix_socket_and_a_mode_of_its_own(server: Redis, tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    words = ["--primary", f"127.0.0.1:{server.port}", "--listen", f"unix:{path}=primary"]
    with Ambassador(*words) as proxy:
        with proxy.call() as client:
            client.sock.close()
            client.sock = socket.socket(socket.AF_UNIX)
            client.sock.connect(str(path))
            assert client.do("PING") == b"PONG"
            assert proxy.get("/clients")[1][0]["mode"] == "primary"
        assert proxy.metric("ambassador_commands_total") >= 1
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["redis"], 78, "upstream.servers"),
        (["redis", "--cluster", "127.0.0.1:1", "--primary", "127.0.0.1:2"], 78, "at once"),
        (["redis", "--nonsense"], 2, "unrecognized"),
        (["redis", "--config", "/nonexistent"], 78, "No such file"),
        (["redis", "--primary", "127.0.0.1:1", "--check"], 0, "ok"),
        (["tcp", "--listen", "127.0.0.1:1"], 78, "--service"),
        (["-h"], 0, "PROTOCOL"),
        ([], 2, "PROTOCOL"),
    ],
)
def test_mistakes_are_told_in_a_line(words: list[str], status: int, text: str) -> None:
    program = str(Path(sys.executable).with_name("ambassador"))
    done = subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == status
    assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
