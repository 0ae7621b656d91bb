"""The whole program under bad input and faults, each provoked for real."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.containers import Containers
from tests.support.pinnace import Pinnace, until
from tests.support.threads import RelayThread

pytestmark = [pytest.mark.engine, pytest.mark.haproxy]


@pytest.fixture
def own_engine() -> Iterator[PrivateEngine]:
    """An engine this test may stop and kill."""
    with PrivateEngine() as engine:
        engine.build_images("web")
        yield engine


def _running(engine: PrivateEngine) -> set[str]:
    return set(engine.docker("ps", "--format", "{{.Names}}").split())


def _registered(pinnace: Pinnace, service: str = "web") -> set[str]:
    return {id_.split(":")[1] for id_ in pinnace.instances(service)}


def test_docker_absent_at_start_is_said_once_and_recovered_from(tmp_path: Path) -> None:
    with PrivateEngine() as engine:
        engine.stop_daemon()
        with Pinnace(engine.url, wait=False) as pinnace:
            until(lambda: pinnace.get("/healthz")[0] == 200)
            until(lambda: pinnace.get("/readyz")[0] == 503)
            assert pinnace.json("/readyz")["components"]["registrar"]["trouble"]
            until(lambda: len(pinnace.log("docker engine unreachable")) == 1)
            until(lambda: len(pinnace.log("serving")) >= 2)  # and DNS
            # Nothing is known yet, and nobody may conclude that nothing exists.
            assert pinnace.dns("web.service.consul").header.rcode == 2
            engine.start_daemon()
            engine.build_images("web")
            containers = Containers(engine)
            name = containers.run("web", "-e", "SERVICE_NAME=web")
            until(lambda: _registered(pinnace) == {name}, limit=15)
            until(pinnace.is_ready)
            assert len(pinnace.log("docker engine unreachable")) == 1
            containers.clean()


def test_docker_restarted_with_containers_gone_leaves_no_stale_entry(
    own_engine: PrivateEngine,
) -> None:
    containers = Containers(own_engine)
    with Pinnace(own_engine.url) as pinnace:
        names = {containers.run(f"w{n}", "-e", "SERVICE_NAME=web") for n in range(3)}
        until(lambda: _registered(pinnace) == names)
        own_engine.kill()
        until(lambda: not pinnace.is_ready())
        # Not reachable is not gone: names stay while nobody knows better.
        assert _registered(pinnace) == names
        own_engine.start_daemon()
        until(lambda: _registered(pinnace) == _running(own_engine), limit=2)
        started = containers.run("after", "-e", "SERVICE_NAME=web")
        until(lambda: started in _registered(pinnace))
        assert _registered(pinnace) == _running(own_engine)


def test_cut_event_stream_during_starts_and_stops_ends_in_the_truth(
    engine: PrivateEngine, containers: Containers, tmp_path: Path
) -> None:
    with RelayThread(engine.socket) as relay, Pinnace(relay.url) as pinnace:
        for number in range(10):
            containers.run(f"w{number}", "-e", "SERVICE_NAME=cut")
            if number % 3 == 1:
                relay.cut()
            if number % 2:
                containers.remove(containers.name(f"w{number}"))
        relay.cut()
        wanted = {containers.name(f"w{number}") for number in range(0, 10, 2)}
        until(lambda: _registered(pinnace, "cut") == wanted, limit=3)


def test_container_dead_before_it_is_inspected_is_never_registered(
    engine: PrivateEngine, containers: Containers
) -> None:
    with Pinnace(engine.url) as pinnace:
        for number in range(5):
            containers.run(f"dead{number}", "-e", "SERVICE_NAME=dead", "--entrypoint", "/bin/true")
        containers.run("alive", "-e", "SERVICE_NAME=alive")
        until(lambda: "alive" in pinnace.services())
        assert "dead" not in pinnace.services()


HOSTILE = {
    "newline": "evil\n  server evil 6.6.6.6:80",
    "quotes": "\"'`$(reboot)",
    "control": "a\x01\x02\x1b[2J",
    "huge": "x" * 100_000,
    "path": "../../etc",
    "comment": "a # b",
    "backslash": "a\\",
    "blank": "a b  c",
}


def _sections(path: Path) -> list[str]:
    words = (
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "resolvers",
        "peers",
        "userlist",
    )
    return [line for line in path.read_text().splitlines() if line.startswith(words)]


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_labels_harm_only_their_own_container(
    engine: PrivateEngine, containers: Containers, tmp_path: Path, value: str
) -> None:
    config = tmp_path / "lb" / "haproxy.cfg"
    with Pinnace(engine.url, env={"PINNACE_LB__DIR": str(tmp_path / "lb")}) as pinnace:
        good = containers.run("good", "-e", "SERVICE_NAME=web")
        until(lambda: pinnace.fetch("web.localhost") == (200, good))
        sections = _sections(config)
        for number, key in enumerate(
            ("SERVICE_NAME", "SERVICE_TAGS", "SERVICE_80_NAME", "SERVICE_x", "pinnace.http.host",
             "pinnace.tcp.listen", "SERVICE_ID")
        ):  # fmt: skip
            # The service's own name is harmless unless it is the one attacked.
            name = () if key.endswith("NAME") else ("-e", "SERVICE_NAME=web")
            containers.run(f"evil{number}", *name, "-l", f"{key}={value}")
        last = containers.run("last", "-e", "SERVICE_NAME=web")
        until(lambda: last in pinnace.bodies("web.localhost", 12))
        assert pinnace.fetch("web.localhost")[0] == 200
        assert set(_sections(config)) <= set(sections) | {
            line for line in _sections(config) if _is_harmless(line)
        }
        assert "6.6.6.6" not in config.read_text()
        subprocess.run(["haproxy", "-c", "-q", "-f", str(config)], check=True)
        warnings = [e for e in pinnace.log() if e["level"] == "warning" and "evil" in str(e)]
        assert warnings, "a refused or altered label is said, naming its container"
        assert all("\n" not in line for line in warnings[0].values() if isinstance(line, str))


def _is_harmless(line: str) -> bool:
    return (
        len(line.split()) == 2
        and line.split()[1].replace("_", "").replace("-", "").replace(".", "").isalnum()
    )


@pytest.mark.parametrize("option", ["--http", "--dns", "--lb-listen"])
def test_taken_port_is_one_clear_line_and_status_1(engine: PrivateEngine, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with Pinnace(engine.url, option, f"127.0.0.1:{port}", wait=False) as pinnace:
            assert pinnace.ended() == 1
            lines = [x for x in pinnace.log_text().splitlines() if not x.startswith("{")]
            assert len(lines) == 1
            assert f"port {port}" in lines[0]
            assert option in lines[0]


def test_missing_haproxy_is_explained(engine: PrivateEngine) -> None:
    with Pinnace(
        engine.url, wait=False, env={"PINNACE_LB__PROGRAM": "/nowhere/haproxy"}
    ) as pinnace:
        assert pinnace.ended() == 1
        (line,) = [x for x in pinnace.log_text().splitlines() if not x.startswith("{")]
        assert "haproxy" in line
        assert "--lb none" in line


@pytest.mark.parametrize("which", ["master", "worker"])
def test_killed_haproxy_is_back_within_two_seconds(
    engine: PrivateEngine, containers: Containers, which: str
) -> None:
    with Pinnace(engine.url) as pinnace:
        name = containers.run("web", "-e", "SERVICE_NAME=web")
        until(lambda: pinnace.fetch("web.localhost") == (200, name))
        master = _children(pinnace.pid, "haproxy")[0]
        victim = master if which == "master" else _children(master, "haproxy")[0]
        os.kill(victim, signal.SIGKILL)
        until(
            lambda: victim not in _children(pinnace.pid, "haproxy") + _children(master, "haproxy")
        )
        until(lambda: pinnace.fetch("web.localhost") == (200, name), limit=2)
        until(pinnace.is_ready)
        containers.remove(name)
        until(lambda: pinnace.fetch("web.localhost")[0] == 404)


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _children(pid: int, program: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, tail = path.read_text().rpartition(")")
        except OSError:
            continue
        if head.partition("(")[2] == program and int(tail.split()[1]) == pid:
            found.append(int(path.parent.name))
    return sorted(found)


def test_three_mistakes_are_all_reported_with_their_places(tmp_path: Path) -> None:
    file = tmp_path / "pinnace.toml"
    file.write_text('[dns]\nlisten = "nonsense"\ndomian = "x"\n[lb]\nkind = "apache"\n')
    with Pinnace("unix:///nowhere", "-c", str(file), wait=False) as pinnace:
        assert pinnace.ended() == 78
        text = pinnace.log_text()
    assert f"{file}:2:" in text
    assert f"{file}:3:1" in text
    assert "domain" in text
    assert f"{file}:5:" in text


def test_killed_pinnace_forgets_nothing_and_keeps_nothing_stale(
    engine: PrivateEngine, containers: Containers, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with Pinnace(engine.url, state_dir=state) as pinnace:
        stays = containers.run("stays", "-e", "SERVICE_NAME=web")
        goes = containers.run("goes", "-e", "SERVICE_NAME=web")
        until(lambda: _registered(pinnace) == {stays, goes})
        index = pinnace.json("/readyz")["catalog"]["index"]
        pinnace.kill()
        containers.remove(goes)
        comes = containers.run("comes", "-e", "SERVICE_NAME=web")
        pinnace.start()
        assert _registered(pinnace) == {stays, comes}
        assert pinnace.json("/readyz")["catalog"]["index"] > index
        until(lambda: pinnace.bodies("web.localhost", 6) == {stays, comes})


def test_killed_pinnace_with_state_answers_from_it_while_docker_is_away(
    own_engine: PrivateEngine, tmp_path: Path
) -> None:
    containers = Containers(own_engine)
    with Pinnace(own_engine.url, state_dir=tmp_path) as pinnace:
        name = containers.run("web", "-e", "SERVICE_NAME=web")
        until(lambda: _registered(pinnace) == {name})
        port = containers.port(name)
        pinnace.kill()
        own_engine.kill()
        pinnace._wait = False
        pinnace.start()
        until(lambda: pinnace.get("/healthz")[0] == 200)
        until(lambda: pinnace.srv_ports("web") == {port})
        own_engine.start_daemon()
        until(lambda: _registered(pinnace) == _running(own_engine), limit=15)
