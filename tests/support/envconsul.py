"""The drop-in as a real process, called by the name ``envconsul``; its child keeps a log."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

__all__ = ["Envconsul", "put"]

_CHILD = """
log={log}
trap 'echo usr1 >>$log' USR1
trap 'echo hup >>$log' HUP
trap 'echo int >>$log; exit 0' INT
trap 'echo term >>$log; exit 7' TERM
env | sort >{folder}/environ.$$
mv {folder}/environ.$$ {folder}/environ
echo "start port=$port" >>$log
while :; do sleep 0.02; done
"""


def put(url: str, key: str, value: str | bytes | None) -> None:
    """Write a key of Consul, or delete it and what is below."""
    data = value.encode() if isinstance(value, str) else value
    path = f"{url}/v1/kv/{quote(key)}" + ("?recurse" if data is None else "")
    method = "PUT" if data is not None else "DELETE"
    request = urllib.request.Request(path, data=data, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.read().strip() == b"true"


class Envconsul:
    """A folder, the program and its child."""

    def __init__(self, folder: Path, url: str) -> None:
        """Prepare the child; ``url`` is the agent's."""
        self.folder = folder
        self.program = folder / "envconsul"
        self.program.symlink_to(Path(sys.executable).with_name("pinnace"))
        self.child = folder / "child"
        self.child_log = folder / "child.log"
        self.child.write_text(_CHILD.format(log=self.child_log, folder=folder))
        self.log_path = folder / "log"
        measured = {name: os.environ[name] for name in os.environ if name.startswith("COVERAGE_")}
        self.env = {
            "PATH": os.defpath, "HOME": str(folder), "CONSUL_HTTP_ADDR": url, **measured,
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Return itself; nothing runs yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop what runs; show the logs when the test failed."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if error is not None:
            sys.stderr.write(self.log() + self.told())

    def run(self, *arguments: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            [self.program, *arguments], capture_output=True, text=True, timeout=timeout,
            env=self.env, check=False,
        )  # fmt: skip

    def variables(self, *arguments: str) -> dict[str, str]:
        """Return the environment that a child gets."""
        done = self.run("-once", *arguments, "env")
        assert done.returncode == 0, done.stderr
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    def start(self, *arguments: str, child: str | None = None) -> None:
        """Start and leave it running, with the child that keeps a log or another line."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, *arguments, child or f"sh {self.child}"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.env,
            )  # fmt: skip

    def send(self, number: int) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def ended(self, limit: float = 10.0) -> int:
        """Return the exit status once it has ended."""
        assert self._process is not None
        return self._process.wait(limit)

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def told(self) -> str:
        """Return what the child wrote down."""
        return self.child_log.read_text() if self.child_log.exists() else ""

    def wait_for(self, text: str, limit: float = 10.0) -> None:
        """Wait until the child has written exactly these words, one a line."""
        self._until(lambda: self.told().split("\n") == [*text.split(","), ""], text, limit)

    def wait_for_log(self, text: str, limit: float = 10.0) -> None:
        """Wait until the program's own log says so."""
        self._until(lambda: text in self.log(), text, limit)

    def environ(self) -> dict[str, str]:
        """Return the environment that the running child has."""
        lines = (self.folder / "environ").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def log(self) -> str:
        """Return what the program wrote."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def _until(self, condition: Callable[[], bool], what: str, limit: float) -> None:
        deadline = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < deadline, f"waited for {what!r}, there is {self.told()!r}"
            time.sleep(0.01)
