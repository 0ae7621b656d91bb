"""dnsd beside Consul 1.8.7, dnsmasq and Unbound, and the figures that have no peer.

    python -m bench.dnsd_peers [--seconds 4] [--only peers|tcp|latency|churn|freshness|memory]

Every server runs on the first core, dnsperf (or our own pipelining client) on the last. CPU is the
server's user and system time while it was loaded, so it holds on a busy machine; rates do not.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.figures import Figure, report
from deploy.tools.consul import Consul, Unavailable
from deploy.tools.server import free_ports

SERVICES, INSTANCES = 100, 10
CORES = sorted(os.sched_getaffinity(0))
TICK = os.sysconf("SC_CLK_TCK")


class Peer(NamedTuple):
    """A running server."""

    name: str
    port: int
    pid: int


class Load(NamedTuple):
    """What a load did."""

    rate: float
    cpu: float  # microseconds a query
    p99: float  # milliseconds


def main() -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="bench.dnsd_peers")
    parser.add_argument("--seconds", type=int, default=4, choices=range(1, 11))
    parser.add_argument("--only", choices=list(PARTS))
    args = parser.parse_args()
    if shutil.which("dnsperf") is None:
        print("dnsperf is absent: nothing measured (Debian package: dnsperf)")
        return 1
    figures = [f for name in ([args.only] if args.only else PARTS) for f in PARTS[name](args)]
    return report(figures)


def addresses(service: int) -> Iterator[str]:
    """Yield the addresses of a service."""
    return (f"10.{service >> 8}.{service & 255}.{n + 1}" for n in range(INSTANCES))


def names() -> Iterator[str]:
    """Yield dnsperf's input."""
    return (f"svc-{service}.service.consul A\n" for service in range(SERVICES))


def cpu_of(pid: int) -> float:
    """Return the seconds that a process used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def on_first_core(*command: object) -> list[str]:
    return ["taskset", "-c", str(CORES[0]), *map(str, command)]


def load(peer: Peer, seconds: int, *, limit: float = 0.0) -> Load:
    """Load a server with questions, at most ``limit`` a second."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as queries:
        queries.writelines(names())
        queries.flush()
        command = ["dnsperf", "-s", "127.0.0.1", "-p", str(peer.port), "-d", queries.name, "-e"]
        command += ["-l", str(seconds), "-c", "4", *(["-Q", f"{limit:.0f}", "-v"] if limit else [])]
        before = cpu_of(peer.pid)
        done = subprocess.run(
            ["taskset", "-c", str(CORES[-1]), *command], capture_output=True, text=True, check=True
        )
        used = cpu_of(peer.pid) - before
    completed = int(re.findall(r"completed:\s+(\d+)", done.stdout)[0])
    rate = float(re.findall(r"per second:\s+([\d.]+)", done.stdout)[0])
    took = sorted(float(line.split()[-1]) for line in done.stdout.splitlines() if line[:2] == "> ")
    p99 = took[int(len(took) * 0.99)] * 1000 if took else 0.0
    return Load(rate, used / max(completed, 1) * 1e6, p99)


# --- servers ---------------------------------------------------------------------------------


