"""Templates and paths in the whole program, on a real engine and a real HAProxy."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.containers import Containers
from tests.support.pinnace import Pinnace, until

pytestmark = [pytest.mark.engine, pytest.mark.haproxy]


def maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def resident(pid: int) -> float:
    """Return the resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def test_a_file_follows_containers_and_jinja_is_loaded_for_it_alone(
    engine: PrivateEngine, containers: Containers, tmp_path: Path
) -> None:
    source, destination = tmp_path / "web.j2", tmp_path / "web.conf"
    source.write_text("{% for one in service('web').ready %}{{ one.port }} {% endfor %}")
    config = tmp_path / "pinnace.toml"
    config.write_text(
        f"[[template]]\nsource = '{source}'\ndestination = '{destination}'\n"
        f"reload = ['/bin/cp', '{{src}}', '{tmp_path}/told']\n"
    )
    name = containers.run("early", "-e", "SERVICE_NAME=web")
    with Pinnace(engine.url, "-c", str(config)) as pinnace:
        until(destination.exists)
        assert destination.read_text() == f"{containers.port(name)} "
        more = containers.run("late", "-e", "SERVICE_NAME=web")
        both = {str(containers.port(one)) for one in (name, more)}
        until(lambda: set(destination.read_text().split()) == both)
        until(lambda: (tmp_path / "told").read_text() == destination.read_text())
        shown = subprocess.run(
            [sys.executable, "-m", "sidecar.cli", "render", "-c", str(config),
             "--http", f"127.0.0.1:{pinnace.http_port}"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        assert shown.stdout == destination.read_text()
        assert "markupsafe" in maps(pinnace.pid)
    with Pinnace(engine.url) as plain:
        until(lambda: plain.services() == {"web"})
        assert "markupsafe" not in maps(plain.pid)
        assert resident(plain.pid) < 60


def test_containers_share_a_host_by_paths_as_they_say(
    engine: PrivateEngine, containers: Containers
) -> None:
    with Pinnace(engine.url) as pinnace:
        web = containers.run("web", "-e", "VIRTUAL_HOST=shop.example.org")
        api = containers.run(
            "api", "-e", "VIRTUAL_HOST=shop.example.org", "-e", "VIRTUAL_PATH=/api/",
            "-e", "VIRTUAL_DEST=/", "-e", "NETWORK_ACCESS=internal",
        )  # fmt: skip
        multi = containers.run(
            "multi", "-e", "SERVICE_NAME=other",
            "-e", "VIRTUAL_HOST_MULTIPORTS=shop.example.org:\n  /m:\n    port: 80\n    dest: /\n",
        )  # fmt: skip
        until(lambda: pinnace.fetch("shop.example.org", "/m") == (200, multi))
        until(lambda: pinnace.fetch("shop.example.org", "/api") == (200, api))
        for _ in range(4):  # one image, so one service, but two sites
            assert pinnace.fetch("shop.example.org", "/") == (200, web)
            assert pinnace.fetch("shop.example.org", "/api") == (200, api)
        assert pinnace.bodies("web.localhost", 8) == {web, api}
