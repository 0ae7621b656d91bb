"""The real Consul 1.8.7 (Debian bullseye's package) as the program that tests compare with.

``python -m deploy.tools.consul fetch`` downloads it; ``run`` starts one agent and prints its
address. Everything it opens is on loopback.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from deploy.tools.debian import Unavailable, cache_folder, unpacked

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["VERSION", "Consul", "Unavailable", "binary", "free_ports", "main"]

VERSION = "1.8.7"
_RELEASE = "bullseye"  # the last Debian release with the package
_FOLDER = cache_folder("consul") / VERSION
_PORTS = ("http", "dns", "grpc", "serf_lan", "serf_wan", "server")
_START_LIMIT = 40.0
_ATTEMPTS = 3  # another process may take a port between our look and Consul's bind


def binary() -> Path:
    """Return the program, downloaded when it is missing. Raises Unavailable."""
    program = unpacked("consul", _FOLDER, _RELEASE) / "usr/bin/consul"
    text = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    if VERSION not in text.splitlines()[0]:
        raise Unavailable(f"{program} is {text.splitlines()[0]}, not {VERSION}")
    return program


class Consul:
    """One agent with a state of its own; a context manager that leaves nothing behind.

    ``dev`` is ``agent -dev`` (state in memory, indented JSON); without it a single server writes
    to ``data_dir`` and survives ``stop()`` and ``start()``. ``config`` is merged over our own.

    ``quiet`` also waits for the agent's second full synchronisation. It comes at a random moment
    of the first three seconds and writes entries again that differ only in null or empty: a
    recording across it cannot be repeated. The next one is a minute away.
    """

    def __init__(
        self,
        *,
        dev: bool = True,
        quiet: bool = False,
        node: str = "oracle",
        config: Mapping[str, Any] | None = None,
        program: Path | None = None,
    ) -> None:
        """Prepare folders and ports; ``program`` replaces the downloaded one."""
        self.node = node
        self._dev = dev
        self._quiet = quiet
        self._config = dict(config or {})
        self._program = program or binary()
        self._folder = tempfile.TemporaryDirectory(prefix="consul-")
        self.log_path = Path(self._folder.name) / "log"
        self.data_dir = Path(self._folder.name) / "data"
        self.ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Base address of the HTTP API, without a slash at the end."""
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        if self._process is None:
            raise RuntimeError("consul is not started")
        return self._process.pid

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and remove its files."""
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start (again, on the same data) and wait until it leads and knows itself."""
        for attempt in range(_ATTEMPTS):
            self.ports = self.ports or dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
            self._launch()
            if self._wait():
                return
            self.stop()
            if attempt + 1 < _ATTEMPTS:
                self.ports = {}
        raise RuntimeError(f"consul did not start: {self.log_text()[-2000:]}")

    def stop(self) -> None:
        """End the process; its data stays until the context ends."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log_text(self) -> str:
        """Return what it printed."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and decoded JSON body (None when there is none); status 0 when refused."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["http"], timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            return response.status, json.loads(body) if response.status == 200 else None
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()

    def _launch(self) -> None:
        settings = {
            "node_name": self.node,
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "ports": {**self.ports, "https": -1},
            "performance": {"raft_multiplier": 1},
            "disable_update_check": True,
            "log_level": "debug" if self._quiet else "info",
            **({} if self._dev else {"server": True, "bootstrap_expect": 1}),
            **self._config,
        }
        file = Path(self._folder.name) / "config.json"
        file.write_text(json.dumps(settings))
        mode = ["-dev"] if self._dev else [f"-data-dir={self.data_dir}"]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "agent", *mode, f"-config-file={file}"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", ""), "HOME": self._folder.name},
            )

    def _wait(self) -> bool:
        """Wait for a leader and the agent's own entry; False when the process ended."""
        deadline = time.monotonic() + _START_LIMIT
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            if self._knows_itself() and (not self._quiet or self._synced_twice()):
                return True
            time.sleep(0.02)
        return False

    def _knows_itself(self) -> bool:
        """Whether the catalogue holds what the agent wrote, not only what the leader saw."""
        status, leader = self.get("/v1/status/leader")
        if status in {0, 403} or not leader:
            return status == 403  # a deny-all policy: the caller must bring a token and wait
        status, node = self.get(f"/v1/catalog/node/{self.node}")
        if status != 200 or not node:
            return status == 200 and self._denies()
        meta = node["Node"].get("Meta") or {}
        checks = self.get(f"/v1/health/node/{self.node}")[1] or []
        return (
            "consul-network-segment" in meta
            and ("consul" in node["Services"] or not self._config.get("server", True))
            and any(check["CheckID"] == "serfHealth" for check in checks)
        )

    def _synced_twice(self) -> bool:
        return self.log_text().count("Node info in sync") > 1

    def _denies(self) -> bool:
        acl = self._config.get("acl", {})
        return bool(acl.get("enabled")) and acl.get("default_policy") == "deny"


def free_ports(count: int) -> list[int]:
    """Return distinct loopback ports, free for TCP and UDP right now."""
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            tcp = stack.enter_context(socket.socket())
            udp = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                ports.append(port)
        return ports


def main(arguments: list[str] | None = None) -> int:
    """``fetch``: download and print the path; ``run``: an agent until Enter or end of input."""
    parser = argparse.ArgumentParser(prog="python -m deploy.tools.consul", description=__doc__)
    parser.add_argument("command", choices=("fetch", "run"))
    chosen = parser.parse_args(arguments).command
    if not _FOLDER.is_dir():
        print(f"fetching consul {VERSION}: Pinnace's API is compared with it", file=sys.stderr)
    try:
        program = binary()
    except Unavailable as error:
        print(f"consul {VERSION}: {error}", file=sys.stderr)
        return 1
    if chosen == "fetch":
        print(program)
        return 0
    with Consul(program=program) as consul:
        print(f"{consul.url} pid={consul.pid}", flush=True)
        sys.stdin.readline()
    return 0


if __name__ == "__main__":
    sys.exit(main())
