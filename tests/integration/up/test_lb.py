"""``pinnace lb show`` and an attached HAProxy on the whole program."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import Containers
from tests.support.load import Load
from tests.support.pinnace import Pinnace, until

pytestmark = pytest.mark.haproxy


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="pnc-") as name:
        yield Path(name)


def register(pinnace: Pinnace, service: str, port: int, **meta: str) -> None:
    body = {"Name": service, "ID": service, "Address": "127.0.0.1", "Port": port, "Meta": meta}
    connection = http.client.HTTPConnection("127.0.0.1", pinnace.http_port, timeout=10)
    connection.request("PUT", "/v1/agent/service/register", json.dumps(body))
    assert connection.getresponse().status == 200
    connection.close()


def show(pinnace: Pinnace, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [pinnace.command[0], "lb", "show", "--http", f"127.0.0.1:{pinnace.http_port}"]
    return subprocess.run([*command, *words], capture_output=True, text=True, check=False)


def test_what_the_load_balancer_does_is_shown() -> None:
    with Pinnace("unix:///nowhere", wait=False) as pinnace, Server() as port:
        until(lambda: pinnace.fetch("nobody.localhost")[0] == 404)  # it has begun to serve
        register(pinnace, "web", port, **{"pinnace-http-host": "a.example.org/api"})
        register(pinnace, "other", port)
        until(lambda: pinnace.fetch("web.localhost")[0] == 200)
        until(lambda: pinnace.fetch("other.localhost")[0] == 200)
        found = show(pinnace)
        assert (found.returncode, found.stderr) == (0, "")
        lines = found.stdout.splitlines()
        assert f" on 127.0.0.1:{pinnace.lb_port}: connections " in lines[0]
        assert any(line.split() == ["a.example.org/api", "web"] for line in lines)
        (row,) = [line.split() for line in lines if line.startswith("web ")]
        assert row[3:5] == [f"127.0.0.1:{port}", "ready"]
        only = json.loads(show(pinnace, "--json", "--service", "other").stdout)
        assert [one["service"] for one in only["upstreams"]] == ["other"]
        assert only["last_reload"]["why"].startswith("new upstream http.")
        assert only == {**only, "kind": "haproxy", "attached": None}


def test_without_a_load_balancer_that_is_said() -> None:
    with Pinnace("unix:///nowhere", wait=False, lb=False) as pinnace:
        until(lambda: pinnace.get("/healthz")[0] == 200)
        found = show(pinnace)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == "pinnace lb: no load balancer runs there (lb.kind = none)\n"


@pytest.mark.engine
def test_an_attached_haproxy_serves_on_through_a_killed_pinnace(
    folder: Path, containers: Containers
) -> None:
    env = {"PINNACE_LB__DIR": str(folder), "PINNACE_LB__ATTACH": str(folder / "m.sock")}
    with Pinnace(containers.engine.url, env=env, wait=False) as pinnace:
        until((folder / "haproxy.cfg").exists)
        program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") or ""
        words = [program, "-W", "-S", f"{folder}/m.sock", "-f", f"{folder}/haproxy.cfg"]
        haproxy = subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            pinnace.until_ready()
            web = containers.run("web", "-e", "SERVICE_NAME=web")
            until(lambda: pinnace.bodies("web.localhost", 1) == {web})
            with Load(pinnace.lb_port, "web.localhost", clients=4, pause=0.005) as load:
                pinnace.kill()
                other = containers.run("other", "-e", "SERVICE_NAME=other")
                pinnace.start()
                until(lambda: pinnace.bodies("other.localhost", 1) == {other})
            assert load.failures == []
            assert haproxy.poll() is None
            assert f"attached by {folder}/m.sock" in show(pinnace).stdout
        finally:
            os.killpg(haproxy.pid, signal.SIGKILL)
            haproxy.wait()


class Server:
    """A web server in a process of its own."""

    def __enter__(self) -> int:
        """Start it, return its port."""
        backend = Path(__file__).parents[1] / "templater" / "backend.py"
        self._process = subprocess.Popen(
            [sys.executable, str(backend), "1"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()
