"""What a reload takes over, and what it says needs a restart; what is counted and kept."""

import os
import signal
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.ambassador import Ambassador, Caller, replicas_of
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.redis import Redis

pytestmark = pytest.mark.redis


def test_the_admin_address_moves_and_what_cannot_is_told(server: Redis, tmp_path: Path) -> None:
    config, listen, other = tmp_path / "amb.yaml", free_port(), free_port()

    def write(admin: int, more: str = "") -> None:
        upstream = f"upstream:\n  servers: ['127.0.0.1:{server.port}']\n"
        listeners = f"listeners:\n- bind: 127.0.0.1:{listen}\n"
        config.write_text(f"{listeners}{upstream}{more}admin: 127.0.0.1:{admin}\n")

    program = Ambassador("--config", str(config), listen=False, admin=False)
    former = program.admin
    write(former)
    with program as proxy, Caller(listen) as client:
        assert client.do("SET", "k", "v") == b"OK"
        write(other)
        # Asked at the address that is left: the answer still comes.
        assert proxy.get("/reload", "POST") == (200, {"reloaded": True})
        proxy.admin = other
        assert proxy.get("/health/ready")[0] == 200
        proxy.admin = former
        assert proxy.get("/health/live")[0] == 0
        proxy.admin = other
        write(listen)
        status, told = proxy.get("/reload", "POST")
        assert status == 500
        assert str(listen) in told["error"]
        for more, key in (
            ("  source: cluster\n", "upstream.source"),
            ("workers: 2\n", "workers"),
        ):
            write(former, more)
            status, told = proxy.get("/reload", "POST")
            assert (status, told["error"]) == (500, f"{key}: this needs a restart")
        config.write_text(config.read_text().partition("workers")[0])
        assert "restart" in proxy.get("/reload", "POST")[1]["error"]
        # Nothing of all that was taken.
        proxy.admin = former
        assert proxy.get("/health/live")[0] == 0
        proxy.admin = other
        assert client.do("GET", "k") == b"v"


def certificate(folder: Path, name: str) -> None:
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    subject = f"-subj /CN={name} -addext subjectAltName=IP:127.0.0.1"
    command = f"{make} {subject} -keyout {folder}/key.pem -out {folder}/cert.pem"
    subprocess.run(command.split(), check=True, capture_output=True)


def name_shown(port: int, cert: Path) -> str:
    context = ssl.create_default_context(cafile=cert)
    with Caller(port) as client:
        client.sock = context.wrap_socket(client.sock, server_hostname="127.0.0.1")
        assert client.do("PING") == b"PONG"
        shown: Any = client.sock.getpeercert()
    return str(dict(pair for (pair,) in shown["subject"])["commonName"])


def test_a_reload_takes_the_new_certificate_of_the_same_file(server: Redis, tmp_path: Path) -> None:
    config, listen = tmp_path / "amb.yaml", free_port()
    cert = tmp_path / "cert.pem"
    tls = f"  tls: {{cert: {cert}, key: {tmp_path}/key.pem}}\n"
    head = f"listeners:\n- bind: 127.0.0.1:{listen}\n"
    upstream = f"upstream:\n  servers: ['127.0.0.1:{server.port}']\n"
    certificate(tmp_path, "first")
    config.write_text(head + tls + upstream)
    with Ambassador("--config", str(config), listen=False) as proxy:
        assert name_shown(listen, cert) == "first"
        certificate(tmp_path, "second")
        os.kill(proxy.pid, signal.SIGHUP)
        until(lambda: "reloaded" in proxy.log_text(), 20)
        assert name_shown(listen, cert) == "second"
        config.write_text(head + upstream)  # and none at all
        assert proxy.get("/reload", "POST")[0] == 200
        with Caller(listen) as client:
            assert client.do("PING") == b"PONG"


SLOW = """
local t = redis.call('time') local e = t[1] * 1e6 + t[2] + 2e5
repeat t = redis.call('time') until t[1] * 1e6 + t[2] > e return 1
"""


def test_what_is_counted_by_outcome_and_bytes(servers: list[Redis]) -> None:
    primary, one, _ = servers
    env = {"AMBASSADOR_SLOWLOG": "50ms"}
    with Ambassador(*replicas_of(primary, one), env=env) as proxy, proxy.call() as client:
        proxy.until_reads(one)
        before = proxy.metric("ambassador_bytes_total")
        assert client.do("SET", "k", "x" * 10_000) == b"OK"
        assert client.do("INCR", "k").startswith(b"ERR value is not an integer")
        assert len(client.do("GET", "k")) == 10_000
        assert proxy.metric("ambassador_bytes_total") - before > 20_000
        lines = proxy.get("/metrics")[1].splitlines()
        label = f'node="127.0.0.1:{primary.port}"'

        def number(kind: str, outcome: str) -> float:
            found = [
                line
                for line in lines
                if line.startswith(f'ambassador_commands_total{{class="{kind}",{label}')
                and f'outcome="{outcome}"' in line
            ]
            return float(found[0].rpartition(" ")[2])

        assert number("write", "answered") == 1
        assert number("write", "error") == 1
        assert number("write", "unknown") == 0

        client.send("EVAL", SLOW, "0")
        assert client.read() == 1
        (entry,) = [one for one in proxy.get("/slowlog")[1] if one["command"] == "EVAL"]
        assert entry["wire"] > 0.05
        assert entry["seconds"] >= entry["wire"] > entry["queue"]
        until(lambda: "slow command" in proxy.log_text(), 20)
        assert "redis.call" not in proxy.log_text()
        # Who waits for an element to come is not slow.
        assert client.do("BLPOP", "none", "0.2") is None
        assert all(one["command"] != "BLPOP" for one in proxy.get("/slowlog")[1])
