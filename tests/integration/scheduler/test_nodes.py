"""Nodes that are listed while the program runs: in a folder of files, and by their agents."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.engine_host import EngineHost
from tests.support.pinnace import Pinnace, until

pytestmark = [pytest.mark.engine]

EACH = """
services:
  each:
    image: web
    ports: ["80"]
    network_mode: bridge
    deploy: {mode: global, restart_policy: {delay: 200ms}}
    x-pinnace: {drain: 100ms}
"""


@pytest.fixture
def host() -> Iterator[EngineHost]:
    made = EngineHost()
    try:
        made.start()
        made.build_images("web")
        yield made
    finally:
        made.stop()


def test_nodes_join_and_leave_by_a_folder_and_by_their_agents(
    engine: PrivateEngine, host: EngineHost, tmp_path: Path
) -> None:
    folder = tmp_path / "nodes"
    folder.mkdir()
    (folder / "n1.json").write_text(json.dumps([{"name": "n1", "endpoint": engine.url}]))
    file = tmp_path / "compose.yaml"
    file.write_text(EACH)
    env = {
        "XDG_RUNTIME_DIR": str(tmp_path),
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(host.root),
    }
    (host.root / "ca.pem").write_bytes(host.certificate.read_bytes())
    words = ("--stack", str(file), "--nodes", f"{folder},store:")
    with (
        ExitStack() as stack,
        Pinnace("unix:///nowhere", *words, env=env, lb=False) as here,
    ):
        until(lambda: _nodes(here) == {"n1"})
        agent = subprocess.Popen(
            [
                Path(sys.executable).with_name("pinnace"), "agent", "--node", "n2",
                "--store", f"consul://127.0.0.1:{here.http_port}", "--docker", host.url,
                "--endpoint", host.endpoint, "--label", "zone=b", "--log-level", "error",
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        stack.callback(agent.wait)
        stack.callback(agent.terminate)
        until(lambda: _nodes(here) == {"n1", "n2"})
        kept = host.docker("ps", "-q")
        (folder / "n1.json").unlink()
        until(lambda: _nodes(here) == {"n2"})
        (folder / "bad.json").write_text('[{"name": "n3"}]')
        until(lambda: any("bad.json" in str(each) for each in here.log("nodes not taken")))
        assert _nodes(here) == {"n2"}
        (folder / "bad.json").write_text(json.dumps([{"name": "n3", "endpoint": engine.url}]))
        until(lambda: _nodes(here) == {"n2", "n3"})
        assert kept
        assert host.docker("ps", "-q") == kept
    left = engine.docker("ps", "-aq", "--filter", "label=pinnace.stack").split()
    engine.docker("rm", "-f", *left)


def _nodes(here: Pinnace) -> set[str]:
    """Return on which nodes the catalogue has a copy."""
    return {each["Node"]["Node"] for each in here.instances("each").values()}
