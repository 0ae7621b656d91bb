"""The whole program on a real engine and a real HAProxy: the main job, as a user sees it."""

import socket

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.containers import Containers
from tests.support.load import Load
from tests.support.pinnace import Pinnace, until
from tests.support.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.haproxy]


def test_containers_are_found_named_balanced_and_forgotten(
    engine: PrivateEngine, containers: Containers
) -> None:
    early = containers.run("early", "-e", "SERVICE_NAME=web")
    with Pinnace(engine.url) as pinnace:
        late = [containers.run(f"late{n}", "-l", "SERVICE_NAME=web") for n in range(2)]
        ports = {containers.port(name) for name in (early, *late)}
        until(lambda: pinnace.srv_ports("web") == ports)
        until(lambda: pinnace.bodies("web.localhost", 9) == {early, *late})
        reply = pinnace.dns("web.service.pinnace", "SRV")
        glue = {str(record.rname) for record in reply.ar if record.rtype == 1}
        assert {str(record.rdata.target) for record in reply.rr} <= glue
        containers.remove(early)
        until(lambda: pinnace.srv_ports("web") == {containers.port(name) for name in late})
        assert pinnace.bodies("web.localhost", 8) == set(late)
        containers.remove(*late)
        until(lambda: pinnace.services() == set())
        until(lambda: pinnace.fetch("web.localhost")[0] in {404, 503})
        reply = pinnace.dns("web.service.consul", "SRV")
        assert reply.header.rcode == 3
        assert [str(record.rname) for record in reply.auth] == ["consul."]


def test_tcp_service_is_reached_through_its_listener(
    engine: PrivateEngine, containers: Containers
) -> None:
    port = free_port()
    with Pinnace(engine.url) as pinnace:
        name = containers.run("echo", "-l", f"pinnace.tcp.listen={port}", image="echo")
        until(lambda: pinnace.services() == {"echo"})

        def first_line() -> bytes:
            try:
                with socket.create_connection(("127.0.0.1", port), 2) as sock:
                    return sock.makefile("rb").readline().strip()
            except OSError:
                return b""

        until(lambda: first_line() == name.encode())


@pytest.mark.parametrize(
    "option",
    [("-e", "VIRTUAL_HOST=shop.example.org"), ("-l", "pinnace.http.host=shop.example.org")],
)
def test_a_container_may_ask_for_its_own_host_name(
    engine: PrivateEngine, containers: Containers, option: tuple[str, str]
) -> None:
    with Pinnace(engine.url) as pinnace:
        name = containers.run("shop", *option)
        until(lambda: pinnace.fetch("shop.example.org") == (200, name))
        assert pinnace.fetch("SHOP.example.org:8080") == (200, name)
        status, body = pinnace.fetch("other.example.org")
        assert status == 404
        assert "shop" not in body


def test_a_container_without_published_ports_is_reached_at_its_own_address(
    engine: PrivateEngine, containers: Containers
) -> None:
    with Pinnace(engine.url) as pinnace:
        name = containers.run("inner", "-e", "SERVICE_NAME=inner", publish=False)
        until(lambda: pinnace.fetch("inner.localhost") == (200, name))
        (entry,) = pinnace.instances("inner").values()
        assert entry["Service"]["Port"] == 80


def test_docker_stop_under_load_loses_no_request(
    engine: PrivateEngine, containers: Containers
) -> None:
    with Pinnace(engine.url) as pinnace:
        # They go on serving for a second when told to stop: on a busy machine two of three could
        # be gone before anybody hears of it, and three retries find the third only by luck.
        options = ("-e", "SERVICE_NAME=web", "-e", "LINGER_US=1000000")
        names = [containers.run(f"w{n}", *options) for n in range(3)]
        until(lambda: pinnace.bodies("web.localhost", 9) == set(names))
        with Load(pinnace.lb_port, "web.localhost", clients=10) as load:
            containers.stop(names[0])
            containers.stop(names[1])
            until(lambda: load.total > 200, limit=30)
        assert load.failures == []
        assert pinnace.bodies("web.localhost", 4) == {names[2]}


def test_an_unhealthy_container_gets_no_traffic_until_it_is_healthy_again(
    engine: PrivateEngine, containers: Containers
) -> None:
    check = ("--health-interval=1s", "--health-retries=1", "--health-cmd", "test ! -e /tmp/sick")
    with Pinnace(engine.url) as pinnace:
        good = containers.run("good", "-e", "SERVICE_NAME=web")
        sick = containers.run("sick", "-e", "SERVICE_NAME=web", *check)
        until(lambda: pinnace.bodies("web.localhost", 6) == {good, sick}, limit=20)
        engine.docker("exec", sick, "touch", "/tmp/sick")
        until(lambda: pinnace.srv_ports("web") == {containers.port(good)}, limit=20)
        until(lambda: pinnace.bodies("web.localhost", 4) == {good})
        engine.docker("exec", sick, "rm", "/tmp/sick")
        until(lambda: pinnace.bodies("web.localhost", 6) == {good, sick}, limit=20)


def test_a_service_without_a_healthy_instance_is_503(
    engine: PrivateEngine, containers: Containers
) -> None:
    with Pinnace(engine.url) as pinnace:
        name = containers.run("web", "-e", "SERVICE_NAME=web")
        until(lambda: pinnace.fetch("web.localhost") == (200, name))
        engine.docker("pause", name)
        # A request that comes before the proxy is told hangs in the paused container.
        until(lambda: pinnace.fetch("web.localhost", timeout=0.5)[0] == 503)
        engine.docker("unpause", name)
        until(lambda: pinnace.fetch("web.localhost") == (200, name))


def test_termination_is_orderly_and_leaves_no_process(
    engine: PrivateEngine, containers: Containers
) -> None:
    with Pinnace(engine.url) as pinnace:
        containers.run("web", "-e", "SERVICE_NAME=web")
        until(lambda: pinnace.fetch("web.localhost")[0] == 200)
        assert pinnace.stop() == 0
        assert pinnace.fetch("web.localhost")[0] == 0
        assert pinnace.log("stopped")
