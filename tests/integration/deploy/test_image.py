"""The image, run as deploy/compose.yaml says, does the main job with as few rights as it claims."""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools import base
from deploy.tools.consul import Consul
from deploy.tools.engine import PrivateEngine
from deploy.tools.image import build
from tests.support.compose import command_of, options_of, run_options, services_of
from tests.support.containers import Containers
from tests.support.dns import ask
from tests.support.oracle import consul_program
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.redis_image import import_redis

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

TAG = "pinnace:test"
AMBASSADOR = Path(__file__).resolve().parents[3] / "deploy" / "ambassador.compose.yaml"

# Run inside the container: what load balancer and API answer to a process there.
ASK_INSIDE = """
import os, urllib.request
def get(place, path, **headers):
    request = urllib.request.Request(f"http://{place}{path}", headers=headers)
    return urllib.request.urlopen(request, timeout=5).read().decode().strip()
print(get(os.environ["PINNACE_LB__LISTEN"], "/", Host="web.localhost"))
print("web" in get(os.environ["PINNACE_HTTP__LISTEN"], "/v1/catalog/services"))
"""


@pytest.fixture(scope="module")
def image(engine: PrivateEngine) -> Iterator[str]:
    """The image, built on a Debian base that was made on this machine."""
    reason = base.why_not()
    if reason is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    engine.docker("import", str(base.base_tar()), "pinnace-base")
    build("pinnace-base", TAG, engine.environment())
    yield TAG
    engine.docker("rmi", "-f", TAG, "pinnace-base", check=False)


class Sidecar:
    """The container of Pinnace, as compose would start it, on free ports of loopback."""

    def __init__(self, engine: PrivateEngine, image: str) -> None:
        self.engine = engine
        self.http, self.dns, self.lb = free_port(), free_port(), free_port()
        self.variables = {
            "PINNACE_IMAGE": image,
            "PINNACE_HTTP__LISTEN": f"127.0.0.1:{self.http}",
            "PINNACE_DNS__LISTEN": f"127.0.0.1:{self.dns}",
            "PINNACE_LB__LISTEN": f"127.0.0.1:{self.lb}",
            "DOCKER_SOCKET": str(engine.socket),
            "DOCKER_GID": str(engine.socket.stat().st_gid),
        }
        options = run_options(self.variables)
        self.id = engine.docker("run", "-d", *options, *command_of(self.variables))

    def inside(self, *command: str) -> str:
        return self.engine.docker("exec", self.id, *command)

    def state(self, part: str) -> str:
        return self.engine.docker("inspect", "-f", f"{{{{.State.{part}}}}}", self.id)

    def log(self) -> str:
        return self.engine.docker("logs", self.id, check=False)

    def fetch(self, host: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.lb, timeout=5)
        try:
            connection.request("GET", "/", headers={"Host": host})
            response = connection.getresponse()
            return response.status, response.read().decode().strip()
        except OSError:
            return 0, ""
        finally:
            connection.close()


@pytest.fixture
def sidecar(engine: PrivateEngine, image: str) -> Iterator[Sidecar]:
    """Pinnace in its container, ready."""
    started = Sidecar(engine, image)
    try:
        until(lambda: started.state("Health.Status") == "healthy", 40, 0.1)
        yield started
    finally:
        print(started.log())
        engine.docker("rm", "-f", "-v", started.id)


@pytest.mark.haproxy
def test_container_discovers_names_and_balances(sidecar: Sidecar, containers: Containers) -> None:
    name = containers.run("web", "-e", "SERVICE_NAME=web")
    until(lambda: sidecar.fetch("web.localhost") == (200, name))
    reply = ask(sidecar.dns, "web.service.consul", "SRV")
    assert {record.rdata.port for record in reply.rr} == {containers.port(name)}
    assert sidecar.inside("python3", "-c", ASK_INSIDE).splitlines() == [name, "True"]
    containers.remove(name)
    until(lambda: ask(sidecar.dns, "web.service.consul", "SRV").rr == [])
    until(lambda: sidecar.fetch("web.localhost")[0] in {404, 503})


