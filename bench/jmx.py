"""What reading JVMs costs: time, processor, memory.

A JVM of 1,029 beans with 8 attributes each, and a ZooKeeper, on this machine. The exporter is
pinned to one processor, where there are two. ``--peer JAR`` runs jmx_exporter's in the same way.
Of the eight attributes one is a text, which no rule wants: it is not asked for.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import Figure, report
from deploy.tools.jvm import Beans, JmxZooKeeper, compiled, why_not
from deploy.tools.server import free_ports

BEANS = 1029
ROUNDS = 20
_TICK = os.sysconf("SC_CLK_TCK")


class Measured:
    """What some scrapes of one exporter took."""

    def __init__(self, wall: list[float], cpu: float, rss: float, series: int) -> None:
        self.wall = wall
        self.cpu = cpu
        self.rss = rss
        self.series = series


@contextmanager
def _running(command: list[str]) -> Iterator[int]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        yield process.pid
    finally:
        process.kill()
        process.wait()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _rss(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return str(answer.read().decode())


def _measure(make: Callable[[int, str], list[str]], config: str) -> Measured:
    (port,) = free_ports(1)
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(config)
        file.flush()
        with _running(make(port, file.name)) as pid:
            text = _first(port)
            for _ in range(3):
                _get(port)
            wall, before = [], _cpu(pid)
            for _ in range(ROUNDS):
                began = time.perf_counter()
                text = _get(port)
                wall.append(time.perf_counter() - began)
                time.sleep(0.2)
            cpu = (_cpu(pid) - before) / ROUNDS
            series = sum(line[:1] != "#" for line in text.splitlines())
            return Measured(wall, cpu, _rss(pid), series)


def _first(port: int) -> str:
    deadline = time.monotonic() + 30
    while True:
        try:
            return _get(port)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _ours(port: int, file: str) -> list[str]:
    program = str(Path(sys.executable).with_name("pinnace"))
    return [program, "adapter", "jmx", f"127.0.0.1:{port}", file]


def main() -> int:
    """Measure; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", metavar="JAR", default="", help="jmx_exporter's jar")
    jar = parser.parse_known_args()[0].peer
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        with Beans(compiled(Path(folder)), BEANS) as beans:
            config = f'hostPort: {beans.place}\nincludeObjectNames: ["bench:*"]\n'
            many = _measure(_ours, config + "jvmMetrics: false\n")
            peer = None
            if jar:
                peer = _measure(
                    lambda port, file: ["java", "-jar", jar, f"127.0.0.1:{port}", file], config
                )
        with JmxZooKeeper() as zookeeper:
            few = _measure(_ours, f"hostPort: {zookeeper.place}\n")
    figures = [
        Figure(f"wall, {BEANS} beans, {many.series} series", "s", 0.35, many.wall),
        Figure("processor per scrape", "s", 0.15, [many.cpu]),
        Figure("resident memory", "MB", 60, [many.rss]),
        Figure(f"resident memory with ZooKeeper, {few.series} series", "MB", 30, [few.rss]),
    ]
    status = report(figures)
    if peer is not None:
        middle = sorted(many.wall)[ROUNDS // 2], sorted(peer.wall)[ROUNDS // 2]
        print(f"peer's series {peer.series}; peer takes so many times ours:", end=" ")
        print(f"wall {middle[1] / middle[0]:.1f}, processor {peer.cpu / many.cpu:.1f},", end=" ")
        print(f"memory {peer.rss / many.rss:.1f}")
    return status


if __name__ == "__main__":
    sys.exit(main())
