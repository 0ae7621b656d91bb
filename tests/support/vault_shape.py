"""A server of Vault's shape: the few answers its API documentation shows.

No real one was to be had.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.support.authority import Authority

__all__ = ["VaultShape", "vault_shape"]


class VaultShape:
    """Secrets by path (``secret/a``), one mount of KV 2 (``kv/``), one token at a time.

    With an ``authority`` the role ``pki/issue/web`` makes certificates for one name each.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.secrets: dict[str, dict[str, Any]] = {}
        self.token = "root"
        self.logins = 0
        self.wrapping = "wrapped"
        self.url = ""
        self.authority: Authority | None = None
        self.is_away = False

    def answer(self, method: str, target: str, token: str, body: Any) -> tuple[int, Any]:
        """Return status and JSON."""
        parts = urlsplit(target)
        if self.is_away:
            return 503, {"errors": ["Vault is sealed"]}
        path = parts.path.removeprefix("/v1/")
        if path == "auth/approle/login":
            if body != {"role_id": "r", "secret_id": "s"}:
                return 400, {"errors": ["invalid role or secret ID"]}
            self.logins += 1
            return 200, {"auth": {"client_token": self.token}}
        if path == "sys/wrapping/unwrap" and token == self.wrapping:
            self.wrapping = ""
            return 200, {"auth": {"client_token": self.token}}
        if token != self.token:
            return 403, {"errors": ["permission denied"]}
        if self.authority is not None and path == "pki/issue/web" and method in {"PUT", "POST"}:
            if "common_name" not in body:
                return 400, {"errors": ["the common_name field is required"]}
            seconds = int(body.get("ttl", "3600s").removesuffix("s"))
            return 200, {"data": self.authority.issue(body["common_name"], seconds)}
        if path.startswith("sys/internal/ui/mounts/"):
            versioned = path.removeprefix("sys/internal/ui/mounts/").startswith("kv/")
            mount = {"path": "kv/" if versioned else "secret/", "options": None}
            return 200, {"data": {**mount, "options": {"version": "2"} if versioned else None}}
        if parts.query == "list=true":
            return self._listed(path)
        if path.startswith("kv/data/"):
            found = self.secrets.get(path.replace("kv/data/", "kv/", 1))
            return (
                (404, {"errors": []})
                if found is None
                else (200, {"data": {"data": found, "metadata": {"version": 1}}})
            )
        found = self.secrets.get(path)
        return (404, {"errors": []}) if found is None else (200, {"data": found})

    def _listed(self, path: str) -> tuple[int, Any]:
        below = path.replace("kv/metadata/", "kv/", 1).rstrip("/") + "/"
        names = set()
        for key in self.secrets:
            if key.startswith(below):
                name, slash, _ = key.removeprefix(below).partition("/")
                names.add(name + slash)
        return (200, {"data": {"keys": sorted(names)}}) if names else (404, {"errors": []})


@contextmanager
def vault_shape() -> Iterator[VaultShape]:
    """Serve one on loopback."""
    shape = VaultShape()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            token = self.headers.get("X-Vault-Token", "")
            status, value = shape.answer(self.command, self.path, token, body)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815  (the name is the library's)
        do_PUT = do_GET  # noqa: N815  (the name is the library's)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shape.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield shape
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
