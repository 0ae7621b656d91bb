"""From a change in the catalogue to live in HAProxy, and what it costs, beside its peers.

Ours is ``pinnace up``; a service's endpoint gets another port through the HTTP API, and what runs
is read from HAProxy's own socket until it is there. consul-template, from the same API, and confd,
from the same key-value store, render the same routes and reload a HAProxy of their own. Then, in
this process, a thousand endpoints change in one commit.
"""

import argparse
import asyncio
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.figures import Figure, report
from bench.lb_peers import HEAD, confd, consul_template, peer_haproxy, told
from sidecar.catalog.changes import Put
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, InstanceId
from sidecar.config.model import LbSettings
from sidecar.runtime import log
from templater.component import LoadBalancer
from templater.telemetry import APPLIES
from tests.support.pinnace import Pinnace, until
from tests.support.ports import free_port

TICKS: Final = os.sysconf("SC_CLK_TCK")


class Api:
    """The HTTP API, on one connection."""

    def __init__(self, port: int) -> None:
        """Ask the program on a port."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def put(self, path: str, body: str) -> None:
        """Write something."""
        self._connection.request("PUT", path, body)
        answer = self._connection.getresponse()
        words = answer.read()
        assert answer.status == 200, words

    def service(self, service: int, number: int, port: int) -> None:
        """Enter an endpoint."""
        body = {"Name": f"svc{service}", "ID": f"svc{service}-{number}", "Port": port,
                "Address": f"10.{service // 250}.{service % 250}.{number}"}  # fmt: skip
        self.put("/v1/agent/service/register?replace-existing-checks=true", json.dumps(body))

    def key(self, service: int, number: int, port: int) -> None:
        """Enter the same as a key, for confd."""
        value = f"10.{service // 250}.{service % 250}.{number}:{port}"
        self.put(f"/v1/kv/lb/svc{service}/{number}", value)


def seen(path: Path, service: int, port: int, limit: float = 30) -> float:
    """Return when an endpoint with this port runs."""
    line, needle = f"show servers state http.svc{service}", f" {port} "
    end = time.monotonic() + limit
    while needle not in told(path, line):
        if time.monotonic() > end:
            raise TimeoutError(f"no port{needle}in {limit} s")
    return time.monotonic()


def cpu(pid: int) -> float:
    """Return the seconds a process and its ended children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def changes(
    enter: Callable[[int, int, int], None], path: Path, pids: Callable[[], list[int]],
    options: argparse.Namespace, first: int,
) -> tuple[list[float], list[float], float]:  # fmt: skip
    """Change endpoints one by one; return ms from sent and from accepted, and CPU ms for each.

    What is not live after some seconds is missing there.
    """
    from_sent, from_accepted = [], []
    before = {pid: cpu(pid) for pid in pids()}
    for number in range(options.changes):
        service, port = number % options.services, first + number
        sent = time.monotonic()
        enter(service, number % options.endpoints, port)
        accepted = time.monotonic()
        try:
            live = seen(path, service, port, 5)
        except TimeoutError:
            continue
        from_sent.append((live - sent) * 1e3)
        from_accepted.append(max(0.0, live - accepted) * 1e3)
        time.sleep(options.pause)
    used = sum(cpu(pid) - before.get(pid, 0.0) for pid in pids())
    return from_sent, from_accepted, used * 1e3 / options.changes


def peer(
    name: str, command: Callable[[Path, int, str, int], list[str]], pinnace: Pinnace,
    options: argparse.Namespace,
) -> None:  # fmt: skip
    """Measure a peer, if it is there."""
    program = shutil.which(name)
    if program is None:
        print(f"{name}: not in PATH, left out")
        return
    api = Api(pinnace.http_port)
    enter = api.key if name == "confd" else api.service
    with tempfile.TemporaryDirectory(prefix="pnc-") as text:
        folder = Path(text)
        words = command(folder, pinnace.http_port, program, options.services)
        with peer_haproxy(folder, HEAD.format(port=free_port())) as haproxy:
            reload = folder / "reload"
            reload.write_text(f"#!/bin/sh\nkill -USR2 {haproxy.pid}\n")
            reload.chmod(0o755)
            process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
            try:
                until(lambda: "svc0" in told(folder / "admin.sock", "show servers state"), 60, 0.1)
                time.sleep(1)
                pids = lambda: [process.pid, haproxy.pid]  # noqa: E731
                sent, _, used = changes(enter, folder / "admin.sock", pids, options, 40000)
            finally:
                process.kill()
                process.wait()
    print(
        f"{name} and a reload: sent to live, median {statistics.median(sent):.1f} ms, worst "
        f"{max(sent):.1f} ms, {options.changes - len(sent)} not live after 5 s, "
        f"CPU {used:.1f} ms a change with HAProxy"
    )


