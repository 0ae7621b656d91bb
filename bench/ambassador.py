"""CPU per command of the Redis ambassador, beside nutcracker and HAProxy TCP in the same run.

    python -m bench.ambassador [--commands 200000] [--rounds 5] [--clients 50] [--size 3]
                               [--compiled]

One Redis server and redis-benchmark on the last core, each proxy on the first, one after the other
in each round. CPU is what the kernel counted for the proxy's threads while SET and GET ran, so it
holds whatever else the machine does. The targets are ratios within a round. ``--compiled`` compiles
the hot modules by mypyc in a temporary folder and measures those, too.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.compiled import compile_into
from bench.figures import Figure, report
from deploy.tools.server import free_ports
from tests.support.pinnace import until
from tests.support.redis import Redis

PEERS = ("nutcracker", "haproxy")
TARGETS = {
    ("ambassador", "nutcracker", 1): 1.25,
    ("ambassador", "nutcracker", 16): 0.80,
    ("ambassador", "haproxy", 1): 1.0,
    ("ambassador", "haproxy", 16): 2.2,
    ("compiled", "nutcracker", 1): 1.05,
    ("compiled", "nutcracker", 16): 0.40,
    ("compiled", "haproxy", 1): 0.85,
    ("compiled", "haproxy", 16): 1.1,
}
_DEPTHS = (1, 16)


class Proxy(NamedTuple):
    """A program that is measured."""

    command: Sequence[str]
    port: int
    folder: Path | None = None  # python -m looks in the present folder first


def main() -> int:
    """Measure all, print the ratios."""
    args = options()
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
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        found = proxies(redis.port, folder, is_compiled=args.compiled)
        pids = {name: stack.enter_context(started(proxy, first)) for name, proxy in found.items()}
        for _ in range(args.rounds):
            for depth in _DEPTHS:
                for name, proxy in found.items():
                    count = args.commands if depth > 1 else args.commands // 5
                    words = ["-c", str(args.clients), "-P", str(depth), "-d", str(args.size)]
                    before = cpu(pids[name])
                    load(proxy.port, last, [*words, "-n", str(count), "-r", "100000"])
                    took = (cpu(pids[name]) - before) / (2 * count) * 1e6
                    seen.setdefault((name, depth), []).append(took)
        load(found["ambassador"].port, last, ["-c", "500", "-n", "20000"])
        resident = memory(pids["ambassador"])
    for (name, depth), values in seen.items():
        middle = statistics.median(values)
        print(f"{name:<11} pipeline {depth:>2}  {middle:6.2f} us CPU per command")
    return report([*ratios(seen), Figure("resident memory, 500 connections", "MB", 32, [resident])])


def options() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="bench.ambassador")
    parser.add_argument("--commands", type=int, default=200_000, help="at pipeline 16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--size", type=int, default=3, help="of a value, in bytes")
    parser.add_argument("--compiled", action="store_true")
    return parser.parse_args()


def ratios(seen: Mapping[tuple[str, int], Sequence[float]]) -> list[Figure]:
    """Return ours by theirs, of each round."""
    figures = []
    for (own, peer, depth), target in TARGETS.items():
        if (own, depth) in seen:
            pairs = zip(seen[own, depth], seen[peer, depth], strict=True)
            values = [ours / theirs for ours, theirs in pairs]
            figures.append(Figure(f"{own} by {peer}, pipeline {depth}", "x", target, values))
    return figures


def proxies(redis: int, folder: Path, *, is_compiled: bool) -> dict[str, Proxy]:
    """Return each proxy's command line and port."""
    ports = free_ports(5)
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
    peer = ["nutcracker", "-c", str(nutcracker), "-s", str(ports[3]), "-m", "4096"]
    found = {
        "nutcracker": Proxy(peer, ports[0]),
        "haproxy": Proxy(["haproxy", "-f", str(haproxy)], ports[1]),
        "ambassador": Proxy(own(ports[2], redis), ports[2]),
    }
    if is_compiled:
        packages = folder / "packages"
        compile_into(packages)
        found["compiled"] = Proxy(own(ports[4], redis), ports[4], packages)
    return found


def own(port: int, redis: int) -> list[str]:
    """Return the ambassador's command line."""
    command = [sys.executable, "-m", "sidecar.cli", "ambassador", "redis"]
    return [*command, "--listen", f"127.0.0.1:{port}", "--primary", f"127.0.0.1:{redis}"]


@contextmanager
def started(proxy: Proxy, core: int) -> Iterator[int]:
    """Run a proxy on a core; yield its process id."""
    process = subprocess.Popen(
        proxy.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=proxy.folder
    )
    os.sched_setaffinity(process.pid, {core})
    try:
        until(lambda: b"PONG" in ping(proxy.port), 20)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def ping(port: int) -> bytes:
    """Return what a proxy answers; nutcracker forwards no PING, but answers it."""
    done = subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True, check=False)
    return done.stdout


def memory(pid: int) -> float:
    """Return the megabytes that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def load(port: int, core: int, words: Sequence[str]) -> None:
    """Run redis-benchmark's SET and GET."""
    command = ["taskset", "-c", str(core), "redis-benchmark", "-p", str(port), "-q"]
    subprocess.run([*command, "-t", "set,get", *words], check=True, capture_output=True)


def cpu(pid: int) -> float:
    """Return the seconds of CPU that a process' threads have used, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


if __name__ == "__main__":
    raise SystemExit(main())
