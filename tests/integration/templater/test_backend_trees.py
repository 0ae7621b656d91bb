"""The drop-in on real stores that keep trees: etcd by both its APIs, and ZooKeeper."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError

from deploy.tools.etcd import Etcd
from deploy.tools.zookeeper import ZooKeeper
from tests.support.confd import Confd
from tests.support.pinnace import until


class Tree(Protocol):
    """A store, filled as somebody else would."""

    arguments: tuple[str, ...]

    def put(self, key: str, value: str) -> None: ...

    def delete(self, key: str) -> None: ...

    def stop(self) -> None: ...

    def start(self) -> None: ...


class _Etcd3:
    def __init__(self) -> None:
        self.server = Etcd(v2=True)
        self.server.start()
        self.arguments = ("-backend", "etcdv3", "-node", f"127.0.0.1:{self.server.port}")

    def put(self, key: str, value: str) -> None:
        self.server.put(key, value)

    def delete(self, key: str) -> None:
        self.server.delete(key)

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server.start()

    def close(self) -> None:
        self.server.__exit__()


class _Etcd2(_Etcd3):
    def __init__(self) -> None:
        super().__init__()
        node = f"http://127.0.0.1:{self.server.port}"
        self.arguments = ("-backend", "etcdv2", "-node", node)

    def put(self, key: str, value: str) -> None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _ = self.server.ask("PUT", f"/v2/keys{key}", f"value={quote(value)}", **form)
        assert status in {200, 201}

    def delete(self, key: str) -> None:
        assert self.server.ask("DELETE", f"/v2/keys{key}")[0] == 200


class _ZooKeeper:
    def __init__(self) -> None:
        self.server = ZooKeeper()
        self.server.start()
        self.client = KazooClient(self.server.address)
        self.client.start()
        self.arguments = ("-backend", "zookeeper", "-node", self.server.address)

    def put(self, key: str, value: str) -> None:
        with suppress(NodeExistsError):
            self.client.create(key, makepath=True)
        self.client.set(key, value.encode())

    def delete(self, key: str) -> None:
        self.client.delete(key)

    def stop(self) -> None:
        self.client.stop()
        self.server.stop()

    def start(self) -> None:
        self.server.start()
        self.client.start()

    def close(self) -> None:
        self.client.stop()
        self.client.close()
        self.server.__exit__()


@pytest.fixture(
    params=[
        pytest.param(_Etcd3, marks=pytest.mark.etcd, id="etcdv3"),
        pytest.param(_Etcd2, marks=pytest.mark.etcd, id="etcdv2"),
        pytest.param(_ZooKeeper, marks=pytest.mark.zookeeper, id="zookeeper"),
    ]
)
def tree(request: pytest.FixtureRequest) -> Iterator[Tree]:
    store = request.param()
    for number in range(6):
        store.put(f"/app/list/{number}", str(number))
    store.put("/app/host", "web")
    store.put("/apple", "by path, not by text")
    yield store
    store.close()


ALL = '{{range gets "/*"}}{{.Key}}={{.Value}};{{end}}{{range getvs "/list/*"}}{{.}}{{end}}'


def test_what_is_below_a_key_is_read_followed_and_kept_while_the_store_is_away(
    tmp_path: Path, tree: Tree
) -> None:
    with Confd(tmp_path) as confd:
        confd.backend = tree.arguments
        dest = confd.resource("web", ALL, prefix="/app", mode="0600")
        one = confd.resource("one", '{{getv "/host"}}', keys='["/host"]', prefix="/app")
        done = confd.once()
        assert done.returncode == 0, done.stderr
        assert dest.read_text() == "/host=web;012345"
        assert one.read_text() == "web"
        confd.start("-watch")
        tree.put("/app/host", "other")
        until(lambda: (dest.read_text(), one.read_text()) == ("/host=other;012345", "other"))
        tree.put("/app/new", "x")
        until(lambda: dest.read_text() == "/host=other;/new=x;012345")
        tree.delete("/app/new")
        tree.delete("/app/list/5")
        until(lambda: dest.read_text() == "/host=other;01234")
        tree.stop()
        until(lambda: confd.count("cannot be read") == 1, limit=20)
        assert dest.read_text() == "/host=other;01234"
        tree.start()
        tree.put("/app/host", "again")
        until(lambda: dest.read_text() == "/host=again;01234", limit=30)
        until(lambda: confd.count("is read again") == 1, limit=20)
        assert confd.count("cannot be read") == 1, "one line per change of state"
        assert confd.stop() == 0


@pytest.mark.zookeeper
def test_a_node_that_zookeeper_has_not_is_an_error(tmp_path: Path) -> None:
    with ZooKeeper() as server, Confd(tmp_path) as confd:
        confd.backend = ("-backend", "zookeeper", "-node", server.address)
        dest = confd.resource("web", "x", keys='["/nope"]')
        done = confd.once("-retry-max-attempts=1")
        assert done.returncode == 1
        assert "has no /nope" in done.stderr
        assert not dest.exists()
