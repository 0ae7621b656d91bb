"""A private real etcd 3.4 (Debian's ``etcd-server``) for tests; everything it opens is on loopback.

``python -m deploy.tools.etcd run`` starts one and prints its address.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import ssl
import sys
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from deploy.tools.server import Server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Etcd", "main", "why_not"]

_PASSWORD = "root-password"


def why_not() -> str | None:
    """Why no etcd can be started here, or None."""
    return None if shutil.which("etcd") else "missing: etcd (deploy/setup installs etcd-server)"


class Etcd(Server):
    """One member with a state of its own; a context manager that leaves nothing behind.

    ``v2``: it answers the v2 keys API too. ``arguments`` are more of its own. ``tls`` is a folder
    with ca.pem, cert.pem and key.pem: clients must then come with a certificate of that authority.
    """

    name = "etcd"

    def __init__(
        self, *, v2: bool = False, tls: Path | None = None, arguments: Sequence[str] = ()
    ) -> None:
        """Prepare the folder."""
        super().__init__(2)
        self._v2 = v2
        self._tls = tls
        self._arguments = tuple(arguments)

    @property
    def port(self) -> int:
        """Where it listens for clients."""
        return self.numbers[0]

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, Any]:
        """Return status and decoded answer; status 0 when there is none."""
        connection = self._connection()
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, None

    def call(self, what: str, **body: Any) -> Any:
        """Return the answer of the v3 gateway; keys and values as it wants them."""
        return self._call(what, body)

    def call_as_root(self, what: str, **body: Any) -> Any:
        """Return the same where ``require_login`` switched authentication on."""
        login = self._call("auth/authenticate", {"name": "root", "password": _PASSWORD})
        return self._call(what, body, Authorization=login["token"])

    def _call(self, what: str, body: dict[str, Any], **headers: str) -> Any:
        status, answer = self.ask("POST", f"/v3/{what}", json.dumps(body), **headers)
        if status != 200:
            raise RuntimeError(f"{what}: {status} {answer}")
        return answer

    def put(self, key: str, value: str) -> None:
        """Write a key by the v3 API, as somebody else would."""
        self.call("kv/put", key=_text(key), value=_text(value))

    def delete(self, key: str) -> None:
        """Remove a key by the v3 API, as somebody else would."""
        self.call("kv/deleterange", key=_text(key))

    def compact(self) -> None:
        """Forget all history."""
        revision = self.call("kv/range", key=_text("x"))["header"]["revision"]
        self.call("kv/compaction", revision=revision, physical=True)

    def revision(self) -> int:
        """Return the revision of the v3 store."""
        return int(self.call("kv/range", key=_text("x"))["header"]["revision"])

    def require_login(self, user: str, password: str, prefixes: Sequence[str]) -> None:
        """Switch authentication on, with one user who may use keys below these prefixes."""
        self.call("auth/role/add", name="root")
        self.call("auth/user/add", name="root", password=_PASSWORD)
        self.call("auth/user/grant", user="root", role="root")
        self.call("auth/role/add", name="part")
        for prefix in prefixes:
            end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
            allowed = {"permType": "READWRITE", "key": _text(prefix), "range_end": _text(end)}
            self.call("auth/role/grant", name="part", perm=allowed)
        self.call("auth/user/add", name=user, password=password)
        self.call("auth/user/grant", user=user, role="part")
        self.call("auth/enable")

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        context = ssl.create_default_context(cafile=str(self._tls / "ca.pem"))
        context.load_cert_chain(self._tls / "cert.pem", self._tls / "key.pem")
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)

    def command(self) -> Sequence[str]:
        """Return the words that start it."""
        client, peer = (f"127.0.0.1:{port}" for port in self.numbers)
        scheme = "http" if self._tls is None else "https"
        return [
            "etcd", "--name=only", f"--data-dir={self.data_dir}", "--unsafe-no-fsync",
            f"--listen-client-urls={scheme}://{client}",
            f"--advertise-client-urls={scheme}://127.0.0.1:1",  # must never be used
            f"--listen-peer-urls=http://{peer}",
            f"--initial-advertise-peer-urls=http://{peer}",
            f"--initial-cluster=only=http://{peer}",
            f"--enable-v2={'true' if self._v2 else 'false'}",
            *self._tls_arguments(), *self._arguments,
        ]  # fmt: skip

    def serves(self) -> bool:
        """Say whether it has a leader."""
        return self.ask("GET", "/health") == (200, {"health": "true"})

    def _tls_arguments(self) -> list[str]:
        if self._tls is None:
            return []
        return [
            f"--cert-file={self._tls / 'cert.pem'}",
            f"--key-file={self._tls / 'key.pem'}",
            f"--trusted-ca-file={self._tls / 'ca.pem'}",
            "--client-cert-auth",
        ]


def _text(value: str) -> str:
    return b64encode(value.encode()).decode()


def main(arguments: list[str] | None = None) -> int:
    """``run``: a member until Enter or end of input."""
    parser = argparse.ArgumentParser(prog="python -m deploy.tools.etcd", description=__doc__)
    parser.add_argument("command", choices=("run",))
    parser.add_argument("--v2", action="store_true", help="answer the v2 keys API too")
    chosen = parser.parse_args(arguments)
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 1
    with Etcd(v2=chosen.v2) as etcd:
        print(f"etcd://127.0.0.1:{etcd.port} pid={etcd.pid}", flush=True)
        sys.stdin.readline()
    return 0


if __name__ == "__main__":
    sys.exit(main())
