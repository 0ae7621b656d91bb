"""The drop-in for consul-template as a real process, in a folder of its own."""

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.tools.consul import Consul

__all__ = ["ConsulTemplate", "Writer"]


class Writer:
    """Writes to a real Consul; nothing is kept open."""

    def __init__(self, consul: Consul) -> None:
        """Write to this agent."""
        self._consul = consul

    def put(self, key: str, value: str) -> None:
        """Write a key."""
        self.ask("PUT", f"kv/{key}", value)

    def delete(self, prefix: str) -> None:
        """Remove all keys below a prefix."""
        self.ask("DELETE", f"kv/{prefix}?recurse=")

    def register(self, name: str, id_: str, port: int, status: str = "passing") -> None:
        """Register an instance with a check of its own."""
        check = {"CheckID": f"c-{id_}", "TTL": "1h", "Status": status}
        body = {"Name": name, "ID": id_, "Port": port, "Tags": ["b", "a"], "Check": check}
        self.ask("PUT", "agent/service/register", json.dumps(body))

    def deregister(self, id_: str) -> None:
        """Take an instance away."""
        self.ask("PUT", f"agent/service/deregister/{id_}")

    def ask(self, method: str, path: str, body: str = "") -> None:
        """Send one request, which must succeed."""
        connection = http.client.HTTPConnection("127.0.0.1", self._consul.ports["http"], timeout=10)
        try:
            connection.request(method, f"/v1/{path}", body)
            response = connection.getresponse()
            text = response.read()
            assert response.status == 200, text
        finally:
            connection.close()


class ConsulTemplate:
    """A folder with templates and configuration, and the program on it."""

    def __init__(self, folder: Path, address: str) -> None:
        """Prepare; ``address`` is the agent's."""
        self.folder = folder
        self.log_path = folder / "log"
        self.program = folder / "consul-template"
        self.program.symlink_to(Path(sys.executable).with_name("pinnace"))
        self.address = address
        self.env: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Return itself; nothing runs yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop what runs; show the log when the test failed."""
        if self._process is not None:
            self.stop(signal.SIGKILL)
        if error is not None:
            sys.stderr.write(self.log()[-8000:])

    def template(self, name: str, text: str) -> Path:
        """Write a template; return the destination that goes with it."""
        (self.folder / f"{name}.ctmpl").write_text(text)
        return self.folder / "out" / name

    def config(self, text: str) -> Path:
        """Write the configuration file."""
        path = self.folder / "config.hcl"
        path.write_text(text)
        return path

    def block(self, name: str, text: str, more: str = "") -> str:
        """Write a template; return its block for the configuration."""
        dest = self.template(name, text)
        source = self.folder / f"{name}.ctmpl"
        return f'template {{\n source = "{source}"\n destination = "{dest}"\n {more}\n}}\n'

    def words(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        return [str(self.program), "-consul-addr", self.address, "-log-level", "info", *arguments]

    def run(self, *arguments: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            self.words(*arguments), capture_output=True, text=True, timeout=timeout,
            env={**os.environ, **self.env}, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self, *arguments: str) -> None:
        """Start and leave it running."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.words(*arguments), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **self.env},
            )  # fmt: skip

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def send(self, number: int) -> None:
        """Send a signal and go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, limit: float = 20.0) -> int:
        """Return the exit status once it ends by itself."""
        process, self._process = self._process, None
        assert process is not None
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the exit status."""
        if self.is_running():
            self.send(number)
        return self.wait()

    def log(self) -> str:
        """Return all that it wrote."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def count(self, words: str) -> int:
        """Return how many log lines have these words."""
        return sum(words in line for line in self.log().splitlines())
