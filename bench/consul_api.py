"""Consul's HTTP API: ours beside the real 1.8.7 in one run.

Requests per second and CPU of the server process per request, one keep-alive connection after
another request, the load generator on a core of its own; then many blocking readers on one
service: how long until all know a change, and what they cost, one that never reads among them;
then one that asks for a lot and never reads.
"""

import argparse
import http.client
import json
import os
import selectors
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deploy.tools.consul import Consul
from tests.support.pinnace import Pinnace, until

TICKS = os.sysconf("SC_CLK_TCK")
CONNECTIONS = 8
SERVICES, INSTANCES = 100, 10
MANY = {"PINNACE_HTTP__MAX_CONNECTIONS": "4096"}
WIDE = {"limits": {"http_max_conns_per_client": 4096}}


@dataclass(frozen=True)
class Server:
    """A running side."""

    name: str
    port: int
    pid: int

    @property
    def cpu(self) -> float:
        """Seconds of CPU used so far."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def rss(self) -> float:
        """Resident memory in MB."""
        with open(f"/proc/{self.pid}/status") as file:
            line = next(each for each in file if each.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


@contextmanager
def serving(side: str) -> Iterator[Server]:
    """Run one side, its process on the first core."""
    if side == "consul":
        with Consul(dev=False, config=WIDE) as consul:
            yield _pinned(Server("consul 1.8.7", consul.ports["http"], consul.pid))
    else:
        with Pinnace("unix:///nowhere", lb=False, wait=False, env=MANY) as pinnace:
            until(lambda: pinnace.get("/healthz")[0] == 200)  # never ready: there is no engine
            yield _pinned(Server("pinnace", pinnace.http_port, pinnace.pid))


def _pinned(server: Server) -> Server:
    for task in os.listdir(f"/proc/{server.pid}/task"):
        os.sched_setaffinity(int(task), {0})
    return server


def message(method: str, path: str, body: bytes = b"") -> bytes:
    """Return a request as bytes."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{length}\r\n".encode() + body


class Connection:
    """A keep-alive connection that knows where an answer ends."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        """Send a request."""
        self.socket.sendall(data)

    def receive(self) -> bytes | None:
        """Take what is there; return the whole answer's head when it is complete."""
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("closed")
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            complete = body.endswith(b"0\r\n\r\n")
        else:
            length = lower.partition(b"content-length:")[2].partition(b"\r\n")[0]
            complete = len(body) >= int(length or 0)
        if not complete:
            return None
        self._buffer = b""
        return head

    def ask(self, data: bytes) -> bytes:
        """Send a request and wait for its answer."""
        self.send(data)
        while (head := self.receive()) is None:
            pass
        return head


def rate(server: Server, request: Callable[[int], bytes], seconds: float) -> tuple[float, float]:
    """Return requests per second and microseconds of server CPU per request."""
    connections = [Connection(server.port) for _ in range(CONNECTIONS)]
    count, answered = 0, 0
    with selectors.DefaultSelector() as ready:
        for connection in connections:
            ready.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(request(count))
            count += 1
        cpu, begun = server.cpu, time.perf_counter()
        while (took := time.perf_counter() - begun) < seconds:
            for key, _ in ready.select(1):
                head = key.data.receive()
                if head is None:
                    continue
                if b" 200 " not in head[:16]:
                    raise RuntimeError(f"{server.name}: {head!r}")
                answered += 1
                key.data.send(request(count))
                count += 1
        cpu = server.cpu - cpu
    for connection in connections:
        connection.socket.close()
    return answered / took, cpu / answered * 1e6


def registration(service: int, number: int, port: int = 80) -> bytes:
    """Return a request that registers one instance with a check."""
    body = {
        "Name": f"web{service}" if service else "web",
        "ID": f"web{service}-{number}",
        "Port": port,
        "Tags": ["v1", "prod"],
        "Meta": {"zone": "eu-1"},
        "Check": {"TTL": "60m", "Status": "passing"},
    }
    return message("PUT", "/v1/agent/service/register", json.dumps(body).encode())


READ = message("GET", "/v1/health/service/web?passing")
LOADS: dict[str, Callable[[int], bytes]] = {
    "GET health/service/web?passing": lambda _: READ,
    "PUT agent/service/register": lambda n: registration(n % 100 + 1, n % 10, n % 60000 + 1),
    "PUT kv": lambda n: message("PUT", f"/v1/kv/bench/{n % 100}", b"value %d" % n),
    "GET kv": lambda n: message("GET", f"/v1/kv/bench/{n % 100}"),
}


def fill(server: Server) -> None:
    """Register all services, wait until they are listed."""
    connection = Connection(server.port)
    for service in range(SERVICES):
        for number in range(INSTANCES):
            connection.ask(registration(service, number))
    last = f"/v1/health/service/web{SERVICES - 1}"
    until(lambda: count_of(server, last) == INSTANCES, 60, 0.1)
    connection.socket.close()


