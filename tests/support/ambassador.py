"""An ambassador as a real process, Redis servers behind it, and a client that hides nothing."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from ambassador.redis.resp import decode, packed
from deploy.tools.consul import Consul
from sidecar.errors import ProtocolError
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.redis import Redis

__all__ = ["Ambassador", "Caller", "follow", "promote", "put", "replicas_of"]


class Caller:
    """A connection that sends what it is told and decodes what comes."""

    def __init__(self, port: int, timeout: float = 20.0) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *words: str | bytes) -> None:
        """Send one command."""
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        self.sock.sendall(packed(*parts))

    def read(self) -> Any:
        """Return the next reply; raises EOFError when there is none."""
        while True:
            if self.data:
                try:
                    value, end = decode(self.data)
                    if end <= len(self.data):
                        self.data = self.data[end:]
                        return value
                except (ProtocolError, IndexError):
                    pass
            part = self.sock.recv(1 << 20)
            if not part:
                raise EOFError
            self.data += part

    def do(self, *words: str | bytes) -> Any:
        """Send one command and return its reply."""
        self.send(*words)
        return self.read()

    def line(self, *words: str) -> Any:
        """Send one command of words without blanks, as text, and return its reply."""
        return self.do(*" ".join(words).split())

    def is_ended(self) -> bool:
        """Read until the end; say whether it came."""
        try:
            while self.sock.recv(1 << 16):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True


class Ambassador:
    """One running program; a context manager that leaves no process behind."""

    def __init__(
        self, *words: str, protocol: str = "redis", env: Mapping[str, str] | None = None,
        listen: bool = True, admin: bool = True,
    ) -> None:  # fmt: skip
        self.port, self.admin = free_port(), free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="amb-")
        self.log_path = Path(self._folder.name) / "log"
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None
        own = ["--listen", f"127.0.0.1:{self.port}"] if listen else []
        program = str(Path(sys.executable).with_name("ambassador"))
        own += ["--admin", f"127.0.0.1:{self.admin}"] if admin else []
        self.command = [program, protocol, *own, *words]

    def __enter__(self) -> Self:
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._env
            )
        try:
            until(self._is_ready, 30)
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def __exit__(self, kind: object = None, *_: object) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if kind is not None:
            sys.stderr.write(self.log_text()[-8000:])
        self._folder.cleanup()

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log_text()
        return self.get("/health/ready")[0] == 200

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def ended(self, limit: float = 20.0) -> int:
        """Wait for the end; return the status."""
        assert self._process is not None
        return self._process.wait(limit)

    def get(self, path: str, method: str = "GET") -> tuple[int, Any]:
        """Return status and body of a request to the admin address; 0 when refused."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                body = response.read()
                kind = response.headers["Content-Type"]
                return response.status, json.loads(body) if "json" in kind else body.decode()
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        except OSError:
            return 0, None

    def node(self, redis: Redis) -> dict[str, Any]:
        """Return what the topology says of a server."""
        label = f"127.0.0.1:{redis.port}"
        nodes: list[dict[str, Any]] = self.get("/topology")[1]["nodes"]
        return next((node for node in nodes if node["address"] == label), {})

    def until_reads(self, *replicas: Redis) -> None:
        """Wait until exactly these are read."""
        wanted = {f"127.0.0.1:{replica.port}" for replica in replicas}

        def found() -> bool:
            nodes = self.get("/topology")[1]["nodes"]
            return {node["address"] for node in nodes if node["readable"]} == wanted

        until(found, 30, 0.02)

    def until_primary(self, redis: Redis) -> None:
        """Wait until this is the primary."""
        label = f"127.0.0.1:{redis.port}"
        until(lambda: self.get("/topology")[1]["primary"] == label, 30, 0.02)

    def metric(self, name: str) -> float:
        """Return a number of the exposition: the sum over its labels."""
        lines = self.get("/metrics")[1].splitlines()
        found = [line for line in lines if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def call(self, timeout: float = 20.0) -> Caller:
        return Caller(self.port, timeout)

    def resident(self) -> int:
        """Return its memory in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def log_text(self) -> str:
        return self.log_path.read_text(errors="replace")


def follow(replica: Redis, primary: Redis) -> None:
    """Make one the other's replica and wait until it follows."""
    replica.do("REPLICAOF", "127.0.0.1", str(primary.port))
    until(lambda: b"master_link_status:up" in replica.do("INFO", "replication"), 30, 0.05)


def promote(redis: Redis) -> None:
    """Make it a primary."""
    redis.do("REPLICAOF", "NO", "ONE")


def replicas_of(primary: Redis, *replicas: Redis) -> list[str]:
    """Return the command line of a static topology, all following."""
    for replica in replicas:
        follow(replica, primary)
    words = ["--primary", f"127.0.0.1:{primary.port}"]
    for replica in replicas:
        words += ["--replica", f"127.0.0.1:{replica.port}"]
    return words


def put(consul: Consul, path: str, body: object = None) -> None:
    """Write to an agent's API."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{consul.url}{path}", data=data, method="PUT")
    with urllib.request.urlopen(request, timeout=10):
        pass
