"""A drop-in as a real process: called by its name through a link, in a folder of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Program"]


class Program:
    """The program by one name; its log is kept in the folder."""

    ends_by = signal.SIGKILL
    """What ends it after a test; it gets SIGKILL when that is not enough."""

    def __init__(self, folder: Path, name: str, *, program: Path | None = None) -> None:
        """Make the link, unless another ``program`` is meant."""
        self.folder = folder
        self.log_path = folder / "log"
        self.program = program or folder / name
        if program is None:
            self.program.symlink_to(Path(sys.executable).with_name("pinnace"))
        self.env: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Return itself; nothing runs yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop what runs; show the log when the test failed."""
        if self.is_running():
            self.send(self.ends_by)
            try:
                self._running.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
        if error is not None:
            sys.stderr.write(self.log()[-8000:])

    def words(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        return [str(self.program), *arguments]

    def environ(self) -> Mapping[str, str]:
        """Return the environment that it gets."""
        return {**os.environ, **self.env}

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            self.words(*arguments), capture_output=True, text=True, timeout=timeout,
            env=self.environ(), check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self, *arguments: str, prefix: tuple[str, ...] = ()) -> None:
        """Start and leave it running; ``prefix`` goes before the command (strace)."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*prefix, *self.words(*arguments)], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env=self.environ(),
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running.pid

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def send(self, number: int) -> None:
        """Send a signal and go on."""
        self._running.send_signal(number)

    def wait(self, limit: float = 20.0) -> int:
        """Return the exit status once it ends by itself; end it when that takes too long."""
        try:
            return self._running.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def stop(self, number: int = signal.SIGTERM, limit: float = 20.0) -> int:
        """Send a signal; return the exit status."""
        if self.is_running():
            self.send(number)
        return self.wait(limit)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self._running.kill()
        self._running.wait()

    def log(self) -> str:
        """Return all that it wrote."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def count(self, words: str) -> int:
        """Return how many log lines have these words."""
        return sum(words in line for line in self.log().splitlines())

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was not started"
        return self._process
