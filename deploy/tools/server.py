"""A private server of another maker: started, stopped, killed, frozen and wiped for tests.

What it opens is on loopback, what it writes in a folder of its own that goes with it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from deploy.tools.freezing import freeze, thaw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Server", "free_ports"]

_ATTEMPTS = 3  # another process may take a port between our look and the server's bind
_STOP_LIMIT = 10.0


class Server(ABC):
    """One process with a state of its own; a context manager that leaves nothing behind.

    It keeps its ports from the first start on. Its data survive ``stop`` and ``kill``.
    """

    name = "server"
    start_limit = 30.0

    def __init__(self, ports: int) -> None:
        """Prepare a folder; ``start`` chooses so many ports."""
        self._count = ports
        self._temporary = tempfile.TemporaryDirectory(prefix=f"{self.name}-")
        self.folder = Path(self._temporary.name)
        self.data_dir = self.folder / "data"
        self.log_path = self.folder / "log"
        self.numbers: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the words that start it; called when its ports are known."""

    @abstractmethod
    def serves(self) -> bool:
        """Say whether it is ready."""

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and not ended, frozen or not."""
        return self._process is not None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it and remove its files."""
        self.kill()
        self._temporary.cleanup()

    def start(self) -> None:
        """Start (again, on the same data and ports) and wait until it serves."""
        if self.is_running:
            return
        is_first = not self.numbers
        for _ in range(_ATTEMPTS):
            self.numbers = self.numbers or free_ports(self._count)
            self._launch()
            if self._wait():
                return
            self.kill()
            if is_first:
                self.numbers = []
        raise RuntimeError(f"{self.name} did not start: {self.log_text()[-2000:]}")

    def stop(self) -> None:
        """End it as its supervisor does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self._end(signal.SIGKILL)

    def wipe(self) -> None:
        """Kill it and start it again without its data."""
        self.kill()
        shutil.rmtree(self.data_dir, ignore_errors=True)
        self.start()

    def freeze(self) -> None:
        """Let it neither run nor end: connections stay open, nothing answers."""
        freeze(self.pid)

    def thaw(self) -> None:
        """Let it run again; nothing happens to one that runs."""
        if self.is_running:
            thaw(self.pid)

    def log_text(self) -> str:
        """Return what it printed."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _launch(self) -> None:
        command = [str(word) for word in self.command()]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder)},
            )

    def _wait(self) -> bool:
        """Wait until it serves; False when the process ended."""
        deadline = time.monotonic() + self.start_limit
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            if self.serves():
                return True
            time.sleep(0.02)
        return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(count: int) -> list[int]:
    """Return loopback ports, free for TCP and UDP right now and never returned before.

    They lie below those that a kernel gives to outgoing connections, so that none is taken by
    chance between our look and a server's bind. Every process begins somewhere else.
    """
    ports: list[int] = []
    for port in _CANDIDATES:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            break
    return ports


def _candidates(first: int, last: int) -> Iterator[int]:
    begin = random.randrange(first, last)
    while True:
        yield from range(begin, last)
        begin = first


_CANDIDATES: Final = _candidates(10_000, 32_768)
