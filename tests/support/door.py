"""A door before an engine's socket: it lets requests pass, answers 500, or answers nothing."""

import contextlib
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["Door", "hangs", "passes", "refuses"]

Rule = Callable[[str], str]
"""From a request's first line to what becomes of it: ``pass``, ``fail`` or ``hang``."""

_REQUEST: Final = re.compile(rb"(GET|POST|PUT|HEAD|DELETE) \S+ HTTP/1\.1\r\n")
_BODY: Final = b'{"message":"the disk is on fire"}'
_FAILED: Final = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


def passes(_: str) -> str:
    """Let everything pass."""
    return "pass"


def hangs(_: str) -> str:
    """Answer nothing."""
    return "hang"


def refuses(method: str = "") -> Rule:
    """Answer 500 to requests by a method, or to all."""
    return lambda line: "fail" if line.startswith(method) else "pass"


class Door:
    """Listens on ``path``, in threads; ``asked`` are the first lines of all requests."""

    def __init__(self, path: Path, target: Path) -> None:
        """Lead to the socket ``target``."""
        self.url = f"unix://{path}"
        self.asked: list[str] = []
        self._rule: Rule = passes
        self._is_open = threading.Event()
        self._is_open.set()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    outer._serve(self.request, target)

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

        self._server = Server(str(path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @contextlib.contextmanager
    def standing(self) -> Iterator["Door"]:
        """Serve until the block ends."""
        self._thread.start()
        try:
            yield self
        finally:
            self.set(passes)
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def set(self, rule: Rule) -> None:
        """Treat requests so from now on; what hung goes on."""
        self._rule = rule
        if rule is not hangs:
            self._is_open.set()
        else:
            self._is_open.clear()

    def count(self, word: str) -> int:
        """Return how many requests had a word in their first line."""
        return sum(word in line for line in self.asked)

    def _serve(self, client: socket.socket, target: Path) -> None:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(str(target))
            back = threading.Thread(target=self._answers, args=(engine, client), daemon=True)
            back.start()
            while data := client.recv(65536):
                found = _REQUEST.match(data)
                if found is not None:
                    line = found[0].decode().strip()
                    self.asked.append(line)
                    if self._rule(line) == "fail":
                        client.sendall(_FAILED)
                        client.shutdown(socket.SHUT_RDWR)
                        return
                self._is_open.wait()
                engine.sendall(data)
            engine.shutdown(socket.SHUT_WR)
            back.join()

    def _answers(self, engine: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := engine.recv(65536):
                self._is_open.wait()
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
