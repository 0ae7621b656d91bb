"""``pinnace stack simulate``: a stack on made-up nodes, with faults."""

import json
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import ConfigError
from sidecar.scheduler.commands.planning import Progress
from sidecar.scheduler.faults import faults_of
from tests.support.office import Ran, ran

STACK = "name: shop\nservices: {web: {image: x, deploy: {replicas: 3}}, db: {image: y}}"


def _run(folder: Path, *words: str, stack: str = STACK, faults: Any = None, size: int = 3) -> Ran:
    (folder / "s.yaml").write_text(stack)
    nodes = [{"name": f"n{n}", "cpus": 4, "memory": "4g"} for n in range(1, size + 1)]
    (folder / "n.json").write_text(json.dumps(nodes))
    more = []
    if faults is not None:
        (folder / "f.json").write_text(json.dumps(faults))
        more = ["--faults", str(folder / "f.json")]
    files = [str(folder / "s.yaml"), "--nodes", str(folder / "n.json")]
    return ran("stack", ["simulate", *files, *more, *words])


def _found(told: Ran) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told.out)
    return found


def test_it_tells_what_happens_and_how_it_ends(tmp_path: Path) -> None:
    told = _run(tmp_path)
    assert told.status == 0, told.err
    assert "create     shop/web/1 on" in told.out
    assert "shop/web: idle, 3 of 3 ready" in told.out
    found = _found(_run(tmp_path, "--json"))
    assert found["ended"] < 120
    assert {each["service"]: each["ready"] for each in found["services"]} == {
        "shop/web": 3, "shop/db": 1,
    }  # fmt: skip


def test_a_lost_node_is_survived(tmp_path: Path) -> None:
    faults = [{"at": 60, "do": "off", "on": "n1"}, {"at": 20, "do": "crash", "on": "web/1"}]
    found = _found(_run(tmp_path, "--json", faults=faults))
    kinds = [each["what"] for each in found["events"]]
    assert kinds.index("fault: crash") < kinds.index("fault: off")
    assert [each["ready"] for each in found["services"]] == [3, 1]
    assert all("n1" not in each["nodes"] or each["ready"] for each in found["services"])


def test_it_tells_how_far_it_is_where_that_takes_long(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter([0.0, 4.9, 5.0, 5.1, 6.0, 10.2, 10.3])
    progress = Progress(300.0, lambda: next(seconds))
    for look in range(4):
        progress(float(look), 10 * look)
    assert capsys.readouterr().err.splitlines() == [
        "simulated 1 s of 300 s at most, 10 events", "simulated 3 s of 300 s at most, 30 events",
    ]  # fmt: skip


@pytest.mark.parametrize("do", ["down", "suspect", "drain"])
def test_nodes_can_fail_in_many_ways(tmp_path: Path, do: str) -> None:
    faults = [{"at": 30, "do": do, "on": "n1"}, {"at": 90, "do": "up", "on": "n1"}]
    assert _run(tmp_path, faults=faults).status == 0


def test_what_has_no_place_is_3(tmp_path: Path) -> None:
    text = STACK.replace("replicas: 3", "replicas: 3, placement: {constraints: [a==b]}")
    told = _run(tmp_path, stack=text)
    assert (told.status, "constraint a==b: 3" in told.out) == (3, True)


def test_what_fails_for_good_is_4(tmp_path: Path) -> None:
    text = STACK.replace("image: y", "image: y, restart: 'no', healthcheck: {test: [CMD, x]}")
    faults = [{"at": 30, "do": "sicken", "on": "db/1"}, {"at": 60, "do": "crash", "on": "db/1"}]
    told = _run(tmp_path, stack=text, faults=faults)
    assert (told.status, "fault: sicken" in told.out) == (4, True)


def test_when_most_nodes_are_away_an_alarm_is_told(tmp_path: Path) -> None:
    faults = [{"at": 30, "do": "down", "on": name} for name in ("n1", "n2")]
    assert "alarm      2 of 3 nodes" in _run(tmp_path, faults=faults).out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "f.json: "), ("{}", "must be a list"), ("[1]", "an object with at, do and on"),
        ('[{"at": -1, "do": "up", "on": "n1"}]', "seconds from 0 on"),
        ('[{"at": 1, "do": "dance", "on": "n1"}]', "do must be one of down"),
        ('[{"at": 1, "do": "up", "on": "n9"}]', "there is no node 'n9'"),
        ('[{"at": 1, "do": "crash", "on": "web"}]', "on must be a node's name, or SERVICE/SLOT"),
        ('[{"at": 1, "do": [], "on": "n1"}]', "do must be one of"),
        ('[{"at": 1, "do": "off", "on": []}]', "on must be a node's name"),
        ("[" * 50_000, "nested too deeply"),
    ],
)  # fmt: skip
def test_wrong_faults_are_told(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        faults_of(text, "f.json", ["n1"])
