"""``pinnace up --stack`` on one host: what it starts is in the catalogue, in DNS and routed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.pinnace import Pinnace, until
from tests.support.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.haproxy]

SHOP = """
services:
  front:
    image: web
    ports: ["80"]
    network_mode: bridge
    deploy: {replicas: 2, restart_policy: {delay: 1s}}
"""
LABEL = "labels: {pinnace.http.host: other.example.org}"


@pytest.fixture
def engine(engine: PrivateEngine) -> Iterator[PrivateEngine]:
    """The engine without what a stack left on it."""
    yield engine
    found = engine.docker("ps", "-aq", "--filter", "label=pinnace.stack").split()
    if found:
        engine.docker("rm", "-f", "-v", *found)


def test_a_stack_needs_nothing_but_its_file(engine: PrivateEngine, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(SHOP)
    with Pinnace(engine.url, "--stack", str(file), env={"XDG_RUNTIME_DIR": str(tmp_path)}) as here:
        until(lambda: len(here.instances("front")) == 2)
        assert len(here.srv_ports("front")) == 2
        until(lambda: len(here.bodies("front.localhost", 10)) == 2)
        first = engine.docker("ps", "-q", "--filter", "label=pinnace.slot=1")
        engine.docker("kill", first)
        until(lambda: len(here.bodies("front.localhost", 10)) == 2 and first not in _ids(engine))
        before = _ids(engine)
        file.write_text(SHOP.replace("bridge", f"bridge\n    {LABEL}"))
        until(lambda: len(here.bodies("other.example.org", 10)) == 2)
        assert _ids(engine) == before, "such a label needs no other container"
        file.write_text(SHOP.replace("replicas: 2", "replicas: 1"))
        until(lambda: len(_ids(engine)) == 1)
        until(lambda: len(here.instances("front")) == 1)


def _ids(engine: PrivateEngine) -> list[str]:
    return engine.docker("ps", "-q").split()


def test_it_does_not_start_with_a_wrong_stack_file(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {web: {image: x, imag: y}}")
    with Pinnace("unix:///nowhere", "--stack", str(file), wait=False, lb=False) as here:
        assert here.ended() == 78
        assert f"{file}:1:28: services.web: unknown key 'imag'; did you mean image?" in (
            here.log_text()
        )


def test_a_fixed_port_of_a_full_host_is_free_for_who_follows_what_ended(
    engine: PrivateEngine, tmp_path: Path
) -> None:
    file, port = tmp_path / "compose.yaml", free_port()
    only = "replicas: 1, placement: {max_replicas_per_node: 1}"
    text = SHOP.replace('["80"]', f"['127.0.0.1:{port}:80']").replace("replicas: 2", only)
    file.write_text(text)
    with Pinnace(engine.url, "--stack", str(file), env={"XDG_RUNTIME_DIR": str(tmp_path)}) as here:
        until(lambda: here.fetch("front.localhost")[0] == 200)
        (first,) = _ids(engine)
        engine.docker("kill", first)
        until(lambda: len(_ids(engine)) == 1 and first not in _ids(engine))
        until(lambda: here.fetch("front.localhost")[0] == 200)
