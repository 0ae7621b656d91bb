"""Labels of the load balancer on the whole program, as a user sees them."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.certificates import make
from tests.support.containers import Containers
from tests.support.pinnace import Pinnace, until
from tests.support.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.haproxy]


def curl(port: int, host: str) -> str:
    """Return text, status and version of HTTP of an answer by TLS."""
    done = subprocess.run(
        ["curl", "-sk", "--max-time", "10", "-w", " %{http_code} %{http_version}",
         "--connect-to", f"::127.0.0.1:{port}", f"https://{host}/"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout


def test_labels_of_containers_decide_shares_and_tls(
    engine: PrivateEngine, containers: Containers, tmp_path: Path
) -> None:
    folder = tmp_path / "certificates"
    folder.mkdir()
    make(folder, "shop.example.org")
    tls = free_port()
    settings = {
        "PINNACE_LB__TLS_LISTEN": f"127.0.0.1:{tls}", "PINNACE_LB__CERTIFICATES": str(folder),
    }  # fmt: skip
    with Pinnace(engine.url, env=settings) as pinnace:
        web = ("-e", "SERVICE_NAME=shop", "-e", "VIRTUAL_HOST=shop.example.org")
        both = (*web, "-e", "HTTPS_METHOD=noredirect")
        heavy = containers.run("heavy", *both, "-l", "pinnace.weight=3")
        light = containers.run("light", *both)
        canary = containers.run("canary", *both, "-l", "pinnace.canary=20")
        spare = containers.run("spare", *both, "-l", "pinnace.backup=true")
        strict = containers.run(
            "strict", "-e", "SERVICE_NAME=strict", "-e", "VIRTUAL_HOST=a.shop.example.org",
            "-e", "HSTS=max-age=60",
        )  # fmt: skip
        names = {heavy, light, canary}
        until(lambda: pinnace.bodies("shop.example.org", 20) == names, 30)
        until(lambda: pinnace.fetch("a.shop.example.org", "/")[0] == 301, 30)
        found = Counter(pinnace.fetch("shop.example.org", "/")[1] for _ in range(100))
        assert found == {heavy: 60, light: 20, canary: 20}
        body, status, version = curl(tls, "shop.example.org").split()
        assert (body in names, status, version) == (True, "200", "2")
        assert curl(tls, "a.shop.example.org").split()[0] == strict
        containers.remove(heavy, light, canary)
        until(lambda: pinnace.bodies("shop.example.org", 4) == {spare}, 30)
