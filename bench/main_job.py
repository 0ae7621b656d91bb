"""The main job's figures on a private Docker engine and a real HAProxy.

Every container is started by the docker command line with ``-P``; the clock starts when that
command has returned.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from bench.figures import Figure, report
from deploy.tools.engine import PrivateEngine
from tests.support.pinnace import Pinnace, until

TICKS = os.sysconf("SC_CLK_TCK")
MANY = 100


def start(engine: PrivateEngine, name: str) -> str:
    """Start one web container, return its host name."""
    return engine.docker(
        "run", "-d", "-P", "--name", name, "--hostname", name, "-e", "SERVICE_NAME=web", "web"
    )


def port_of(engine: PrivateEngine, name: str) -> int:
    """Return the published port."""
    return int(engine.docker("port", name, "80/tcp").splitlines()[0].rpartition(":")[2])


def starts_and_removals(engine: PrivateEngine, pinnace: Pinnace, rounds: int) -> list[Figure]:
    """Measure each event on its own, with three more containers running."""
    for number in range(3):
        start(engine, f"base{number}")
    to_dns, to_proxy, gone_dns, gone_proxy = [], [], [], []
    for number in range(rounds):
        name = f"probe{number}"
        start(engine, name)
        begun = time.perf_counter()
        until(lambda: len(pinnace.srv_ports("web")) == 4)
        to_dns.append((time.perf_counter() - begun) * 1e3)
        until(lambda: pinnace.fetch("web.localhost") == (200, name))  # noqa: B023
        to_proxy.append((time.perf_counter() - begun) * 1e3)
        engine.docker("rm", "-f", name)
        begun = time.perf_counter()
        until(lambda: len(pinnace.srv_ports("web")) == 3)
        gone_dns.append((time.perf_counter() - begun) * 1e3)
        until(lambda: name not in pinnace.bodies("web.localhost", 4))  # noqa: B023
        gone_proxy.append((time.perf_counter() - begun) * 1e3)
    for number in range(3):
        engine.docker("rm", "-f", f"base{number}")
    return [
        Figure("docker run returned -> in the SRV answer", "ms", 25, to_dns),
        Figure("docker run returned -> HAProxy sends it traffic", "ms", 40, to_proxy),
        Figure("docker rm -f returned -> gone from DNS", "ms", 150, gone_dns),
        Figure("docker rm -f returned -> gone from HAProxy", "ms", 150, gone_proxy),
    ]


def idle(engine: PrivateEngine, pinnace: Pinnace, seconds: float) -> list[Figure]:
    """Measure memory and CPU with five containers and nothing to do."""
    for number in range(5):
        start(engine, f"idle{number}")
    until(lambda: len(pinnace.srv_ports("web")) == 5)
    time.sleep(2)
    before, begun = cpu_seconds(pinnace.pid), time.perf_counter()
    time.sleep(seconds)
    used = (cpu_seconds(pinnace.pid) - before) / (time.perf_counter() - begun) * 100
    for number in range(5):
        engine.docker("rm", "-f", f"idle{number}")
    return [
        Figure("idle with 5 containers: RSS of pinnace", "MB", 50, [rss(pinnace.pid)]),
        Figure("idle with 5 containers: CPU of pinnace", "%", 0.5, [used]),
    ]


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss(pid: int) -> float:
    """Return resident memory in MB (10^6 bytes)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def many_at_start(engine: PrivateEngine) -> list[Figure]:
    """Measure the start with a hundred containers running, and without one."""
    names = [f"many{number}" for number in range(MANY)]
    for name in names:
        start(engine, name)
    with Pinnace(engine.url, wait=False) as pinnace:
        until(lambda: pinnace.log_time("synced") is not None)
        took = (pinnace.log_time("synced") or 0) - (
            pinnace.log_time("docker engine connected") or 0
        )
        until(lambda: len(pinnace.instances("web")) == MANY)
    engine.docker("rm", "-f", *names)
    return [Figure(f"{MANY} containers registered after the first engine answer", "s", 1, [took])]


def start_up(engine: PrivateEngine, rounds: int) -> list[Figure]:
    """Measure /readyz after the start of the process, and --version."""
    ready, version = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        with Pinnace(engine.url, wait=False) as pinnace:
            until(pinnace.is_ready)
            ready.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        subprocess.run([str(Path(sys.executable).with_name("pinnace")), "--version"], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        version.append((time.perf_counter() - begun) * 1e3)
    return [
        Figure("/readyz after the start", "s", 0.5, ready),
        Figure("pinnace --version", "ms", 80, version),
    ]


def main() -> int:
    """Run everything and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="starts and removals (30)")
    parser.add_argument("--idle", type=float, default=20, help="seconds of idling (20)")
    options = parser.parse_args()
    with PrivateEngine() as engine:
        engine.build_images("web")
        with Pinnace(engine.url) as pinnace:
            figures = starts_and_removals(engine, pinnace, options.rounds)
            figures += idle(engine, pinnace, options.idle)
        figures += many_at_start(engine)
        figures += start_up(engine, 5)
    return report(figures)


if __name__ == "__main__":
    sys.exit(main())
