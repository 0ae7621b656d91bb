"""Checks that labels define, run by the program itself on a real engine."""

from typing import Any

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.containers import Containers
from tests.support.pinnace import Pinnace, until

pytestmark = pytest.mark.engine

EVERY = ("-e", "SERVICE_CHECK_INTERVAL=1s")


def named(name: str) -> tuple[str, str]:
    return "-e", f"SERVICE_NAME={name}"


def statuses(pinnace: Pinnace, service: str) -> dict[str, str]:
    entries: list[dict[str, Any]] = pinnace.json(f"/v1/health/service/{service}")
    checks = [check for entry in entries for check in entry["Checks"]]
    return {check["CheckID"].rpartition(":")[2]: check["Status"] for check in checks}


def test_a_check_of_a_label_decides_whether_a_name_is_answered(
    engine: PrivateEngine, containers: Containers
) -> None:
    with Pinnace(engine.url, lb=False) as pinnace:
        good = containers.run(
            "good", "-e", "SERVICE_NAME=good", "-e", "SERVICE_CHECK_HTTP=/", *EVERY
        )
        containers.run("bad", "-e", "SERVICE_NAME=bad", "-e", "SERVICE_CHECK_HTTP=/none", *EVERY)
        containers.run("fed", "-e", "SERVICE_NAME=fed", "-e", "SERVICE_CHECK_TTL=1s")
        until(lambda: pinnace.srv_ports("good") == {containers.port(good)})
        until(lambda: pinnace.srv_ports("fed") != set())
        assert set(statuses(pinnace, "good").values()) == {"passing"}
        (entry,) = pinnace.json("/v1/health/service/bad")
        until(lambda: any("404" in c["Output"] for c in pinnace.json("/v1/agent/checks").values()))
        assert pinnace.srv_ports("bad") == set()
        assert entry["Service"]["Meta"]["check_http"] == "/none"


def test_a_command_of_a_label_is_not_run_and_costs_nothing_else(
    engine: PrivateEngine, containers: Containers
) -> None:
    with Pinnace(engine.url, lb=False) as pinnace:
        name = containers.run("cmd", "-e", "SERVICE_NAME=cmd", "-e", "SERVICE_CHECK_SCRIPT=id")
        until(lambda: pinnace.srv_ports("cmd") == {containers.port(name)})
        assert pinnace.json("/v1/health/service/cmd")[0]["Checks"][1:] == []
        (told,) = [line for line in pinnace.log("label problem") if "never" in line["problem"]]
        assert told["label"] == "SERVICE_CHECK_SCRIPT"
