"""The real Consul 1.8.7 (Debian bullseye's package) as the program that tests compare with.

``python -m deploy.tools.consul fetch`` downloads it; ``run`` starts one agent and prints its
address. Everything it opens is on loopback.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from deploy.tools.debian import Unavailable, cache_folder, unpacked
from deploy.tools.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["VERSION", "Consul", "Unavailable", "binary", "main"]

VERSION = "1.8.7"
_RELEASE = "bullseye"  # the last Debian release with the package
_FOLDER = cache_folder("consul") / VERSION
_PORTS = ("http", "dns", "grpc", "serf_lan", "serf_wan", "server")


def binary() -> Path:
    """Return the program, downloaded when it is missing. Raises Unavailable."""
    program = unpacked("consul", _FOLDER, _RELEASE) / "usr/bin/consul"
    text = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    if VERSION not in text.splitlines()[0]:
        raise Unavailable(f"{program} is {text.splitlines()[0]}, not {VERSION}")
    return program


class Consul(Server):
    """One agent with a state of its own; a context manager that leaves nothing behind.

    ``dev`` is ``agent -dev`` (state in memory, indented JSON); without it a single server writes
    to ``data_dir`` and survives ``stop()`` and ``start()``. ``config`` is merged over our own.

    ``quiet`` also waits for the agent's second full synchronisation. It comes at a random moment
    of the first three seconds and writes entries again that differ only in null or empty: a
    recording across it cannot be repeated. The next one is a minute away.
    """

    name = "consul"
    start_limit = 40.0

    def __init__(
        self,
        *,
        dev: bool = True,
        quiet: bool = False,
        node: str = "oracle",
        config: Mapping[str, Any] | None = None,
        program: Path | None = None,
    ) -> None:
        """Prepare; ``program`` replaces the downloaded one."""
        super().__init__(len(_PORTS))
        self.node = node
        self._dev = dev
        self._quiet = quiet
        self._config = dict(config or {})
        self._program = program or binary()

    @property
    def ports(self) -> dict[str, int]:
        """Its ports by Consul's names."""
        return dict(zip(_PORTS, self.numbers, strict=True))

    @property
    def url(self) -> str:
        """Base address of the HTTP API, without a slash at the end."""
        return f"http://127.0.0.1:{self.ports['http']}"

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

    def command(self) -> Sequence[str | Path]:
        """Write its configuration; return the words that start it."""
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
        file = self.folder / "config.json"
        file.write_text(json.dumps(settings))
        mode = ["-dev"] if self._dev else [f"-data-dir={self.data_dir}"]
        return [self._program, "agent", *mode, f"-config-file={file}"]

    def serves(self) -> bool:
        """Say whether it leads and knows itself."""
        return self._knows_itself() and (not self._quiet or self._synced_twice())

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
