"""A private real etcd 3.4 (Debian's ``etcd-server``) for tests; everything it opens is on loopback.

``python -m deploy.tools.etcd run`` starts one and prints its address.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from deploy.tools.consul import free_ports
from deploy.tools.freezing import freeze, thaw

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Etcd", "main", "why_not"]

_START_LIMIT = 20.0
_ATTEMPTS = 3  # another process may take a port between our look and etcd's bind
_PASSWORD = "root-password"


def why_not() -> str | None:
    """Why no etcd can be started here, or None."""
    return None if shutil.which("etcd") else "missing: etcd (deploy/setup installs etcd-server)"


class Etcd:
    """One member with a state of its own; a context manager that leaves nothing behind.

    ``v2``: it answers the v2 keys API too. ``arguments`` are more of its own. ``tls`` is a folder
    with ca.pem, cert.pem and key.pem: clients must then come with a certificate of that authority.
    """

    def __init__(
        self, *, v2: bool = False, tls: Path | None = None, arguments: Sequence[str] = ()
    ) -> None:
        """Prepare the folder."""
        self._v2 = v2
        self._tls = tls
        self._arguments = tuple(arguments)
        self._folder = tempfile.TemporaryDirectory(prefix="etcd-")
        self.log_path = Path(self._folder.name) / "log"
        self._data = Path(self._folder.name) / "data"
        self._ports: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Where it listens for clients; the same after every start."""
        return self._ports[0]

    @property
    def is_running(self) -> bool:
        """Whether it was started and not ended."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        if self._process is None:
            raise RuntimeError("etcd is not started")
        return self._process.pid

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and remove its files."""
        self.kill()
        self._folder.cleanup()

    def start(self) -> None:
        """Start (again, on the same data) and wait until it has a leader."""
        for _ in range(_ATTEMPTS):
            is_first = not self._ports
            self._ports = self._ports or free_ports(2)
            self._launch()
            if self._wait():
                return
            self.kill()
            if is_first:
                self._ports = []
        raise RuntimeError(f"etcd did not start: {self.log_text()[-2000:]}")

    def stop(self) -> None:
        """End it as its supervisor does; the data stays."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        """End it as ``kill -9`` does; the data stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it neither run nor end (SIGSTOP)."""
        freeze(self.pid)

    def thaw(self) -> None:
        """Let it run again."""
        thaw(self.pid)

    def wipe(self) -> None:
        """Kill it and start it again without its data."""
        self.kill()
        shutil.rmtree(self._data, ignore_errors=True)
        self.start()

    def log_text(self) -> str:
        """Return what it printed."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

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

    def _launch(self) -> None:
        client, peer = (f"127.0.0.1:{port}" for port in self._ports)
        scheme = "http" if self._tls is None else "https"
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "etcd", "--name=only", f"--data-dir={self._data}", "--unsafe-no-fsync",
                    f"--listen-client-urls={scheme}://{client}",
                    f"--advertise-client-urls={scheme}://127.0.0.1:1",  # must never be used
                    f"--listen-peer-urls=http://{peer}",
                    f"--initial-advertise-peer-urls=http://{peer}",
                    f"--initial-cluster=only=http://{peer}",
                    f"--enable-v2={'true' if self._v2 else 'false'}",
                    *self._tls_arguments(), *self._arguments,
                ],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", ""), "HOME": self._folder.name},
            )  # fmt: skip

    def _tls_arguments(self) -> list[str]:
        if self._tls is None:
            return []
        return [
            f"--cert-file={self._tls / 'cert.pem'}",
            f"--key-file={self._tls / 'key.pem'}",
            f"--trusted-ca-file={self._tls / 'ca.pem'}",
            "--client-cert-auth",
        ]

    def _wait(self) -> bool:
        """Wait until it answers; False when the process ended."""
        deadline = time.monotonic() + _START_LIMIT
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            status, answer = self.ask("GET", "/health")
            if status == 200 and answer == {"health": "true"}:
                return True
            time.sleep(0.02)
        return False


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
