"""``pinnace stack check`` and ``plan``."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from sidecar.cli import main

STACK = """
name: shop
services:
  web:
    image: nginx
    ports: ["8080:80"]
    deploy: {replicas: 2}
  cache:
    image: redis
    network_mode: service:web
"""


def _node(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "labels": {}, "cpus": 2, "memory": "2g", "healthy": True, **more}


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "stack.yaml").write_text(STACK)
    (tmp_path / "nodes.json").write_text(json.dumps([_node("n1"), _node("n2")]))
    return str(tmp_path / "stack.yaml"), str(tmp_path / "nodes.json")


def _plan(*words: str) -> int:
    return main(["pinnace", "stack", "plan", *words])


def test_a_plan_says_where_everything_goes(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    stack, nodes = files
    assert _plan(stack, "--nodes", nodes, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["refusals"] == []
    where = {(each["service"], each["slot"]): each["node"] for each in found["placements"]}
    assert {where["web", 1], where["web", 2]} == {"n1", "n2"}
    assert where["cache", 1] == where["web", 1]
    assert _plan(stack, "--nodes", nodes) == 0
    assert "web.1" in capsys.readouterr().out


def test_what_has_no_place_is_told_and_the_status_is_3(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [_node("n1", containers=[{"name": "old", "ports": ["8080:80"]}]), _node("n2")]
    (tmp_path / "nodes.json").write_text(json.dumps(nodes))
    assert _plan(files[0], "--nodes", files[1], "--json") == 3
    refusals = json.loads(capsys.readouterr().out)["refusals"]
    assert [each["slot"] for each in refusals] == [2]
    assert any("held by old on n1" in each for each in refusals[0]["reasons"])
    assert _plan(files[0], "--nodes", files[1]) == 3
    assert "would take it but for" in capsys.readouterr().out


def test_what_runs_already_stays(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = {"pinnace.stack": "shop", "pinnace.service": "web", "pinnace.slot": "2"}
    held = {"name": "shop_web_2", "labels": ours, "ports": [8080], "running": True}
    (tmp_path / "nodes.json").write_text(json.dumps([_node("n1", containers=[held]), _node("n2")]))
    assert _plan(files[0], "--nodes", files[1], "--json") == 0
    placed = json.loads(capsys.readouterr().out)["placements"]
    assert [(each["service"], each["slot"]) for each in placed] == [("web", 1), ("cache", 1)]


def test_a_global_service_goes_to_every_node(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stack.yaml").write_text(
        "services: {agent: {image: x, deploy: {mode: global}}}", "utf-8"
    )
    assert _plan(files[0], "--nodes", files[1], "--json") == 0
    placed = json.loads(capsys.readouterr().out)["placements"]
    assert placed == [
        {"service": "agent", "slot": "n1", "node": "n1"},
        {"service": "agent", "slot": "n2", "node": "n2"},
    ]


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ("{", "nodes.json:1:2: "), ("{}", "the document: must be a list"),
        ('[{"name": ""}]', "[0].name: must be a text that is not empty"),
        ('[{"name": "a"}, {"name": "a"}]', "two nodes are called 'a'"),
        ('[{"name": "a", "cpu": 1}]', "[0].cpu: unknown key"),
        ('[{"name": "a", "cpus": "many"}]', '"many" is no number'),
        ('[{"name": "a", "memory": "much"}]', "'much' is no size"),
        ('[{"name": "a", "memory": true}]', "true is no number of bytes"),
        ("[" * 50_000, "nested too deeply"),
        ('["a"]', "[0]: must be an object"),
        ('[{"name": "a", "images": {"i": 5}}]', "images.i: must be a list"),
        ('[{"name": "a", "cpus": []}]', "[0].cpus: [] is no number from 0"),
        ('[{"name": "a", "cpus": false}]', "false is no number from 0"),
        ('[{"name": "a", "cpus": NaN}]', "NaN is no number from 0"),
        (f'[{{"name": "a", "cpus": {"9" * 400}}}]', "99... is no number from 0"),
        (f'[{{"name": "a", "cpus": {"9" * 5000}}}]', "nodes.json: Exceeds the limit"),
        ('[{"name": "a", "memory": {}}]', "{} is no number of bytes"),
        ('[{"name": "a", "name": "b"}]', "the key 'name' is twice in one object"),
        ('[{"name": "a", "labels": 0}]', "must be an object of texts"),
        ('[{"name": "a", "leader_capable": "yes"}]', "leader_capable: must be true or false"),
        ('[{"name": "a", "images": [1]}]', "images: must be a list of texts"),
        ('[{"name": "a", "containers": [{"running": "no"}]}]', "running: must be true or false"),
        ('[{"name": "a", "containers": [{"host_network": 1}]}]', "must be true or false"),
        (
            '[{"name": "a", "containers": [{"name": "x"}, {"name": "/x"}]}]',
            "[0].containers[0]: two containers are called 'x'",
        ),
        ('[{"name": "a", "containers": [{"ports": [{"prot": 80}]}]}]', "'prot' is no key of"),
        ('[{"name": "a", "containers": [{"ports": [{"host": true}]}]}]', "[0]: true is no port"),
        (f'[{{"name": "a", "containers": [{{"ports": [{"9" * 99}]}}]}}]', "99... is no port"),
        ('[{"name": "a", "healthy": 1}]', "must be true or false"),
        ('[{"name": "a", "state": "odd"}]', "must be one of joining"),
        ('[{"name": "a", "images": 3}]', "must be names of images"),
        ('[{"name": "a", "labels": 3}]', "must be an object of texts"),
        ('[{"name": "a", "containers": [{"ports": ["x"]}]}]', "containers[0].ports[0]: 'x'"),
        ('[{"name": "a", "containers": [{"ports": [[]]}]}]', "[] is no port"),
    ],
)  # fmt: skip
def test_wrong_nodes_are_told_with_their_path(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    nodes: str, says: str,
) -> None:  # fmt: skip
    (tmp_path / "nodes.json").write_text(nodes)
    assert _plan(files[0], "--nodes", files[1]) == 1
    assert says in capsys.readouterr().err


def test_ports_of_containers_have_many_forms(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forms: list[Any] = [
        8080, "8080", "8080:80", "0.0.0.0:8080:80/tcp",
        {"host_port": 8080, "protocol": "tcp"}, {"PublicPort": 8080, "Type": "tcp", "IP": "::"},
        "0.0.0.0:8080->80/tcp", ":::8080->80/tcp", "[::]:8080->80/tcp", "8079-8081->79-81/tcp",
        {"published": "8080-8081", "target": 80},
    ]  # fmt: skip
    held = [_node(f"n{n}", containers=[{"name": "x", "ports": [f]}]) for n, f in enumerate(forms)]
    (tmp_path / "nodes.json").write_text(json.dumps(held))
    assert _plan(files[0], "--nodes", files[1], "--json") == 3
    assert json.loads(capsys.readouterr().out)["placements"] == []


def test_what_is_null_is_not_given(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = "labels", "containers", "state", "images", "reserve", "overcommit"
    private = {"name": "x", "ports": [{"PrivatePort": 8080, "Type": "tcp"}]}
    labels = ["zone=a", "bare"]
    other = _node("n2", containers=[private], labels=labels, images={"i": ["x:1"]})
    text = json.dumps([_node("n1", **dict.fromkeys(names)), other])
    (tmp_path / "nodes.json").write_text(f"\ufeff{text}")  # as some editors begin a file
    assert _plan(files[0], "--nodes", files[1], "--json") == 0
    assert json.loads(capsys.readouterr().out)["refusals"] == []


@pytest.mark.parametrize("images", [["redis:7"], {"sha256:1": ["redis:7", "redis:8"]}])
def test_images_of_a_node_can_be_asked_for(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], images: Any
) -> None:
    (tmp_path / "stack.yaml").write_text(
        "services: {a: {image: x, environment: ['affinity:image==redis']}}"
    )
    nodes = [_node("n1"), _node("n2", images=images), _node("n3", images={})]
    (tmp_path / "nodes.json").write_text(json.dumps(nodes))
    assert _plan(files[0], "--nodes", files[1], "--json") == 0
    assert json.loads(capsys.readouterr().out)["placements"][0]["node"] == "n2"


def test_check_tells_the_order_and_reads_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(STACK))
    assert main(["pinnace", "stack", "check", "-", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"stack": "shop", "services": ["web", "cache"], "stay": []}


def test_strict_takes_warnings_for_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.yaml").write_text("version: '2'\nservices: {a: {image: x}}")
    path = str(tmp_path / "s.yaml")
    assert main(["pinnace", "stack", "check", path]) == 0
    assert "warning: version" in capsys.readouterr().err
    assert main(["pinnace", "stack", "check", path, "--strict"]) == 1
    assert main(["pinnace", "stack", "check", str(tmp_path / "none.yaml")]) == 1
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "s.yaml").write_bytes(b"\xff")
    assert main(["pinnace", "stack", "check", path]) == 1
    assert main(["pinnace", "stack"]) == 2


def test_classic_reads_shares_as_cpus_and_rounds_overcommit_down(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stack.yaml").write_text("services: {a: {image: x, cpu_shares: 2, scale: 2}}")
    (tmp_path / "nodes.json").write_text(json.dumps([_node("n1")]))
    assert _plan(files[0], "--nodes", files[1], "--compat", "classic", "--json") == 3
    assert len(json.loads(capsys.readouterr().out)["placements"]) == 1
    assert _plan(files[0], "--nodes", files[1], "--json") == 0
