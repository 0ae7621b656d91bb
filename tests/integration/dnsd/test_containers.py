"""Containers ask us by Docker's ``--dns``."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.containers import Containers
from tests.support.dnsd import Fixed
from tests.support.pinnace import Pinnace, until

BOTH = ["10.0.0.1", "10.0.0.2"]


@pytest.mark.engine
def test_a_container_finds_services_by_short_and_long_names(
    engine: PrivateEngine, containers: Containers
) -> None:
    listen = f"127.0.0.1:0,{engine.gateway}:53"
    with Fixed({"web": BOTH}, listen):
        name = containers.run(
            *("asker", "--dns", engine.gateway, "--dns-search", "service.consul"),
            publish=False,
        )

        def found(asked: str) -> list[str]:
            out = engine.docker("exec", name, "busybox", "nslookup", asked, check=False)
            return sorted(re.findall(r"10\.0\.0\.\d", out))

        until(lambda: found("web.service.consul") == BOTH, 30)
        until(lambda: found("web") == BOTH, 30)


@pytest.mark.engine
def test_the_whole_program_tells_why_and_takes_new_settings(
    engine: PrivateEngine, containers: Containers, tmp_path: Path
) -> None:
    config = tmp_path / "pinnace.toml"
    config.write_text("[dns]\nttl = 3\n")
    with Pinnace(engine.url, "-c", str(config), lb=False) as pinnace:
        containers.run("shop", "--label", "SERVICE_NAME=shop")
        program = str(Path(sys.executable).with_name("pinnace"))
        command = [program, "dig", "shop.service.consul", "SRV", "--json"]
        command += ["--http", f"127.0.0.1:{pinnace.http_port}"]

        def dug() -> dict[str, Any]:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found: dict[str, Any] = json.loads(done.stdout)
            return found

        until(lambda: dug()["named"], 30)
        assert {record["ttl"] for record in dug()["answer"]} == {3}
        config.write_text("[dns]\nttl = 4\n")
        assert pinnace.pid
        os.kill(pinnace.pid, signal.SIGHUP)
        until(lambda: {record["ttl"] for record in dug()["answer"]} == {4}, 30)