def count_of(server: Server, path: str) -> int:
    """Return how many entries a listing has."""
    return len(read(server, path)[1])


def read(server: Server, path: str) -> tuple[int, Any]:
    """Return index and decoded body, without a limit on how long it takes."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return int(response.headers["X-Consul-Index"]), body


def blocked(server: Server, readers: int, rounds: int) -> dict[str, float]:
    """Return wake times (ms), memory growth (MB) with readers, one of which never reads."""
    path = "/v1/health/service/web"
    before = server.rss
    connections = [Connection(server.port) for _ in range(readers)]
    slow = Connection(server.port)
    changer = Connection(server.port)
    woken: list[float] = []
    grown = 0.0
    with selectors.DefaultSelector() as ready:
        for connection in connections:
            ready.register(connection.socket, selectors.EVENT_READ, connection)
        for number in range(rounds):
            index, _ = read(server, path)
            again = message("GET", f"{path}?index={index}&wait=60s")
            for connection in connections:
                connection.send(again)
            slow.send(again)  # its answers pile up unread
            time.sleep(1.0)
            grown = server.rss - before
            begun = time.perf_counter()
            changer.send(registration(0, 0, 1000 + number))
            waiting = readers
            while waiting:
                events = ready.select(10)
                if not events:
                    raise RuntimeError(f"{server.name}: {waiting} readers never woke")
                for key, _ in events:
                    if key.data.receive() is not None:
                        waiting -= 1
                        woken.append((time.perf_counter() - begun) * 1e3)
            changer.receive()
    for connection in (*connections, slow, changer):
        connection.socket.close()
    woken.sort()
    return {
        "wake p50 ms": statistics.median(woken),
        "wake p99 ms": woken[int(len(woken) * 0.99)],
        "RSS growth MB": grown,
        "RSS at the end MB": server.rss,
    }


def is_held(local: str, remote: str) -> bool:
    """Say whether the server's end of a connection exists; ports in the kernel's writing."""
    with open("/proc/net/tcp") as file:
        ends = [line.split()[1:3] for line in file]
    return any(one.endswith(local) and other.endswith(remote) for one, other in ends)


def cut_off(server: Server, limit: float) -> dict[str, str]:
    """Ask for 25 MB and read nothing: how long until the server ends it, what it holds."""
    big = "/v1/kv/bench/big"
    Connection(server.port).ask(message("PUT", big, b"x" * 524288))
    before = server.rss
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", server.port))
    slow.sendall(message("GET", f"{big}?raw") * 50)
    begun, grown, took = time.perf_counter(), 0.0, ""
    pair = f":{server.port:04X}", f":{slow.getsockname()[1]:04X}"
    while not took and time.perf_counter() - begun < limit:
        time.sleep(0.25)
        if not is_held(*pair):  # the kernel tells a client with a full buffer nothing
            took = f"{time.perf_counter() - begun:.1f}"
        grown = max(grown, server.rss - before)
    slow.close()
    return {
        "slow reader of 25 MB: cut off after s": took or f"not in {limit:.0f}",
        "slow reader of 25 MB: RSS growth MB": f"{grown:.1f}",
    }


def measure(side: str, seconds: float, readers: int, slow: float) -> dict[str, str]:
    """Return the printed cells of one side."""
    cells = {}
    with serving(side) as server:
        fill(server)
        cells["RSS, 1000 instances MB"] = f"{server.rss:.1f}"
        for name, request in LOADS.items():
            per_second, cpu = rate(server, request, seconds)
            cells[name] = f"{per_second:.0f}/s {cpu:.0f} us"
    with serving(side) as server:
        Connection(server.port).ask(registration(0, 0))
        until(lambda: count_of(server, "/v1/health/service/web") == 1, 10, 0.05)
        figures = blocked(server, readers, 5)
        if slow:
            cells |= cut_off(server, slow)
        cells |= {f"{readers} readers: {key}": f"{value:.1f}" for key, value in figures.items()}
    return cells


def main() -> int:
    """Print a table, one column per side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--slow", type=float, default=45.0, help="0: no reader that never reads")
    parser.add_argument("--side", action="append", choices=("consul", "pinnace"))
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sides = chosen.side or ["consul", "pinnace"]
    columns = {side: measure(side, chosen.seconds, chosen.readers, chosen.slow) for side in sides}
    print(f"{'':<40}" + "".join(f"{side:>24}" for side in sides))
    for row in columns[sides[0]]:
        print(f"{row:<40}" + "".join(f"{columns[side][row]:>24}" for side in sides))
    return 0


if __name__ == "__main__":
    sys.exit(main())
