"""The private engine: works, comes back, and leaves nothing behind."""

import subprocess
from pathlib import Path

import pytest

from deploy.tools import leftovers
from deploy.tools.bridge import Bridge
from deploy.tools.engine import EngineError, PrivateEngine
from tests.support.containers import Containers
from tests.support.pinnace import until

pytestmark = pytest.mark.engine


def _printed(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _traces_of(engine: PrivateEngine, bridge: str) -> list[str]:
    """Return everything on this machine that still carries the engine's name."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    network = (_printed("ip", "-o", "link") + _printed("iptables", "-S")).splitlines()
    return [
        *(line for line in mounts if engine.name in line),
        *(line for line in network if bridge in line),
        *(str(folder) for folder in leftovers.cgroup_folders(engine.name)),
        *(str(pid) for pid in leftovers.processes_naming(engine.name)),
        *([str(engine.root)] if engine.root.exists() else []),
    ]


def _get(containers: Containers, name: str, path: str = "/") -> str:
    url = f"http://127.0.0.1:{containers.port(name)}{path}"
    return _printed("curl", "-s", "--retry", "5", "--retry-all-errors", url).strip()


def test_bridge_keeps_its_hardware_address_when_ports_come_and_go() -> None:
    # Else its neighbours go on sending to the old address, for seconds, when a container ends.
    bridge = Bridge.create()
    try:
        address = Path("/sys/class/net", bridge.name, "address")
        first = address.read_text()
        _printed("ip", "link", "add", f"{bridge.name}v", "address", "02:00:00:00:00:01",
                 "type", "veth")  # fmt: skip
        _printed("ip", "link", "set", f"{bridge.name}v", "master", bridge.name)
        assert address.read_text() == first
        _printed("ip", "link", "del", f"{bridge.name}v")
        assert address.read_text() == first
    finally:
        subprocess.run(["ip", "link", "del", f"{bridge.name}v"], capture_output=True, check=False)
        bridge.remove()


def test_web_answers_its_host_name(containers: Containers) -> None:
    name = containers.run("web")
    assert _get(containers, name) == name
    assert _get(containers, name, "/cgi-bin/slow?10") == name


def test_web_finishes_what_runs_before_it_ends(
    engine: PrivateEngine, containers: Containers
) -> None:
    name = containers.run("slow")
    assert _get(containers, name) == name
    url = f"http://127.0.0.1:{containers.port(name)}/cgi-bin/slow?1200"
    with subprocess.Popen(["curl", "-s", url], stdout=subprocess.PIPE, text=True) as request:
        until(lambda: engine.docker("exec", name, "pidof", "usleep", check=False))
        containers.stop(name)
        assert request.communicate()[0].strip() == name
    assert engine.docker("inspect", "-f", "{{.State.ExitCode}}", name) == "0"


def test_echo_says_its_host_name_and_repeats(containers: Containers) -> None:
    name = containers.run("echo", image="echo")
    command = ["busybox", "nc", "-w", "2", "127.0.0.1", str(containers.port(name, "7000"))]

    def answer() -> list[str]:
        done = subprocess.run(command, check=False, input="hi\n", capture_output=True, text=True)
        return done.stdout.split()

    until(lambda: answer() == [name, "hi"])


def test_two_engines_do_not_touch_each_other_and_containers_talk(
    engine: PrivateEngine, containers: Containers
) -> None:
    first, second = containers.run("first"), containers.run("second")
    with PrivateEngine() as other:
        other.build_images("web")
        others = Containers(other)
        name = others.run("web")
        assert _get(others, name) == name
    address = engine.docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", first)
    assert engine.docker("exec", second, "wget", "-qO-", f"http://{address}/") == first


def test_stop_leaves_nothing_even_after_a_crash_with_running_containers() -> None:
    engine = PrivateEngine()
    engine.start()
    assert engine.bridge is not None
    bridge = engine.bridge.name
    try:
        engine.build_images("web")
        engine.docker("run", "-d", "web")
        assert len(_traces_of(engine, bridge)) > 5
        engine.kill()
    finally:
        engine.stop()
    assert _traces_of(engine, bridge) == []
    engine.stop()


def test_containers_run_on_while_a_live_restoring_daemon_restarts() -> None:
    with PrivateEngine(live_restore=True) as engine:
        engine.build_images("web")
        engine.docker("run", "-d", "--name", "live", "web")
        state = ("inspect", "-f", "{{.State.StartedAt}} {{.State.Running}}", "live")
        before = engine.docker(*state)
        engine.restart()
        assert engine.docker(*state) == before
        assert before.endswith("true")


def test_failed_start_says_why_and_leaves_nothing() -> None:
    engine = PrivateEngine()
    bridge = Bridge.create()
    bridge.remove()
    engine.bridge = Bridge("nosuchbridge", bridge.subnet)
    with pytest.raises(EngineError, match="nosuchbridge"):
        engine.start()
    assert _traces_of(engine, "nosuchbridge") == []
