"""The compose example and the dashboards say what the programs know."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter.http.rules import targets_of
from adapter.jmx.config import settings_of
from adapter.statsd.flags import parse
from adapter.statsd.mapping import mapping_of
from adapter.statsd.options import options_of

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/adapters/compose.yaml").read_text())
DASHBOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))


def content(name: str) -> str:
    """Return a file of the example as a container sees it."""
    text = COMPOSE["configs"][name]["content"]
    assert isinstance(text, str)
    return text.replace("$$", "$")


def test_its_files_are_right() -> None:
    assert len(mapping_of(content("statsd"), "statsd.yml").rules) == 1
    assert len(targets_of(content("http"), "http.yml", {})[0].rules) == 2
    assert settings_of(content("jmx"), "jmx.yml", {}).targets[0].name == "127.0.0.1:9010"
    assert "/v1/pinnace/http_sd?tag=metrics" in content("prometheus")
    yaml.safe_load(content("prometheus"))
    yaml.safe_load(content("grafana-boards"))


@pytest.mark.parametrize(("pod", "port"), [("shop", 9102), ("queue", 9103), ("orders", 9404)])
def test_an_adapter_shares_its_applications_namespace_and_is_registered(
    pod: str, port: int
) -> None:
    application, adapter = COMPOSE["services"][pod], COMPOSE["services"][f"{pod}-adapter"]
    assert adapter["network_mode"] == f"service:{pod}"
    assert adapter["read_only"]
    assert adapter["cap_drop"] == ["ALL"]
    assert application["ports"] == [f"127.0.0.1::{port}"]
    assert application["labels"][f"SERVICE_{port}_TAGS"] == "metrics"
    assert adapter["healthcheck"]["test"][-1] == f"127.0.0.1:{port}"


def test_the_command_line_of_the_statsd_adapter_is_right() -> None:
    _, kind, *words = COMPOSE["services"]["shop-adapter"]["command"]
    options = options_of(parse(words))
    assert kind == "statsd"
    assert options.web.port == 9102
    assert options.mapping == "/etc/adapter/statsd.yml"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_json_with_a_name_of_their_own(path: Path) -> None:
    # That there is everything they show: tests/integration/deploy/test_adapters.py.
    board = json.loads(path.read_text())
    assert board["uid"].startswith("pinnace-")
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["targets"] for panel in board["panels"])
