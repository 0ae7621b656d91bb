"""StatsD lines to Prometheus: CPU per line, scrapes, memory, loss; beside statsd_exporter.

The sender sends in steps and waits until all was taken, so that what is measured is CPU time of
the receiver, from /proc, and not who got the core. ``--peer PATH`` (or statsd_exporter on the
PATH) runs the same beside it.
"""

import argparse
import os
import shutil
import socket
import sys
import time
from collections.abc import Sequence

from bench.figures import Figure, report
from tests.support.statsd import OURS, Exporter

_TICK = os.sysconf("SC_CLK_TCK")
_SERIES = 1000
_TARGETS = {1: 7.0, 20: 1.5}  # microseconds per line by lines in a packet


def main() -> int:
    """Measure; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default=shutil.which("statsd_exporter") or "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lines", type=int, default=200_000, help="of each round")
    options = parser.parse_args()
    ours = measured("ours", OURS, options.rounds, options.lines)
    missed = report(ours)
    if options.peer:
        theirs = measured("statsd_exporter", (options.peer,), options.rounds, options.lines)
        report(theirs)
        for one, other in zip(ours, theirs, strict=True):
            print(f"ratio to statsd_exporter: {one.what}: {_ratio(one, other):.2f}")
    else:
        print("statsd_exporter is not on the PATH: no ratio")
    return missed


def measured(name: str, program: Sequence[str], rounds: int, lines: int) -> list[Figure]:
    """Return every figure of one program."""
    figures = []
    with Exporter(program=program) as exporter:
        for per_packet, target in _TARGETS.items():
            packets = _packets(per_packet)
            _send(exporter, packets, _SERIES)  # every series is there
            values = [_cost(exporter, packets, per_packet, lines) for _ in range(rounds)]
            what = f"{name}: CPU per line, {per_packet} a packet, {_SERIES} series"
            figures.append(Figure(what, "us", target, values))
    with Exporter(program=program) as exporter:
        lost = [_lost(exporter) for _ in range(rounds)]
        figures.append(Figure(f"{name}: lost of 50,000 packets in a second", "", 0, lost))
    figures += _big(name, program, rounds)
    return figures


def _packets(per_packet: int) -> list[bytes]:
    lines = [
        f"service{n % 50}.requests:{n % 7 + 1}|c|#env:prod,host:h{n // 50}".encode()
        for n in range(_SERIES)
    ]
    return [b"\n".join(lines[at : at + per_packet]) for at in range(0, _SERIES, per_packet)]


def _send(exporter: Exporter, packets: Sequence[bytes], lines: int) -> tuple[float, int]:
    """Send so many lines in steps; return how many packets were taken, and how many looks."""
    count = lines // (packets[0].count(b"\n") + 1)
    before, looks = _taken(exporter), 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", exporter.lines))
        for number in range(count):
            sock.send(packets[number % len(packets)])
            if not number % 50:
                time.sleep(0.001)
            if not number % 5000:
                looks += _settle(exporter)
    looks += _settle(exporter)
    return _taken(exporter) - before, looks + 1


def _taken(exporter: Exporter) -> float:
    return exporter.scrape().get("statsd_exporter_udp_packets_total", 0.0)


def _settle(exporter: Exporter) -> int:
    """Wait until nothing more is taken; return how many looks it took."""
    last, looks = -1.0, 0
    while (now := _taken(exporter)) != last:
        last = now
        looks += 1
        time.sleep(0.05)
    return looks + 1


def _cpu(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _resident(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _cost(exporter: Exporter, packets: Sequence[bytes], per_packet: int, lines: int) -> float:
    """Return microseconds per line that was taken, without what the looks cost."""
    before = _cpu(exporter.pid)
    for _ in range(20):
        _taken(exporter)
    look = (_cpu(exporter.pid) - before) / 20
    before = _cpu(exporter.pid)
    taken, looks = _send(exporter, packets, lines)
    return (_cpu(exporter.pid) - before - look * looks) / (taken * per_packet) * 1e6


def _lost(exporter: Exporter) -> float:
    """Send 50,000 packets in a second; return how many did not arrive."""
    before = _taken(exporter)
    begun = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", exporter.lines))
        for number in range(50_000):
            sock.send(b"loss.test:1|c")
            if not number % 100:
                ahead = number / 50_000 - (time.monotonic() - begun)
                if ahead > 0:
                    time.sleep(ahead)
    took = time.monotonic() - begun
    time.sleep(1)
    print(f"50,000 packets sent in {took:.2f} s")
    return 50_000 - (_taken(exporter) - before)


def _big(name: str, program: Sequence[str], rounds: int) -> list[Figure]:
    """100,000 series: memory, and the CPU of a scrape."""
    with Exporter(program=program) as exporter:
        _taken(exporter)
        base = _resident(exporter.pid)
        lines = [f"big{n % 100}.requests:1|c|#id:{n}".encode() for n in range(100_000)]
        packets = [b"\n".join(lines[at : at + 25]) for at in range(0, 100_000, 25)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", exporter.lines))
            for number, packet in enumerate(packets):
                sock.send(packet)
                if not number % 5:
                    time.sleep(0.01)
        _settle(exporter)
        grown = _resident(exporter.pid) - base
        costs = []
        for _ in range(rounds):
            before = _cpu(exporter.pid)
            status, body = exporter.get("/metrics")
            costs.append(_cpu(exporter.pid) - before)
            if status != 200 or body.count(b"\nbig") < 99_000:
                print(f"{name}: only {body.count(b'big') - 100} series: packets were lost")
    return [
        Figure(f"{name}: CPU of a scrape of 100,000 series", "s", 0.15, costs),
        Figure(f"{name}: memory above the start, 100,000 series", "MB", 60, [grown]),
    ]


def _ratio(one: Figure, other: Figure) -> float:
    middle, theirs = one.values[len(one.values) // 2], other.values[len(other.values) // 2]
    return middle / theirs if theirs else float("nan")


if __name__ == "__main__":
    sys.exit(main())
