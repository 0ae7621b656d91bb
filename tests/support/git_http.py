"""git over HTTP with a password, by git's own http-backend; and what else is asked over HTTP."""

import base64
import os
import subprocess
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

__all__ = ["Answering", "git_over_http"]

_BACKEND = "/usr/lib/git-core/git-http-backend"
Answer = tuple[int, bytes, dict[str, str]]
Handle = Callable[[BaseHTTPRequestHandler, bytes], Answer]


class Answering:
    """An HTTP server on loopback that answers by a function."""

    def __init__(self, handle: Handle) -> None:
        """Listen on a port of its own."""

        class _Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content, headers = handle(self, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def at(self) -> str:
        """``HOST:PORT``."""
        return f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def git_over_http(root: Path, user: str, password: Callable[[], str]) -> Answering:
    """Return a server of the repositories below a folder, for one user."""

    def handle(request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        wanted = base64.b64encode(f"{user}:{password()}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {wanted}":
            return 401, b"", {"WWW-Authenticate": 'Basic realm="git"'}
        path, _, query = request.path.partition("?")
        environ = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": request.command,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""), "REMOTE_USER": user,
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "CONTENT_LENGTH": str(len(body)), "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }  # fmt: skip
        done = subprocess.run([_BACKEND], input=body, env=environ, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return int(headers.pop("Status", "200").split()[0]), content, headers

    return Answering(handle)
