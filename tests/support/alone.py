"""``registrar`` as a real process, its log read as JSON."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.web import get

__all__ = ["Alone"]


class Alone:
    """One running registrar; a context manager that leaves no process behind."""

    def __init__(
        self,
        docker: str,
        *stores: str,
        env: Mapping[str, str] | None = None,
        hosts: Path | None = None,
        **settings: Any,
    ) -> None:
        """``hosts`` takes the place of the machine's own file of names, for this process only."""
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="pnr-")
        self.log_path = Path(self._folder.name) / "log"
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._preview = settings.pop("preview", "")
        options = {
            "stores": stores,
            "docker": docker,
            "http": f"127.0.0.1:{self.port}",
            "settings": {"node": "vm", "ip": "192.0.2.7"} | settings,
            "preview": self._preview,
        }
        self.command = [sys.executable, "-m", "tests.support.alone_main", json.dumps(options)]
        if hosts is not None:
            mount = f'mount --bind {hosts} /etc/hosts && exec "$@"'
            self.command = ["unshare", "-m", "sh", "-c", mount, "sh", *self.command]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._close()
        if error is not None:
            sys.stderr.write(self.log_text()[-8000:])
        self._folder.cleanup()

    def _close(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process (again)."""
        self._close()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=subprocess.PIPE, stderr=log, env=self._env
            )

    def until_ready(self) -> None:
        """Wait until it says so."""
        until(lambda: self.get("/readyz")[0] == 200, 20)

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body; status 0 when nobody listens."""
        return get(self.port, path)

    def send(self, number: int = signal.SIGTERM) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def ended(self, limit: float = 20.0) -> int:
        """Return the exit status of a process that ends by itself."""
        assert self._process is not None
        return self._process.wait(limit)

    def said(self) -> str:
        """Return what an ended process printed."""
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.read().decode()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.send(number)
        return self.ended()

    def log_text(self) -> str:
        """Return everything it logged."""
        return self.log_path.read_text(errors="replace")
