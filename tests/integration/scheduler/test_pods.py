"""Pods on a real engine: what shares a network starts, is replaced and ends in order."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.load import Load
from tests.support.pinnace import Pinnace, until

pytestmark = [pytest.mark.engine, pytest.mark.haproxy]

SHOP = r"""
name: pods
services:
  shop:
    image: web
    entrypoint: [sh, -c, "trap 'exit 0' TERM; while ! cp /pod/page /www/index.html; do
      sleep 0.1; done; httpd -p 80 -h /www; while true; do sleep 0.1; done"]
    ports: ["80"]
    network_mode: bridge
    configs: [{source: long, target: /www/cgi-bin/long, mode: 0755}]
    stop_grace_period: 3s
    deploy: {restart_policy: {delay: 100ms}}
    x-pinnace:
      pod_image: web
      sidecars:
        - git-sync:
            image: web
            entrypoint: [sh, -c, "trap 'exit 0' TERM; echo $$GREETING > /pod/page;
              while true; do sleep 0.1; done"]
            environment: {GREETING: hello}
            healthcheck: !override {test: [CMD, test, -e, /pod/page], interval: 200ms, retries: 50}
            stop_grace_period: 3s
configs:
  long:
    content: |
      #!/bin/sh
      printf 'Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nab'
      sleep 0.4
      printf cd
"""


@pytest.fixture
def engine(engine: PrivateEngine) -> Iterator[PrivateEngine]:
    """The engine without what a stack left on it."""
    yield engine
    found = engine.docker("ps", "-aq", "--filter", "label=pinnace.stack").split()
    if found:
        engine.docker("rm", "-f", "-v", *found)


def _of(engine: PrivateEngine, service: str) -> str:
    """Return the id of the container of a service that runs."""
    words = ("ps", "-q", "--no-trunc", "--filter", f"label=pinnace.service={service}")
    return engine.docker(*words)


def _moments(engine: PrivateEngine, field: str) -> list[str]:
    """Return services in the order of a time of their containers."""
    ids = engine.docker("ps", "-aq", "--filter", "label=pinnace.stack").split()
    documents = json.loads(engine.docker("inspect", *ids))
    found = sorted((each["State"][field], each["Config"]["Labels"]) for each in documents)
    return [labels["pinnace.service"] for _, labels in found]


def _is_served(here: Pinnace, text: str) -> bool:
    return here.fetch("shop.localhost")[1].strip() == text


def test_a_pod_is_one_service_whose_parts_are_replaced_alone(
    engine: PrivateEngine, tmp_path: Path
) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(SHOP)
    with Pinnace(engine.url, "--stack", str(file), env={"XDG_RUNTIME_DIR": str(tmp_path)}) as here:
        until(lambda: _is_served(here, "hello"), 60.0)
        assert _moments(engine, "StartedAt") == ["shop-pod", "shop-git-sync", "shop"]
        assert here.services() == {"shop"}
        pod, sidecar, main = (_of(engine, each) for each in ("shop-pod", "shop-git-sync", "shop"))

        engine.docker("kill", sidecar)
        until(lambda: _of(engine, "shop-git-sync") not in {"", sidecar}, 60.0)
        assert (_of(engine, "shop-pod"), _of(engine, "shop")) == (pod, main)

        engine.docker("kill", main)
        until(lambda: _of(engine, "shop") not in {"", main}, 60.0)
        assert _of(engine, "shop-pod") == pod
        until(lambda: _is_served(here, "hello"), 60.0)

        before = {_of(engine, each) for each in ("shop-pod", "shop-git-sync", "shop")}
        engine.docker("kill", pod)
        until(lambda: _is_served(here, "hello") and _of(engine, "shop-pod") != pod, 60.0)
        after = {_of(engine, each) for each in ("shop-pod", "shop-git-sync", "shop")}
        assert not before & after


def test_requests_go_on_while_what_serves_is_replaced_behind_its_network(
    engine: PrivateEngine, tmp_path: Path
) -> None:
    text = SHOP.replace("deploy: {", "deploy: {replicas: 2, ")
    file = tmp_path / "compose.yaml"
    file.write_text(text)
    with Pinnace(engine.url, "--stack", str(file), env={"XDG_RUNTIME_DIR": str(tmp_path)}) as here:
        until(lambda: _is_served(here, "hello") and len(here.instances("shop")) == 2, 60.0)
        until(lambda: len(_of(engine, "shop").split()) == 2, 60.0)
        pods, mains = ({*_of(engine, each).split()} for each in ("shop-pod", "shop"))
        with Load(here.lb_port, "shop.localhost", clients=6, path="/cgi-bin/long") as load:
            other = text.replace(
                "shop:\n    image: web\n", "shop:\n    image: web\n    user: '0'\n"
            )
            file.write_text(other)
            until(lambda: not mains & {*_of(engine, "shop").split()}, 60.0)
            until(lambda: len(_of(engine, "shop").split()) == 2, 60.0)
            until(lambda: len(here.bodies("shop.localhost", 10)) == 1, 60.0)
        assert load.failures == []
        assert {*_of(engine, "shop-pod").split()} == pods


def test_a_pod_ends_with_what_serves_first_and_the_network_last(
    engine: PrivateEngine, tmp_path: Path
) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(SHOP)
    since = str(int(time.time()))
    with Pinnace(engine.url, "--stack", str(file), env={"XDG_RUNTIME_DIR": str(tmp_path)}) as here:
        until(lambda: _is_served(here, "hello"), 60.0)
        file.write_text("name: pods\nservices: {other: {image: web}}\n")
        until(lambda: not any(_of(engine, f"shop{each}") for each in ("", "-pod", "-git-sync")), 60)
    words = ("--filter", "event=die", "--format", '{{index .Actor.Attributes "pinnace.service"}}')
    told = engine.docker("events", "--since", since, "--until", str(int(time.time()) + 1), *words)
    ended = [each for each in told.split() if each.startswith("shop")]
    assert ended[-3:] == ["shop", "shop-git-sync", "shop-pod"]
