"""``pinnace drain`` on the whole program: the load balancer's own counters say when."""

import json
import subprocess
import threading
import time

import pytest

from tests.support.containers import Containers
from tests.support.pinnace import Pinnace, until

pytestmark = [pytest.mark.engine, pytest.mark.haproxy]


def drain(pinnace: Pinnace, *words: str) -> "subprocess.Popen[str]":
    command = [pinnace.command[0], "drain", "--http", f"127.0.0.1:{pinnace.http_port}", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_is_in_flight_is_finished_and_nothing_new_comes(containers: Containers) -> None:
    with Pinnace(containers.engine.url) as pinnace:
        names = {containers.run(f"web{n}", "-e", "SERVICE_NAME=web") for n in range(2)}
        until(lambda: pinnace.bodies("web.localhost", 4) == names)
        slow: list[tuple[int, str]] = []

        def ask() -> None:
            slow.append(pinnace.fetch("web.localhost", "/cgi-bin/slow?6000"))

        threads = [threading.Thread(target=ask) for _ in range(2)]  # one at each, in turn
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        leaving, staying = sorted(names)
        draining = drain(pinnace, leaving, "--json")
        until(lambda: pinnace.bodies("web.localhost", 6) == {staying})
        out, err = draining.communicate(timeout=20)
        assert (draining.returncode, err) == (0, "")
        steps = [json.loads(line) for line in out.splitlines()]
        waiting = [s["in_flight"] for s in steps if s["phase"] == "waiting"]
        assert max(waiting) == 1
        assert [s["phase"] for s in steps][-2:] == ["done", "stopped"]
        for thread in threads:
            thread.join()
        assert sorted(slow) == [(200, name) for name in sorted(names)]
        until(lambda: len(pinnace.instances("web")) == 1)


def test_when_the_time_is_up_it_says_so_and_without_a_stop_nothing_ends(
    containers: Containers,
) -> None:
    with Pinnace(containers.engine.url) as pinnace:
        name = containers.run("web", "-e", "SERVICE_NAME=web")
        until(lambda: pinnace.bodies("web.localhost", 1) == {name})
        thread = threading.Thread(
            target=lambda: pinnace.fetch("web.localhost", "/cgi-bin/slow?6000")
        )
        thread.start()
        time.sleep(0.3)
        draining = drain(pinnace, name, "--no-stop", "--timeout", "500ms")
        out, _ = draining.communicate(timeout=20)
        assert draining.returncode == 3
        assert "overdue: 1 still in flight" in out
        thread.join()
        assert containers.engine.docker("inspect", "-f", "{{.State.Running}}", name) == "true"
        assert pinnace.fetch("web.localhost")[0] == 503, "the mark stays"
        undone = drain(pinnace, name, "--undo")
        assert undone.communicate(timeout=10)[0] == f"{name} takes new work again\n"
        until(lambda: pinnace.fetch("web.localhost") == (200, name))
