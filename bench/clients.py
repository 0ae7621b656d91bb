"""Small blocking clients the benchmarks share: one SRV question, one HTTP request, a poll."""

import http.client
import socket
import statistics
import time
from collections.abc import Callable, Sequence

import dnslib

__all__ = ["Figure", "body_of", "poll", "report", "srv_ports"]


def srv_ports(dns_port: int, name: str) -> set[int]:
    """Return the ports in the SRV answer for ``name``."""
    query = dnslib.DNSRecord.question(name, "SRV")
    query.add_ar(dnslib.EDNS0(udp_len=1232))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect(("127.0.0.1", dns_port))
        sock.send(query.pack())
        reply = dnslib.DNSRecord.parse(sock.recv(4096))
    return {record.rdata.port for record in reply.rr if record.rtype == dnslib.QTYPE.SRV}


def body_of(port: int, host: str, path: str = "/") -> str:
    """Return the body of one request by Host header, or what went wrong in brackets."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        text = response.read().decode().strip()
        return text if response.status == 200 else f"({response.status})"
    except (OSError, http.client.HTTPException) as error:
        return f"({type(error).__name__})"
    finally:
        connection.close()


def poll(condition: Callable[[], bool], limit: float = 10.0, pause: float = 0.001) -> float:
    """Return after how many seconds ``condition`` held; raises TimeoutError."""
    start = time.perf_counter()
    while not condition():
        if time.perf_counter() - start > limit:
            raise TimeoutError("the condition did not come true")
        time.sleep(pause)
    return time.perf_counter() - start


class Figure:
    """One measured quantity with its target."""

    def __init__(self, what: str, unit: str, target: float, values: Sequence[float]) -> None:
        """Take the raw values; the target is for their median."""
        self.what = what
        self.unit = unit
        self.target = target
        self.values = sorted(values)

    @property
    def met(self) -> bool:
        """Whether the median is within the target."""
        return statistics.median(self.values) <= self.target

    def __str__(self) -> str:
        """Return one line: median, worst, target."""
        middle, worst = statistics.median(self.values), self.values[-1]
        verdict = "met" if self.met else "MISSED"
        return (
            f"{self.what:<58} median {middle:8.2f} {self.unit:<3} worst {worst:8.2f}"
            f"  n={len(self.values):<3} target {self.target:g} {self.unit}: {verdict}"
        )


def report(figures: Sequence[Figure]) -> int:
    """Print all figures; return 1 when one was missed."""
    for figure in figures:
        print(figure)
    return 0 if all(figure.met for figure in figures) else 1
