"""What hostile clients and forgers can do: take their own time, not other people's (F21, F23)."""

import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.dnsd import Fixed
from tests.support.namespaces import namespace
from tests.support.oracle import insist_on
from tests.support.pinnace import until

SERVICES = {"web": ["10.0.0.1"]}
NAME = "web.service.consul"


def dig(*words: str, prefix: list[str] | None = None) -> str:
    command = [*(prefix or []), "dig", "+short", "+time=5", "+tries=2", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@contextmanager
def silent_connections(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Open connections from many addresses and say nothing, or two octets and no more."""
    with ExitStack() as stack:
        opened = []
        for number in range(count):
            sock = stack.enter_context(socket.socket())
            sock.bind((f"127.0.{1 + number // 50}.1", 0))
            sock.connect(("127.0.0.1", port))
            if number % 2:
                sock.send(b"\0\x1c")
            opened.append(sock)
        yield opened


def ended(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_a_thousand_silent_connections_disturb_nobody() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    try:
        with (
            Fixed(SERVICES, tcp_idle_timeout=2.0, tcp_max_conns=600) as server,
            silent_connections(server.port, 1000) as opened,
        ):
            at = ("@127.0.0.1", "-p", str(server.port), NAME)
            assert dig(*at) == "10.0.0.1"
            assert dig(*at, "+tcp") == "10.0.0.1"
            # Over the limit those idle longest go, and who stays says nothing too long goes too.
            until(lambda: all(map(ended, opened)), 30, pause=0.1)
            assert dig(*at, "+tcp") == "10.0.0.1"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.mounts
def test_a_thousand_half_open_connections_disturb_nobody() -> None:
    insist_on("iptables", "iptables")
    rule = "iptables -A OUTPUT -p tcp --sport 8600 -d 127.0.1.0/24 -j DROP"
    script = "import socket, sys\nkept = []\n" + "\n".join(
        (
            "for n in range(1000):",
            "    s = socket.socket(); s.setblocking(False)",
            "    s.bind((f'127.0.1.{1 + n // 50}', 0)); s.connect_ex(('127.0.0.1', 8600))",
            "    kept.append(s)",
            "print('opened', flush=True); sys.stdin.read()",
        )
    )
    with (
        namespace(f"ulimit -n 4096; {rule}") as inside,
        Fixed(SERVICES, "127.0.0.1:8600", prefix=inside),
        subprocess.Popen(
            [*inside, sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as flood,
    ):
        assert flood.stdin is not None
        assert flood.stdout is not None
        try:
            assert flood.stdout.readline() == "opened\n"
            at = ("@127.0.0.1", "-p", "8600", NAME)
            assert dig(*at, prefix=inside) == "10.0.0.1"
            assert dig(*at, "+tcp", prefix=inside) == "10.0.0.1"
        finally:
            flood.stdin.close()
            flood.wait()


@pytest.mark.mounts
def test_forged_answers_are_never_believed() -> None:
    true, forged, seconds = "192.0.2.80", "203.0.113.66", 4
    addresses = "ip address add 10.9.9.9/32 dev lo && ip address add 10.9.9.10/32 dev lo"
    with (
        namespace(addresses) as inside,
        # Another of our servers plays the one that is honest.
        Fixed({"bank": [true]}, "10.9.9.10:53", prefix=inside, domain="example", alt_domain=""),
        Fixed(
            SERVICES,
            "127.0.0.1:8600",
            prefix=inside,
            recursors=["10.9.9.9:53", "10.9.9.10:53"],
            recursor_timeout=1.0,
            cache_bytes=0,
        ),
        subprocess.Popen(
            [
                *(*inside, sys.executable, "-m", "tests.support.forger", "10.9.9.9", "127.0.0.1"),
                *("bank.service.example", forged, str(seconds)),
            ],
            stdout=subprocess.PIPE,
            text=True,
        ) as forger,
    ):
        assert forger.stdout is not None
        assert forger.stdout.readline() == "begins\n"
        answers = set()
        begun = time.monotonic()
        while forger.poll() is None and time.monotonic() - begun < 60:
            answers.add(dig("@127.0.0.1", "-p", "8600", "bank.service.example", prefix=inside))
            answers.add(dig("@127.0.0.1", "-p", "8600", NAME, prefix=inside))
        sent = int(forger.stdout.readline())
    print(f"{sent / seconds:.0f} forged replies per second")
    assert sent > 100_000
    assert forged not in answers
    assert {true, "10.0.0.1"} <= answers


def test_a_flood_gets_no_more_than_its_share_and_others_are_served(tmp_path: Path) -> None:
    insist_on("dnsperf", "dnsperf")
    settings: dict[str, Any] = {
        "rrl_exempt": ["192.0.2.0/24"],
        "rrl_responses_per_second": 200,
        "rrl_slip": 0,
    }
    queries = tmp_path / "queries"
    queries.write_text(f"{NAME} A\n")
    with Fixed(SERVICES, **settings) as server:
        command = ["dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-l", "3", "-t", "1"]
        command += ["-d", str(queries)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:
            assert flood.stdout is not None
            at = ("@127.0.0.1", "-p", str(server.port), NAME)
            assert dig("-b", "127.0.9.9", *at) == "10.0.0.1"
            out = flood.stdout.read()
    sent, done, took = (
        float(re.findall(pattern, out)[0])
        for pattern in (r"Queries sent:\s+(\d+)", r"completed:\s+(\d+)", r"Run time \(s\):\s+(\S+)")
    )
    assert sent > done
    assert done <= 200 * (took + 2)
