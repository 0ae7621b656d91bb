"""A real Redis server on loopback, in a folder of its own, nothing written to disk."""

import socket
from collections.abc import Sequence
from pathlib import Path

from deploy.tools.server import Server

__all__ = ["Redis"]


class Redis(Server):
    """One server that forgets all when it stops; a context manager that leaves nothing behind."""

    name = "redis"

    def __init__(self, *options: str, ports: int = 1) -> None:
        """Prepare; ``options`` are words of the server's command line."""
        super().__init__(ports)
        self._options = options

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.numbers[0]

    @property
    def path(self) -> Path:
        """Its unix socket."""
        return self.folder / "redis.sock"

    def command(self) -> Sequence[str | Path]:
        """Return the words that start it."""
        return [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", self.folder, "--unixsocket", self.path,
            *self._options,
        ]  # fmt: skip

    def serves(self) -> bool:
        """Say whether it takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

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
