"""A StatsD exporter as a real process: ours, or the original."""

import http.client
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from tests.support.pinnace import until
from tests.support.ports import free_port

__all__ = ["OURS", "Exporter", "Series", "series_of"]

OURS = (str(Path(sys.executable).with_name("pinnace")), "adapter", "statsd")
"""The command line of our own."""

Series = Mapping[str, float]
_LINE = re.compile(r"([^{ ]+)(?:\{(.*)\})? (\S+)")
_PAIR = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


def series_of(text: str) -> dict[str, float]:
    """Return the series of an exposition, labels sorted; types as ``TYPE name kind``."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            found[line[2:]] = 1.0
        elif line and not line.startswith("#"):
            match = _LINE.fullmatch(line)
            assert match is not None, line
            labels = ",".join(
                f'{name}="{value}"' for name, value in sorted(_PAIR.findall(match[2] or ""))
            )
            found[f"{match[1]}{{{labels}}}" if labels else match[1]] = float(match[3])
    return found


class Exporter:
    """One running exporter; a context manager that leaves nothing behind."""

    def __init__(self, *flags: str, program: Iterable[str] = OURS, mapping: str = "") -> None:
        """Prepare free ports and files; ``flags`` come last, so they win."""
        self.web, self.lines = free_port(), free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="pns-")
        self.folder = Path(self._folder.name)
        self.mapping = self.folder / "mapping.yml"
        self.command = [
            *program,
            f"--web.listen-address=127.0.0.1:{self.web}",
            f"--statsd.listen-udp=127.0.0.1:{self.lines}",
            f"--statsd.listen-tcp=127.0.0.1:{self.lines}",
        ]
        if mapping:
            self.mapping.write_text(mapping)
            self.command.append(f"--statsd.mapping-config={self.mapping}")
        self.command += flags
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log)
        try:
            until(lambda: self.get("/-/ready")[0] == 200 or self._process is None, 60)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            sys.stderr.write(self.log()[-8000:])
        self._end()

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        """Return everything it logged."""
        return (self.folder / "log").read_text(errors="replace")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(60)

    def ended(self) -> int:
        """Return the exit status of a process that ends by itself."""
        assert self._process is not None
        return self._process.wait(60)

    def get(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return status and body; status 0 when nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=60)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def scrape(self) -> dict[str, float]:
        """Return all series."""
        status, body = self.get("/metrics")
        assert status == 200, body
        return series_of(body.decode())

    def send(self, *packets: bytes) -> None:
        """Send datagrams and wait until all are taken."""
        before = self._packets()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number, packet in enumerate(packets, 1):
                sock.sendto(packet, ("127.0.0.1", self.lines))
                if not number % 100:
                    self._until_taken(before + number)
        self._until_taken(before + len(packets))

    def settled(self) -> dict[str, float]:
        """Return all series once two looks show the same samples: the original queues events."""
        found: list[dict[str, float]] = [{}]

        def is_settled() -> bool:
            found.append(self.scrape())
            return _without_process(found[-1]) == _without_process(found[-2])

        until(is_settled, 30, 0.5)
        return found[-1]

    def _packets(self) -> float:
        return self.scrape().get("statsd_exporter_udp_packets_total", 0.0)

    def _until_taken(self, count: float) -> None:
        until(lambda: self._packets() >= count, 30, 0.02)


def _without_process(series: Series) -> list[tuple[str, str]]:
    # As text, because what is no number equals nothing.
    kept = ("process_", "go_", "promhttp_", "pinnace_", "statsd_exporter_event_queue")
    return [(name, str(value)) for name, value in series.items() if not name.startswith(kept)]
