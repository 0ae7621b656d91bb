"""CPU per command of the Redis ambassador, beside nutcracker and HAProxy TCP in the same run.

    python -m bench.ambassador [--commands 200000] [--rounds 3] [--clients 50] [--folder FOLDER]

One Redis server and redis-benchmark on the last core, each proxy on the first, one after the other
in each round. CPU is the proxy's user and system time while SET and GET ran, so it holds whatever
else the machine does. The targets are ratios. ``--folder`` has packages to use instead of the
repository's, for example compiled ones.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.figures import Figure, report
from deploy.tools.server import free_ports
from tests.support.pinnace import until
from tests.support.redis import Redis

PEERS = ("nutcracker", "haproxy")
TARGETS = {
    ("nutcracker", 1): 1.25,
    ("nutcracker", 16): 0.80,
    ("haproxy", 1): 1.0,
    ("haproxy", 16): 2.2,
}
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure all, print the ratios."""
    parser = argparse.ArgumentParser(prog="bench.ambassador")
    parser.add_argument("--commands", type=int, default=200_000, help="at pipeline 16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--folder", default="")
    args = parser.parse_args()
    absent = [name for name in (*PEERS, "redis-benchmark") if shutil.which(name) is None]
    if absent:
        print(f"absent: {', '.join(absent)}: nothing measured")
        return 1
    cores = os.sched_getaffinity(0)
    first, last = min(cores), max(cores)
    seen: dict[tuple[str, int], list[float]] = {}
    with ExitStack() as stack:
        redis = stack.enter_context(Redis())
        os.sched_setaffinity(redis.pid, {last})
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        proxies = {
            name: stack.enter_context(started(command, first, port, args.folder))
            for name, (command, port) in commands(redis.port, Path(folder)).items()
        }
        for _ in range(args.rounds):
            for depth in (1, 16):
                for name, (pid, port) in proxies.items():
                    count = args.commands if depth > 1 else args.commands // 5
                    took = measure(pid, port, last, depth, count, args.clients)
                    seen.setdefault((name, depth), []).append(took)
        resident = memory(proxies["ambassador"], last)
    for (name, depth), values in seen.items():
        middle = statistics.median(values)
        print(f"{name:<11} pipeline {depth:>2}  {middle:6.2f} us CPU per command")
    figures = []
    for (peer, depth), target in TARGETS.items():
        pairs = zip(seen["ambassador", depth], seen[peer, depth], strict=True)
        ratios = [ours / theirs for ours, theirs in pairs]
        figures.append(Figure(f"CPU beside {peer}, pipeline {depth}", "x", target, ratios))
    figures.append(Figure("resident memory with 500 connections", "MB", 32, [resident]))
    return report(figures)


def commands(redis: int, folder: Path) -> dict[str, tuple[Sequence[str], int]]:
    """Return each proxy's command line and port."""
    ports = free_ports(4)
    nutcracker, haproxy = folder / "nutcracker.yml", folder / "haproxy.cfg"
    nutcracker.write_text(
        f"pool:\n  listen: 127.0.0.1:{ports[0]}\n  hash: fnv1a_64\n  distribution: ketama\n"
        f"  redis: true\n  servers:\n   - 127.0.0.1:{redis}:1\n"
    )
    haproxy.write_text(
        "global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 1s\n"
        "  timeout client 60s\n  timeout server 60s\n"
        f"listen redis\n  bind 127.0.0.1:{ports[1]}\n  server one 127.0.0.1:{redis}\n"
    )
    own = [sys.executable, "-m", "sidecar.cli", "ambassador", "redis"]
    own += ["--listen", f"127.0.0.1:{ports[2]}", "--primary", f"127.0.0.1:{redis}"]
    peer = ["nutcracker", "-c", str(nutcracker), "-s", str(ports[3]), "-m", "4096"]
    return {
        "nutcracker": (peer, ports[0]),
        "haproxy": (["haproxy", "-f", str(haproxy)], ports[1]),
        "ambassador": (own, ports[2]),
    }


@contextmanager
def started(command: Sequence[str], core: int, port: int, folder: str) -> Iterator[tuple[int, int]]:
    """Run a proxy on a core; yield its process id and port."""
    # ``python -m`` looks in the present folder first.
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder or None
    )
    os.sched_setaffinity(process.pid, {core})
    try:
        until(lambda: b"PONG" in ping(port), 20)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(10)


def ping(port: int) -> bytes:
    """Return what a proxy answers; nutcracker forwards no PING, but answers it."""
    done = subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True, check=False)
    return done.stdout


def measure(pid: int, port: int, core: int, depth: int, count: int, clients: int) -> float:
    """Return microseconds of CPU per command."""
    before = cpu(pid)
    load(port, core, ["-c", str(clients), "-P", str(depth), "-n", str(count), "-r", "100000"])
    return (cpu(pid) - before) / (2 * count) * 1e6


def memory(proxy: tuple[int, int], core: int) -> float:
    """Return megabytes while 500 clients are connected."""
    pid, port = proxy
    load(port, core, ["-c", "500", "-n", "20000"])
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def load(port: int, core: int, words: Sequence[str]) -> None:
    """Run redis-benchmark's SET and GET."""
    command = [
        "taskset",
        "-c",
        str(core),
        "redis-benchmark",
        "-p",
        str(port),
        "-q",
        "-t",
        "set,get",
    ]
    subprocess.run([*command, "-t", "set,get", *words], check=True, capture_output=True)


def cpu(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    raise SystemExit(main())
