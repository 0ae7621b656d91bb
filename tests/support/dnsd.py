"""``dnsd`` alone as a real process."""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.support.pinnace import until
from tests.support.ports import free_port

__all__ = ["Dnsd", "Fixed"]


class Dnsd:
    """One running server; a context manager that leaves no process behind."""

    def __init__(self, store: str, *extra: str, config: str = "", wait: bool = True) -> None:
        """``config`` is the text of its file; ``wait``: until it has read the store."""
        self.port, self.http_port = free_port(), free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="pnd-")
        self.config = Path(self._folder.name) / "pinnace.toml"
        self.config.write_text(config)
        self._log = Path(self._folder.name) / "log"
        self._wait = wait
        self.command = [
            str(Path(sys.executable).with_name("dnsd")),
            *("-c", str(self.config), "--store", store, "--dns", f"127.0.0.1:{self.port}"),
            *("--http", f"127.0.0.1:{self.http_port}", *extra),
        ]
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        try:
            until(self.is_ready if self._wait else self.is_serving, 30)
        except BaseException:
            self._end()
            sys.stderr.write(self.log())
            raise
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            sys.stderr.write(self.log()[-8000:])
        self._end()

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._folder.cleanup()

    def stop(self) -> int:
        """Ask it to end; return its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def reload(self, config: str) -> None:
        """Give it another file."""
        self.config.write_text(config)
        self.process.send_signal(signal.SIGHUP)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        return json.loads(self.get(path)[1])

    def is_serving(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            return self.get("/health")[0] == 200
        except OSError:
            return False

    def is_ready(self) -> bool:
        return self.is_serving() and self.get("/ready")[0] == 200

    def dig(self, *words: str, port: int | None = None) -> str:
        """Return what dig prints."""
        command = ["dig", "@127.0.0.1", "-p", str(port or self.port), "+time=5", "+tries=1"]
        return subprocess.run(
            [*command, *words], capture_output=True, text=True, check=False
        ).stdout

    def pinnace_dig(self, *words: str) -> tuple[int, str, str]:
        """Return status, output and errors of ``pinnace dig``."""
        program = str(Path(sys.executable).with_name("pinnace"))
        done = subprocess.run(
            [program, "dig", *words, "--http", f"127.0.0.1:{self.http_port}"],
            capture_output=True,
            text=True,
            check=False,
            env=_environment(),
        )
        return done.returncode, done.stdout, done.stderr

    def rss(self) -> float:
        """Return its resident megabytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024


def _environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PINNACE_")}


class Fixed:
    """A server of a fixed catalogue as a process, perhaps in a namespace of its own."""

    def __init__(
        self,
        services: Mapping[str, list[str]],
        listen: str = "127.0.0.1:0",
        *,
        prefix: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        """``prefix`` are the words that start the process elsewhere (``nsenter ...``)."""
        told = {"services": services, "settings": {"listen": listen} | settings}
        program = [sys.executable, "-m", "tests.support.dns_main", json.dumps(told)]
        self.command = [*prefix, *program]
        self.port = 0
        self.process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        ports = self.process.stdout.readline().split()
        if not ports:
            self.process.wait()
            raise AssertionError("the server did not start")
        self.port = int(ports[0])
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