def test_container_ends_in_order_when_asked(sidecar: Sidecar) -> None:
    sidecar.engine.docker("stop", sidecar.id)
    assert sidecar.state("ExitCode") == "0"
    assert sidecar.state("OOMKilled") == "false"


def test_process_has_no_rights_but_the_group_of_the_socket(sidecar: Sidecar) -> None:
    status = dict(
        line.split(":\t", 1) for line in sidecar.inside("cat", "/proc/1/status").splitlines()
    )
    assert status["Uid"].split() == ["65532"] * 4
    assert status["Gid"].split() == ["65532"] * 4
    assert set(status["Groups"].split()) <= {"65532", sidecar.variables["DOCKER_GID"]}
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {0}
    assert status["NoNewPrivs"] == "1"
    mounts = [line.split() for line in sidecar.inside("cat", "/proc/mounts").splitlines()]
    options = {mount[1]: set(mount[3].split(",")) for mount in mounts}
    assert "ro" in options["/"]
    assert options["/tmp"] >= {"nosuid", "nodev", "noexec"}


def test_image_holds_no_tools_and_says_what_it_is(engine: PrivateEngine, image: str) -> None:
    look = (
        "for p in pip pip3 gcc cc make curl wget; do command -v $p; done;"
        "find / -xdev -type f -perm /6000; find / -xdev -name '*.whl'; find / -xdev -name pip; true"
    )
    everywhere = ("run", "--rm", "--user", "0", "--network", "none", "--entrypoint", "sh", image)
    assert engine.docker(*everywhere, "-c", look) == ""
    (facts,) = json.loads(engine.docker("image", "inspect", image))
    config = facts["Config"]
    assert config["User"] == "65532:65532"
    assert config["Healthcheck"]["Test"] == ["CMD", "pinnace", "healthcheck"]
    labels = {name.rpartition(".")[2]: text for name, text in config["Labels"].items()}
    assert labels.keys() >= {"title", "description", "licenses", "version", "revision"}
    assert engine.docker("run", "--rm", image, "--version").startswith("pinnace ")


def test_the_image_in_registrators_place_takes_its_arguments_and_its_socket(
    engine: PrivateEngine, image: str, containers: Containers
) -> None:
    assert image == TAG, "its layers are there"
    tag = "registrator:test"
    build("pinnace-base", tag, engine.environment(), "registrator")
    name = containers.run("web", "-e", "SERVICE_NAME=web")
    with Consul(program=consul_program()) as consul:
        socket, url = (
            f"{engine.socket}:/tmp/docker.sock",
            f"consul://127.0.0.1:{consul.ports['http']}",
        )
        words = ("-d", "--net=host", f"--volume={socket}", tag, "-ip", "192.0.2.7", url)
        id_ = engine.docker("run", *words)
        try:
            until(lambda: len(consul.get("/v1/catalog/service/web")[1]) == 1, 20)
            (web,) = consul.get("/v1/catalog/service/web")[1]
            assert web["ServiceAddress"] == "192.0.2.7"
            assert web["ServiceID"].endswith(f":{name}:80")
        finally:
            engine.docker("rm", "-f", id_)
            engine.docker("rmi", "-f", tag, check=False)
        consul.kill()


@pytest.fixture
def pod(engine: PrivateEngine, image: str) -> Iterator[dict[str, str]]:
    """The containers of deploy/ambassador.compose.yaml by the names of their services."""
    import_redis(engine, "redis:7")
    services = services_of(AMBASSADOR, {"PINNACE_IMAGE": image})
    started: dict[str, str] = {}
    hosts: list[str] = []  # by name, as compose's own network would
    try:
        for name, service in services.items():
            mode = service.pop("network_mode", "")
            service.pop("depends_on", None)  # they stand in order in the file
            where = hosts
            if mode:
                where = ["--network", f"container:{started[mode.removeprefix('service:')]}"]
            started[name] = engine.docker(
                "run", "-d", *where, *options_of(service), service["image"],
                *service.get("command", ()),
            )  # fmt: skip
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


@pytest.mark.redis
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
