"""``pinnace up`` that writes to several stores at once, and what it tells of their secrets."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from deploy.tools.consul import Consul
from deploy.tools.etcd import Etcd
from deploy.tools.freezing import freeze, thaw
from deploy.tools.zookeeper import ZooKeeper
from tests.support.containers import Containers
from tests.support.oracle import consul_program
from tests.support.pinnace import Pinnace, until

pytestmark = [pytest.mark.engine, pytest.mark.etcd, pytest.mark.zookeeper]

PATHS = (
    "/", "/readyz", "/healthz", "/metrics", "/v1/agent/self", "/v1/agent/services",
    "/v1/kv/?recurse", "/v1/catalog/service/web", "/v1/health/service/web", "/v1/pinnace/status",
)  # fmt: skip
SECRETS = ("c4n4ry-token", "c4n4ry-etcd", "c4n4ry-zoo", "c4n4ry-consul")


class Stores:
    """One of each kind, and how many instances of ``web`` each holds."""

    def __init__(self, consul: Consul, etcd: Etcd, zookeeper: ZooKeeper, client: Any) -> None:
        self.servers: dict[str, Consul | Etcd | ZooKeeper] = {
            "consul": consul,
            "etcd": etcd,
            "zookeeper": zookeeper,
        }
        self._client = client
        self.urls = (
            f"consul://{SECRETS[3]}:{SECRETS[3]}@127.0.0.1:{consul.ports['http']}",
            f"etcd://root:{SECRETS[1]}@127.0.0.1:{etcd.port}/services",
            f"zookeeper://127.0.0.1:{zookeeper.port}/services",
        )
        self.ports = (consul.ports["http"], etcd.port, zookeeper.port)
        self.counts: dict[str, Callable[[], int]] = {
            "consul": lambda: len(consul.get("/v1/catalog/service/web")[1] or []),
            "etcd": lambda: self._in_etcd(etcd),
            "zookeeper": self._in_zookeeper,
        }

    @staticmethod
    def _in_etcd(etcd: Etcd) -> int:
        # The prefix /services/web/ and the first key behind it, as etcd's gateway takes them.
        found = etcd.call("kv/range", key="L3NlcnZpY2VzL3dlYi8=", range_end="L3NlcnZpY2VzL3dlYjA=")
        return int(found.get("count", 0))

    def _in_zookeeper(self) -> int:
        try:
            return len(self._client.get_children("/services/web"))
        except NoNodeError:
            return 0


@pytest.fixture(scope="module")
def stores() -> Iterator[Stores]:
    with ExitStack() as stack:
        consul = stack.enter_context(Consul(program=consul_program()))
        etcd, zookeeper = stack.enter_context(Etcd()), stack.enter_context(ZooKeeper())
        client = KazooClient(zookeeper.address)
        client.start()
        stack.callback(client.close)
        stack.callback(client.stop)
        yield Stores(consul, etcd, zookeeper, client)


def up(containers: Containers, stores: Stores, *words: str) -> Pinnace:
    env = {
        "PINNACE_REGISTRAR__STORES": " ".join(stores.urls),
        "CONSUL_HTTP_TOKEN": SECRETS[0],
        "ZOOKEEPER_AUTH": f"registrar:{SECRETS[2]}",
    }
    return Pinnace(containers.engine.url, *words, env=env, lb=False)


def test_a_frozen_store_holds_no_other(containers: Containers, stores: Stores) -> None:
    with up(containers, stores) as pinnace:
        counts = dict(stores.counts)
        counts["embedded"] = lambda: len(pinnace.instances("web"))

        def until_all(number: int, within: float, but: str = "") -> None:
            for name, count in counts.items():
                if name != but:
                    until(lambda: count() == number, within)  # noqa: B023 - called at once

        containers.run("first", "-e", "SERVICE_NAME=web")
        until_all(1, 3)
        for name, server in stores.servers.items():
            freeze(server.pid)
            try:
                late = containers.run(f"late-{name}", "-e", "SERVICE_NAME=web")
                until_all(2, 0.5, but=name)
                containers.remove(late)
                until_all(1, 0.5, but=name)
                late = containers.run(f"last-{name}", "-e", "SERVICE_NAME=web")
                until_all(2, 0.5, but=name)
            finally:
                thaw(server.pid)
            until_all(2, 5)
            containers.remove(late)
            until_all(1, 3)


def test_no_secret_of_any_store_is_ever_told(containers: Containers, stores: Stores) -> None:
    containers.run("box", "-e", "SERVICE_NAME=web", "-e", "DB_PASSWORD=c4n4ry-password")
    with up(containers, stores, "--log-level", "debug") as pinnace:
        until(lambda: len(pinnace.instances("web")) == 1)
        for server in stores.servers.values():
            server.kill()
        until(lambda: pinnace.get("/readyz")[0] != 200 or "trying on" in pinnace.log_text())
        seen = [pinnace.log_text()]
        seen += [pinnace.get(path)[1].decode(errors="replace") for path in PATHS]
        seen += commands(pinnace.pid)
        explained = subprocess.run(
            [pinnace.command[0], "explain", "--json"],
            env={"PINNACE_REGISTRAR__STORES": " ".join(stores.urls)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert explained.returncode == 0
        assert json.loads(explained.stdout)
        seen += [explained.stdout, explained.stderr]
    for server in stores.servers.values():
        server.start()
    whole = "\n".join(seen)
    for port in stores.ports:
        assert f"127.0.0.1:{port}" in whole, "the store itself is named"
    assert "c4n4ry" not in whole


def commands(pid: int) -> list[str]:
    """Return the arguments of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{each}/cmdline").read_text() for each in (str(pid), *children)]
