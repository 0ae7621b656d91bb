"""Canaries and scaling by measures, on a real engine, a real HAProxy and a real nginx."""

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.load import Load
from tests.support.pinnace import Pinnace, until
from tests.support.prometheus import Prometheus

pytestmark = [pytest.mark.engine, pytest.mark.haproxy]

_SCRIPT = (
    "echo $$WHO > /www/index.html; "
    "f=/www/cgi-bin/who; cp /www/cgi-bin/slow $$f; echo '#!/bin/sh' > $$f; "
    """echo 'echo "Status: $$STATUS x"; echo; echo -n "$$WHO"' >> $$f; """
    "trap 'exit 0' TERM; httpd -f -p 80 -h /www & wait"
)
_SHOP = f"""
services:
  front:
    image: web
    entrypoint: ["sh", "-c", {json.dumps(_SCRIPT)}]
    environment: {{WHO: "%(who)s", STATUS: "%(status)s"}}
    ports: ["80"]
    network_mode: bridge
    stop_grace_period: 1s
    deploy: {{replicas: 2, update_config: {{parallelism: 2, monitor: 0s}}}}
    x-pinnace:
      drain: 1s
      canary: {{steps: [20], hold: 1s, min_requests: 50, deadline: 5m, auto_promote: false,
               match: {{header: {{X-Who: new}}}}}}
"""
_SCALED = """
services:
  front:
    image: web
    ports: ["80"]
    network_mode: bridge
    stop_grace_period: 1s
    x-pinnace:
      drain: 1s
      autoscale:
        max: 3
        period: 1s
        metrics: [requests: 10]
        down: {stabilisation: 3s, period: 1s}
"""


_MEASURED = """
services:
  busy: &small
    image: web
    entrypoint: ["sh", "-c", "while :; do :; done"]
    network_mode: bridge
    stop_grace_period: 0s
    cpus: 0.05
    x-pinnace: {drain: 0s, autoscale: {max: 2, period: 1s, metrics: [cpu: 20%%]}}
  fat:
    <<: *small
    entrypoint: ["sleep", "1000"]
    mem_limit: 8m
    x-pinnace: {drain: 0s, autoscale: {max: 2, period: 1s, metrics: [memory: 0.5%%]}}
  lazy:
    <<: *small
    entrypoint: ["sleep", "1000"]
    x-pinnace: {drain: 0s, autoscale: {max: 2, period: 1s, metrics: [cpu: 50%%, memory: 99%%]}}
  asked:
    <<: *small
    entrypoint: ["sleep", "1000"]
    x-pinnace:
      drain: 0s
      autoscale:
        max: 2
        period: 1s
        metrics: [{prometheus: {url: "http://127.0.0.1:%d", query: "vector(30)", target: 10}}]
"""


@pytest.fixture
def engine(engine: PrivateEngine) -> Iterator[PrivateEngine]:
    """The engine without what a stack left on it."""
    yield engine
    found = engine.docker("ps", "-aq", "--filter", "label=pinnace.stack").split()
    if found:
        engine.docker("rm", "-f", "-v", *found)


