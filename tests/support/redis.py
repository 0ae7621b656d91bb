"""A real Redis server on loopback, in a folder of its own, nothing written to disk."""

import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.ports import free_port

__all__ = ["Redis"]


class Redis:
    """One server; a context manager that leaves no process behind."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Prepare; ``options`` are words of the server's command line."""
        self.port = free_port()
        self.path = folder / "redis.sock"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start and wait until it answers."""
        self._process = subprocess.Popen(
            [
                "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", str(self._folder), "--unixsocket", str(self.path),
                *self._options,
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "redis did not start"
                time.sleep(0.01)

    def stop(self) -> None:
        """Stop it; what it held is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(10)

    def do(self, *words: str, database: int = 0) -> bytes:
        """Send one command; return what the server answers, the choice of a database first."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
            sock.sendall(_packed("SELECT", str(database)) + _packed(*words) + _packed("QUIT"))
            answer = b""
            while part := sock.recv(65536):
                answer += part
            return answer


def _packed(*words: str) -> bytes:
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return (f"*{len(words)}\r\n" + "".join(parts)).encode()