@contextmanager
def started(name: str, port: int, *command: object, ours: bool = False) -> Iterator[Peer]:
    """Run a server until it answers, end it at the end."""
    process = subprocess.Popen(
        on_first_core(*command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if ours else subprocess.DEVNULL,
        stderr=None if ours else subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    try:
        if ours:
            assert process.stdout is not None
            port = int(process.stdout.readline())
        until_answered(port)
        yield Peer(name, port, process.pid)
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(10)


def until_answered(port: int) -> None:
    """Wait until a server knows our names."""
    command = ["dig", "@127.0.0.1", "-p", str(port), "+short", "+time=1", "+tries=1"]
    for _ in range(100):
        out = subprocess.run(
            [*command, "svc-7.service.consul"], capture_output=True, text=True, check=False
        ).stdout
        if "10.0.7." in out:
            return
        time.sleep(0.1)
    raise RuntimeError(f"nobody answers on port {port}")


@contextmanager
def dnsd(*words: str) -> Iterator[Peer]:
    """Run our own server."""
    shape = ("--services", str(SERVICES), "--instances", str(INSTANCES))
    command = (sys.executable, "-m", "bench.dnsd", "--serve", *shape, *words)
    with started("dnsd", 0, *command, ours=True) as peer:
        yield peer


@contextmanager
def dnsmasq() -> Iterator[Peer]:
    """Serve the names from a hosts file."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        hosts = Path(folder) / "hosts"
        hosts.write_text(
            "".join(f"{a} svc-{s}.service.consul\n" for s in range(SERVICES) for a in addresses(s))
        )
        os.chmod(folder, 0o755)
        words = ("--keep-in-foreground", "--no-hosts", "--no-resolv", "--user=root", "--pid-file")
        with started(
            *("dnsmasq", port, "dnsmasq", *words, f"--port={port}", f"--addn-hosts={hosts}"),
            *("--listen-address=127.0.0.1", "--bind-interfaces", "--conf-file=/dev/null"),
        ) as peer:
            yield peer


@contextmanager
def unbound() -> Iterator[Peer]:
    """Serve the names as local data."""
    (port,) = free_ports(1)
    data = "".join(
        f'local-data: "svc-{s}.service.consul. 0 A {a}"\n'
        for s in range(SERVICES)
        for a in addresses(s)
    )
    own = f"""server:
interface: 127.0.0.1
port: {port}
num-threads: 1
chroot: ""
username: ""
pidfile: ""
use-syslog: no
logfile: "/dev/null"
module-config: "iterator"
rrset-roundrobin: yes
local-zone: "consul." static
{data}remote-control:
control-enable: no
"""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write(own)
        config.flush()
        with started("unbound", port, "unbound", "-d", "-c", config.name) as peer:
            yield peer


def register(url: str, body: dict[str, object]) -> None:
    """Register a service with Consul."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/v1/agent/service/register", data=data, method="PUT")
    urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def consul() -> Iterator[Peer]:
    """Run Consul 1.8.7, told to answer as much as we do."""
    told = {"dns_config": {"udp_answer_limit": 100, "enable_truncate": True}}
    with Consul(config=told) as agent:
        subprocess.run(
            ["taskset", "-a", "-p", "-c", str(CORES[0]), str(agent.pid)],
            check=True,
            capture_output=True,
        )
        for service in range(SERVICES):
            for number, address in enumerate(addresses(service)):
                body = {"ID": f"{service}-{number}", "Name": f"svc-{service}", "Port": 80}
                register(agent.url, body | {"Address": address})
        until_answered(agent.ports["dns"])
        yield Peer("consul", agent.ports["dns"], agent.pid)


# --- figures ---------------------------------------------------------------------------------


def peers(args: argparse.Namespace) -> list[Figure]:
    """CPU per query, one after the other, twice."""
    makers = {"dnsd": dnsd, "consul": consul, "dnsmasq": dnsmasq, "unbound": unbound}
    seen: dict[str, list[Load]] = {}
    for _ in range(2):
        for name, make in makers.items():
            try:
                with make() as peer:
                    load(peer, 1)
                    found = load(peer, args.seconds)
            except (OSError, Unavailable) as error:
                print(f"{name}: not measured: {error}")
                continue
            seen.setdefault(name, []).append(found)
            print(f"{name:8} {found.rate:8.0f} q/s {found.cpu:7.2f} us CPU/query", flush=True)
    best = {name: min(one.cpu for one in loads) for name, loads in seen.items()}
    wanted = {"consul": 1 / 5, "dnsmasq": 1 / 2, "unbound": 1 / 0.7}
    figures = [
        Figure(f"CPU per query, share of {name}'s", "", share, [best["dnsd"] / best[name]])
        for name, share in wanted.items()
        if name in best
    ]
    rate = max(one.rate for one in seen["dnsd"])
    return [*figures, Figure("microseconds between replies (80,000 q/s)", "us", 12.5, [1e6 / rate])]


def tcp(args: argparse.Namespace) -> list[Figure]:
    """Pipelined queries over four connections, by a client that counts octets."""
    with dnsd() as peer:
        before = cpu_of(peer.pid)
        command = [sys.executable, "-m", "bench.dnsd_peers", "--pipeline", str(peer.port)]
        done = subprocess.run(
            ["taskset", "-c", str(CORES[-1]), *command, "--seconds", str(args.seconds)],
            capture_output=True,
            text=True,
            check=True,
        )
        count = int(done.stdout)
        cpu = (cpu_of(peer.pid) - before) / count * 1e6
    print(f"pipelined {count / args.seconds:8.0f} q/s {cpu:7.2f} us CPU/query")
    return [Figure("us between TCP replies (100,000 q/s)", "us", 10, [args.seconds / count * 1e6])]


def pipeline(port: int, seconds: int) -> int:
    """Return how many replies came."""
    name = b"".join(bytes((len(p),)) + p for p in b"svc-7.service.consul".split(b".")) + b"\0"
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1"
    block = (len(query).to_bytes(2) + query) * 200
    size = 2 + len(query) + 16 * INSTANCES
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
    octets, end = 0, time.monotonic() + seconds
    for connection in connections:
        connection.sendall(block)
    while time.monotonic() < end:
        for connection in connections:
            connection.sendall(block)
            left = 200 * size
            while left:
                left -= len(connection.recv(min(left, 1 << 18)))
            octets += 200 * size
    return octets // size


def latency(args: argparse.Namespace) -> list[Figure]:
    """Return the 99th percentile at half of the most that is answered.

    Unbound at the same rate shows how much of it is the machine's own.
    """
    with dnsd() as peer:
        most = load(peer, 2).rate
        p99s = [load(peer, args.seconds, limit=most / 2).p99 for _ in range(3)]
    with unbound() as peer:
        theirs = [load(peer, args.seconds, limit=most / 2).p99 for _ in range(3)]
    print(f"at {most / 2:.0f} q/s: unbound's p99 {sorted(theirs)[1]:.2f} ms")
    return [Figure("p99 at half load", "ms", 2.0, p99s)]


def churn(args: argparse.Namespace) -> list[Figure]:
    """CPU per query while 10 of 10,000 instances change each second, beside a quiet catalogue."""
    shape = ("--services", "1000", "--instances", "10")
    with dnsd(*shape) as peer:
        quiet = [load(peer, args.seconds) for _ in range(2)]
    with dnsd(*shape, "--changes", "10") as peer:
        busy = [load(peer, args.seconds) for _ in range(2)]
    share = min(one.cpu for one in quiet) / min(one.cpu for one in busy)
    rates = max(one.rate for one in busy) / max(one.rate for one in quiet)
    print(f"churn: {rates:.0%} of the quiet rate, {share:.0%} by CPU")
    return [Figure("CPU per query while it changes, times the quiet one", "", 2.0, [1 / share])]


def freshness(_: argparse.Namespace) -> list[Figure]:
    """Milliseconds from a commit to the first answer that has it, while queries go on."""
    from bench.dnsd_fresh import measure  # noqa: PLC0415

    took = sorted(measure(200))
    p99 = took[int(len(took) * 0.99)]
    print(f"change to answer: median {took[100]:.2f} ms, p99 {p99:.2f} ms, worst {took[-1]:.2f} ms")
    return [Figure("change to new answer, p99", "ms", 50, [p99])]


def memory(_: argparse.Namespace) -> list[Figure]:
    """Resident megabytes of dnsd alone with 1,000 instances, on a real Consul and as a worker."""
    from bench.dnsd_fresh import alone_memory  # noqa: PLC0415

    return alone_memory()


PARTS: dict[str, Callable[[argparse.Namespace], list[Figure]]] = {
    "peers": peers,
    "tcp": tcp,
    "latency": latency,
    "churn": churn,
    "freshness": freshness,
    "memory": memory,
}


if __name__ == "__main__":
    if "--pipeline" in sys.argv:
        print(pipeline(int(sys.argv[2]), int(sys.argv[4])))
        sys.exit(0)
    sys.exit(main())