@pytest.fixture
def socket() -> Iterator[str]:
    """A path that is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="pnc-") as folder:
        yield f"{folder}/api"


def _started(
    engine: PrivateEngine, folder: Path, socket: str, stack: str, lb: str = "haproxy"
) -> Pinnace:
    file = folder / "compose.yaml"
    file.write_text(stack)
    env = {"PINNACE_SCHEDULER__API": socket, "XDG_STATE_HOME": str(folder)}
    words = ("--stack", str(file), "--log-level", "debug", "--lb", lb)
    return Pinnace(engine.url, *words, env=env)


def _ask(here: Pinnace, count: int, path: str = "/") -> "Counter[tuple[int, str]]":
    return Counter(here.fetch("front.localhost", path) for _ in range(count))


def _wanting(here: Pinnace, headers: dict[str, str], count: int) -> "Counter[tuple[int, str]]":
    return Counter(here.fetch("front.localhost", headers=headers) for _ in range(count))


def _shop(who: str, status: int = 200) -> str:
    return _SHOP % {"who": who, "status": status}


@pytest.mark.timeout(300)  # three rollouts
def test_a_canary_gets_its_share_to_the_point_and_is_aborted_when_it_fails(
    engine: PrivateEngine, tmp_path: Path, socket: str
) -> None:
    file = tmp_path / "compose.yaml"
    with _started(engine, tmp_path, socket, _shop("one")) as here:
        until(lambda: _ask(here, 3) == {(200, "one"): 3})
        until(lambda: len(here.instances("front")) == 2)
        file.write_text(_shop("two"))
        until(lambda: (200, "two") in _ask(here, 5))
        found = _ask(here, 400)
        print("share of canaries:", found[200, "two"] / 4, "%")
        assert found.keys() == {(200, "one"), (200, "two")}
        assert abs(found[200, "two"] / 4 - 20) <= 1
        new = [here.fetch("front.localhost", headers={"X-Who": "new"}) for _ in range(20)]
        assert new == [(200, "two")] * 20
        # What came before the counters were read first does not count.
        until(lambda: _ask(here, 20) and "it is to be promoted" in here.log_text())
        # Another process goes on where this one stood.
        here.stop()
        here.start()
        until(lambda: _trial(here, socket)["share"] == 20)
        assert _trial(here, socket)["phase"] == "waiting"
        until(lambda: (200, "two") in _ask(here, 10))
        _stack(here, socket, "promote", tmp_path.name, "front", "--detach")
        until(lambda: _ask(here, 20) == {(200, "two"): 20})
        # The next one answers with errors.
        until(lambda: len(_canaries(engine)) == 0)
        file.write_text(_shop("three", 503))
        until(lambda: (503, "three") in _ask(here, 5, "/cgi-bin/who"))
        until(lambda: _ask(here, 5, "/cgi-bin/who") and "was aborted" in here.log_text())
        until(lambda: len(_canaries(engine)) == 0)
        assert _ask(here, 20) == {(200, "two"): 20}


@pytest.mark.nginx
def test_canaries_are_judged_by_what_nginx_logs(
    engine: PrivateEngine, tmp_path: Path, socket: str
) -> None:
    file = tmp_path / "compose.yaml"
    with _started(engine, tmp_path, socket, _shop("one"), "nginx") as here:
        until(lambda: _ask(here, 3) == {(200, "one"): 3})
        until(lambda: len(here.instances("front")) == 2)
        file.write_text(_shop("two"))
        until(lambda: (200, "two") in _ask(here, 5))
        wants = {"X-Who": "new"}  # workers of before accept until those after a reload have begun
        until(lambda: _wanting(here, wants, 30) == {(200, "two"): 30})
        until(lambda: "it is to be promoted" in here.log_text() or not _ask(here, 20))
        file.write_text(_shop("three", 503))
        until(lambda: (503, "three") in _ask(here, 5, "/cgi-bin/who"))
        until(lambda: _ask(here, 5, "/cgi-bin/who") and "was aborted" in here.log_text())
        assert "requests failed, 0 of " in here.log_text()
        until(lambda: _ask(here, 20) == {(200, "one"): 20})


def _stack(here: Pinnace, socket: str, *words: str) -> str:
    command = [here.command[0], "stack", *words, "--api", socket]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _trial(here: Pinnace, socket: str) -> dict[str, Any]:
    stacks = json.loads(_stack(here, socket, "ps", "--json"))["stacks"]
    found = [each["trial"] for stack in stacks for each in stack["services"]]
    return found[0] if found and found[0] else {"share": None}


def _canaries(engine: PrivateEngine) -> list[str]:
    return engine.docker("ps", "-q", "--filter", "label=pinnace.role=canary").split()


def test_a_service_grows_with_its_requests_and_shrinks_without_them(
    engine: PrivateEngine, tmp_path: Path, socket: str
) -> None:
    with _started(engine, tmp_path, socket, _SCALED) as here:
        until(lambda: here.fetch("front.localhost")[0] == 200)
        with Load(here.lb_port, "front.localhost", clients=4, pause=0.08) as load:
            grown = until(lambda: len(here.instances("front")) == 3, pause=0.1)
            until(lambda: len(here.bodies("front.localhost", 12)) == 3)
        shrunk = until(lambda: len(here.instances("front")) == 1, pause=0.1)
        print(f"1 -> 3 within {grown:.1f} s, 3 -> 1 within {shrunk:.1f} s")
        assert load.failures == []


@pytest.mark.nginx
def test_a_service_behind_nginx_grows_with_its_requests_and_shrinks_without_them(
    engine: PrivateEngine, tmp_path: Path, socket: str
) -> None:
    stack = _SCALED.replace("stabilisation: 3s", "stabilisation: 1s")
    with _started(engine, tmp_path, socket, stack, "nginx") as here:
        # Workers of before accept until those after a reload have begun.
        until(lambda: {status for status, _ in _ask(here, 100)} == {200})
        # nginx ends idle connections when it is reloaded, so nobody keeps one.
        clients = Load(here.lb_port, "front.localhost", clients=4, pause=0.08, keep_alive=False)
        with clients as load:
            until(lambda: len(here.instances("front")) > 1, pause=0.1)
            until(lambda: len(here.bodies("front.localhost", 12)) > 1)
        until(lambda: len(here.instances("front")) == 1, pause=0.1)
        assert load.failures == []
        by = [json.loads(line).get("by", "") for line in _events(here, socket)]
        assert any("requests asks for" in text for text in by)


def _events(here: Pinnace, socket: str) -> list[str]:
    return _stack(here, socket, "events", "--json").splitlines()


def test_services_grow_by_what_the_engine_and_prometheus_tell(
    engine: PrivateEngine, tmp_path: Path, socket: str
) -> None:
    def counts() -> dict[str, int]:
        form = '{{.Label "pinnace.service"}}'
        return Counter(engine.docker("ps", "--format", form).split())

    with Prometheus({"job_name": "none"}) as prometheus:
        stack = _MEASURED % prometheus.port
        with _started(engine, tmp_path, socket, stack) as here:
            wanted = {"busy": 2, "fat": 2, "lazy": 1, "asked": 2}
            until(lambda: counts() == wanted, 60, pause=0.2)
            told = _events(here, socket)
    by = [json.loads(line).get("by", "") for line in told]
    assert {text.split()[1] for text in by if text} == {"cpu", "memory", "prometheus"}
