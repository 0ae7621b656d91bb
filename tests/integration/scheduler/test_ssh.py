"""A node by ssh behaves as a node by a socket."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.pinnace import Pinnace, until
from tests.support.sshd import Sshd, ssh_server

pytestmark = pytest.mark.engine

SHOP = """
services:
  front:
    image: web
    ports: ["80"]
    network_mode: bridge
    deploy: {replicas: 2, restart_policy: {delay: 1s}}
"""


@pytest.fixture
def server(engine: PrivateEngine, tmp_path: Path) -> Iterator[Sshd]:
    folder = tmp_path / "ssh"
    folder.mkdir()
    with ssh_server(folder, DOCKER_HOST=engine.url, PATH=os.environ["PATH"]) as running:
        yield running
    found = engine.docker("ps", "-aq", "--filter", "label=pinnace.stack").split()
    if found:
        engine.docker("rm", "-f", "-v", *found)


def test_a_stack_runs_on_a_node_behind_ssh(
    engine: PrivateEngine, server: Sshd, tmp_path: Path
) -> None:
    nodes, file = tmp_path / "nodes.json", tmp_path / "compose.yaml"
    endpoint = f"ssh://root@127.0.0.1:{server.port}"
    nodes.write_text(json.dumps([{"name": "far", "endpoint": endpoint}]))
    file.write_text(SHOP)
    env = {
        "PATH": f"{server.programs}:{os.environ['PATH']}",
        "XDG_RUNTIME_DIR": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
    }
    words = ("--stack", str(file), "--nodes", str(nodes))
    with Pinnace("unix:///nowhere", *words, env=env, lb=False) as pinnace:
        until(lambda: len(pinnace.instances("front")) == 2)
        first = engine.docker("ps", "-q", "--filter", "label=pinnace.slot=1")
        engine.docker("kill", first)
        until(lambda: first not in engine.docker("ps", "-q"))
        until(lambda: len(engine.docker("ps", "-q").split()) == 2)
        until(lambda: len(pinnace.instances("front")) == 2)
        instances = pinnace.json("/v1/catalog/service/front")
        assert {each["Node"] for each in instances} == {"far"}
        engine.kill()
        until(lambda: any(each["state"] == "suspect" for each in pinnace.log("node")))
        engine.start_daemon()
        until(lambda: pinnace.log("node")[-1]["state"] == "up")
