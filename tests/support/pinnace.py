"""``pinnace up`` as a real process, with free ports, its log read as JSON."""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import dnslib

from tests.support.dns import ask
from tests.support.pace import allowed
from tests.support.ports import free_port
from tests.support.web import get

__all__ = ["Pinnace", "until"]


def until(condition: Callable[[], object], limit: float = 30.0, pause: float = 0.005) -> float:
    """Return after how many seconds ``condition`` was true; fail after ``limit``."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > allowed(limit):
            raise AssertionError(f"not true within {limit} s")
        time.sleep(pause)
    return time.monotonic() - begun


class Pinnace:
    """One running program; a context manager that leaves no process behind."""

    def __init__(
        self,
        docker: str,
        *extra: str,
        wait: bool = True,
        env: Mapping[str, str] | None = None,
        lb: bool = True,
        state_dir: Path | None = None,
    ) -> None:
        """Prepare the command; ``wait`` makes the start wait for /readyz."""
        self.http_port, self.dns_port, self.lb_port = free_port(), free_port(), free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="pnc-")
        self.log_path = Path(self._folder.name) / "log"
        self._wait = wait
        self.api = str(Path(self._folder.name) / "api.sock")
        own = {"PINNACE_SCHEDULER__API": self.api, "XDG_STATE_HOME": self._folder.name}
        self._env = {**os.environ, **own, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.command = [
            str(Path(sys.executable).with_name("pinnace")), "up",
            "--docker", docker,
            "--ip", "127.0.0.1",
            "--http", f"127.0.0.1:{self.http_port}",
            "--dns", f"127.0.0.1:{self.dns_port}",
            "--lb", "haproxy" if lb else "none",
            "--lb-listen", f"127.0.0.1:{self.lb_port}",
            "--log-format", "json",
            *(("--state-dir", str(state_dir)) if state_dir else ()),
            *extra,
        ]  # fmt: skip

    def __enter__(self) -> Self:
        """Start; what does not become ready is stopped too, as nobody else would."""
        try:
            self.start()
        except BaseException:
            self.stop()
            self._folder.cleanup()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop; show the log when the test failed."""
        self.stop()
        if error is not None:
            sys.stderr.write(self.log_text()[-8000:])
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_ended(self) -> bool:
        """Whether it was not started, or stopped since."""
        return self._process is None

    def start(self) -> None:
        """Start the process (again)."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._env
            )
        if self._wait:
            self.until_ready()

    def until_ready(self, limit: float = 20.0) -> float:
        """Wait for /readyz; fail at once when the process has ended."""
        process = self._process
        assert process is not None

        def ready() -> bool:
            assert process.poll() is None, f"ended with {process.returncode}: {self.log_text()}"
            return self.is_ready()

        return until(ready, limit, 0.01)

    def stop(self, sig: int = signal.SIGTERM, limit: float = 20.0) -> int:
        """Send a signal and return the exit status; kill after ``limit``."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(sig)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            self._process = None

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.stop(signal.SIGKILL)

    def ended(self, limit: float = 20.0) -> int:
        """Wait for the process to end by itself and return its status."""
        assert self._process is not None
        return self._process.wait(limit)

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of a request to the HTTP API; status 0 when refused."""
        return get(self.http_port, path)

    def json(self, path: str) -> Any:
        """Return the parsed body of a request to the HTTP API."""
        return json.loads(self.get(path)[1])

    def is_ready(self) -> bool:
        """Whether /readyz says 200."""
        return self.get("/readyz")[0] == 200

    def instances(self, service: str) -> dict[str, Any]:
        """Return the catalogue's entries of a service by id, as the HTTP API gives them."""
        return {
            entry["Service"]["ID"]: entry for entry in self.json(f"/v1/health/service/{service}")
        }

    def services(self) -> set[str]:
        """Return the names of all services."""
        return set(self.json("/v1/catalog/services")) - {"consul"}

    def dns(self, name: str, kind: str = "A") -> dnslib.DNSRecord:
        """Ask the DNS server over UDP."""
        return ask(self.dns_port, name, kind)

    def srv_ports(self, service: str) -> set[int]:
        """Return the ports in the SRV answer of a service; none while nothing listens yet."""
        try:
            reply = self.dns(f"{service}.service.consul", "SRV")
        except ConnectionRefusedError:
            return set()
        return {record.rdata.port for record in reply.rr}

    def fetch(
        self,
        host: str,
        path: str = "/",
        method: str = "GET",
        timeout: float = 10,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """Return status and body of a request through the load balancer; 0 when it failed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.lb_port, timeout=timeout)
        try:
            connection.request(method, path, headers={"Host": host, **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace").strip()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def bodies(self, host: str, count: int) -> set[str]:
        """Return the distinct bodies of so many requests through the load balancer."""
        return {self.fetch(host)[1] for _ in range(count)}

    def log_text(self) -> str:
        """Return everything the process printed."""
        return self.log_path.read_text(errors="replace")

    def log(self, event: str = "") -> list[dict[str, Any]]:
        """Return the log's entries, all or those of one event."""
        return [e for e in _entries(self.log_text()) if not event or e.get("event") == event]

    def log_time(self, event: str) -> float | None:
        """Return when the first entry of an event was written, in seconds since 1970."""
        found = self.log(event)
        return datetime.fromisoformat(found[0]["time"]).timestamp() if found else None


def _entries(text: str) -> Iterable[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except ValueError:
                continue  # the last line may be half written
