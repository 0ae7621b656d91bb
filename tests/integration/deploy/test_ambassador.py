"""A pod of an application and its Redis ambassador, run as deploy/ambassador.compose.yaml says."""

from collections.abc import Iterator

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.compose import DEPLOY, Compose
from tests.support.pinnace import until
from tests.support.redis_image import import_redis

pytestmark = [pytest.mark.engine, pytest.mark.redis, pytest.mark.timeout(900)]


@pytest.fixture
def pod(engine: PrivateEngine, image: str) -> Iterator[dict[str, str]]:
    """Its containers by the names of their services."""
    import_redis(engine, "redis:7")
    compose = Compose(DEPLOY / "ambassador.compose.yaml", {"PINNACE_IMAGE": image})
    started: dict[str, str] = {}
    hosts: list[str] = []  # by name, as compose's own network would
    try:
        for name, service in compose.services.items():  # who depends stands behind
            options = compose.options(name, started)
            more = [] if "network_mode" in service else hosts
            started[name] = engine.docker("run", "-d", *more, *options, *compose.command(name))
            address = engine.docker(
                "inspect", "-f", "{{.NetworkSettings.IPAddress}}", started[name]
            )
            hosts += ["--add-host", f"{name}:{address}"]
        yield started
    finally:
        for container in reversed(started.values()):
            print(engine.docker("logs", container, check=False))
            engine.docker("rm", "-f", "-v", container)
        engine.docker("rmi", "-f", "redis:7", check=False)


def test_an_application_finds_redis_in_its_own_network_namespace(
    engine: PrivateEngine, pod: dict[str, str]
) -> None:
    def cli(service: str, *words: str) -> str:
        return engine.docker("exec", pod[service], "redis-cli", *words, check=False)

    until(lambda: cli("app", "PING") == "PONG", 40, 0.1)
    assert cli("app", "SET", "greeting", "hello") == "OK"
    assert cli("app", "WAIT", "1", "10000") == "1"
    assert cli("primary", "GET", "greeting") == "hello"
    assert cli("replica", "GET", "greeting") == "hello"

    def reads() -> int:
        info = cli("replica", "INFO", "commandstats")
        return info.count("cmdstat_get:calls=")

    # Everything but the reads of a replica is the primary's.
    until(lambda: cli("app", "GET", "greeting") == "hello" and reads() > 0, 40, 0.1)
    assert cli("replica", "SET", "greeting", "no").startswith("READONLY")
    # The application is replaced without the ambassador, which goes on.
    engine.docker("restart", "-t", "0", pod["app"])
    assert cli("app", "GET", "greeting") == "hello"
    assert engine.docker("inspect", "-f", "{{.State.Running}}", pod["ambassador"]) == "true"