def served(options: argparse.Namespace) -> list[Figure]:
    """Measure ``pinnace up`` and its peers."""
    with tempfile.TemporaryDirectory(prefix="pnc-") as folder:
        # consul-template keeps a connection for each service.
        env = {"PINNACE_LB__DIR": folder, "PINNACE_HTTP__MAX_CONNECTIONS": "0"}
        with Pinnace("unix:///nowhere", env=env, wait=False) as pinnace:
            until(lambda: pinnace.get("/healthz")[0] == 200)
            api, path = Api(pinnace.http_port), Path(folder) / "admin.sock"
            for service in range(options.services):
                for number in range(options.endpoints):
                    api.service(service, number, 10000 + number)
                    if "confd" in options.peers:
                        api.key(service, number, 10000 + number)
            seen(path, options.services - 1, 10000 + options.endpoints - 1, 60)
            time.sleep(2)
            sent, accepted, used = changes(api.service, path, lambda: [pinnace.pid], options, 30000)
            deciles = statistics.quantiles(accepted, n=20)
            print(f"pinnace: sent to live, median {statistics.median(sent):.1f} ms, "
                  f"worst {max(sent):.1f} ms")  # fmt: skip
            for name, command in (("consul-template", consul_template), ("confd", confd)):
                if name in options.peers:
                    peer(name, command, pinnace, options)
    size = f"{options.services} x {options.endpoints}"
    return [
        Figure(f"accepted -> live, {size} endpoints, p50", "ms", 5, accepted),
        Figure(f"accepted -> live, {size} endpoints, p95", "ms", 20, [deciles[18]]),
        Figure(f"CPU of a change, {size} endpoints", "ms", 5, [used]),
    ]


async def at_once(options: argparse.Namespace) -> list[Figure]:
    """Measure a thousand changes in one commit."""
    services, each = 200, 5

    def put(service: int, number: int, port: int) -> Put:
        return Put(
            Instance(
                id=InstanceId(f"{service}-{number}"), service=f"svc{service}", node="n",
                address=f"10.0.{service}.{number}", port=port,
            )
        )  # fmt: skip

    catalog = Catalog()
    catalog.commit(put(s, n, 10000) for s in range(services) for n in range(10))
    catalog.mark_synced()
    times = []
    with tempfile.TemporaryDirectory(prefix="pnc-") as folder:
        settings = LbSettings(listen=f"127.0.0.1:{free_port()}", dir=folder, drain=0.0)
        lb = LoadBalancer(catalog, settings, domains=("consul", "pinnace"))
        async with asyncio.TaskGroup() as group:
            ready = asyncio.Event()
            running = group.create_task(lb.run(ready.set))
            await ready.wait()
            await asyncio.sleep(1)
            for turn in range(options.turns):
                port = 20000 + turn
                watch = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "bench.lb_live", "--watch", f"{folder}/admin.sock",
                    str(port), str(services), stdout=asyncio.subprocess.PIPE,
                )  # fmt: skip
                assert watch.stdout is not None
                await watch.stdout.readline()
                known = APPLIES.labels("runtime").value
                catalog.commit([put(s, n, port) for s in range(services) for n in range(each)])
                began = time.monotonic()
                seen_at = float(await watch.stdout.readline())
                await watch.wait()
                assert APPLIES.labels("runtime").value == known + 1
                times.append((seen_at - began) * 1e3)
            running.cancel()
    return [Figure(f"{services * each} endpoints at once, committed -> all live", "ms", 100, times)]


def watch(path: Path, port: int, services: int) -> None:
    """Tell when the last of the services has a port (in a process of its own)."""
    last = max(range(services), key=lambda number: f"svc{number}")
    print("watching", flush=True)
    at = seen(path, last, port)
    for service in range(services):
        seen(path, service, port, 1)
    print(at, flush=True)


def main() -> int:
    """Run all."""
    log.configure("text", "warning")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--endpoints", type=int, default=10)
    parser.add_argument("--changes", type=int, default=100, help="of each program")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two")
    parser.add_argument("--turns", type=int, default=10, help="of a thousand changes at once")
    parser.add_argument("--peers", nargs="*", default=["consul-template", "confd"])
    parser.add_argument("--watch", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch:
        watch(Path(options.watch[0]), int(options.watch[1]), int(options.watch[2]))
        return 0
    return report([*served(options), *asyncio.run(at_once(options))])


if __name__ == "__main__":
    sys.exit(main())
