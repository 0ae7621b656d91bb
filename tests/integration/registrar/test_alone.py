"""The registrar as a process of its own, on a real engine and a real Consul."""

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from deploy.tools.consul import Consul
from deploy.tools.freezing import freeze, thaw
from tests.support.alone import Alone
from tests.support.containers import Containers
from tests.support.keeping import held, url_of
from tests.support.oracle import consul_program
from tests.support.pinnace import until

pytestmark = pytest.mark.engine

STRANGERS = {"someone", "elsewhere:box:80", "vm:unmarked:80"}


def alone(containers: Containers, consul: Consul, **settings: Any) -> Alone:
    return Alone(containers.engine.url, url_of(consul), **settings)


def put(consul: Consul, path: str, body: object) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", consul.ports["http"], timeout=5)
    connection.request("PUT", path, json.dumps(body))
    assert connection.getresponse().read() == b""
    connection.close()


def ids(consul: Consul) -> set[str]:
    return set(held(consul))


def drain(process: Alone, *words: str) -> "subprocess.Popen[str]":
    command = [str(Path(sys.executable).with_name("pinnace")), "drain"]
    command += ["--http", f"127.0.0.1:{process.port}", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_after_a_kill_our_leftovers_go_and_strangers_stay(
    containers: Containers, consul: Consul
) -> None:
    for id_ in STRANGERS:
        put(consul, "/v1/agent/service/register", {"ID": id_, "Name": "other", "Port": 1})
    gone, stays = containers.run("gone"), containers.run("stays")
    ours = {f"vm:{gone}:80", f"vm:{stays}:80"}
    with alone(containers, consul) as process:
        until(lambda: ids(consul) == STRANGERS | ours)
        time.sleep(0.3)  # the marks are written behind the entries
        process.send(signal.SIGKILL)
        process.ended()
        containers.remove(gone)
        process.start()
        until(lambda: ids(consul) == STRANGERS | {f"vm:{stays}:80"}, 4.0)
        time.sleep(1.0)
        assert ids(consul) == STRANGERS | {f"vm:{stays}:80"}


def test_the_unmarked_go_when_a_cleanup_is_asked_for(
    containers: Containers, consul: Consul
) -> None:
    for id_ in STRANGERS:
        put(consul, "/v1/agent/service/register", {"ID": id_, "Name": "other", "Port": 1})
    with alone(containers, consul, cleanup=True):
        until(lambda: ids(consul) == STRANGERS - {"vm:unmarked:80"}, 4.0)


@pytest.mark.parametrize("on_exit", ["keep", "deregister", "maintenance"])
def test_what_becomes_of_entries_at_the_end(
    containers: Containers, consul: Consul, on_exit: str
) -> None:
    name = containers.run("box", "-e", "SERVICE_NAME=web")
    with alone(containers, consul, on_exit=on_exit) as process:
        until(lambda: ids(consul) == {f"vm:{name}:80"})
        assert process.stop() == 0
    left = consul.get("/v1/health/service/web")[1]
    states = [check["Status"] for entry in left for check in entry["Checks"]]
    assert len(left) == (0 if on_exit == "deregister" else 1)
    assert ("critical" in states) is (on_exit == "maintenance")


def test_a_second_signal_ends_at_once(containers: Containers, consul: Consul) -> None:
    name = containers.run("box")
    with alone(containers, consul, on_exit="deregister") as process:
        until(lambda: ids(consul) == {f"vm:{name}:80"})
        freeze(consul.pid)
        try:
            process.send()
            until(lambda: '"stopping"' in process.log_text())
            time.sleep(0.3)
            process.send()
            assert process.ended(1.0) == 1
        finally:
            thaw(consul.pid)


def test_a_store_that_never_answers_ends_the_start_after_the_attempts(
    containers: Containers,
) -> None:
    nowhere = "consul://127.0.0.1:1"
    process = Alone(containers.engine.url, nowhere, retry_attempts=2, retry_interval=0.1)
    with process:
        assert process.ended(10.0) == 1
        lines = [json.loads(line) for line in process.log_text().splitlines()]
    assert [line["event"] for line in lines] == [
        "store does not answer, trying on",
        "store does not answer, trying on",
        "cannot start",
    ]
    assert lines[-1]["action"] == "fatal"


def test_health_metrics_and_memory(containers: Containers, consul: Consul) -> None:
    containers.run("box")
    with alone(containers, consul) as process:
        process.until_ready()
        status, body = process.get("/healthz")
        assert (status, json.loads(body)["away"]) == (200, {})
        metrics = process.get("/metrics")[1].decode()
        store = url_of(consul)
        for name in ("queue", "lag_seconds", "up", "audit_timestamp_seconds"):
            assert f'pinnace_registrar_store_{name}{{store="{store}"}}' in metrics
        assert f'pinnace_registrar_store_writes_total{{store="{store}"}} 1.0' in metrics
        rss = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        assert rss is not None
        assert int(rss[1]) < 60_000
        assert process.stop() == 0


def test_a_preview_writes_nothing(containers: Containers, consul: Consul) -> None:
    name = containers.run("box", "-e", "SERVICE_NAME=web", "-e", "SERVICE_TAGS=a")
    port = containers.port(name)
    with alone(containers, consul, preview="text") as process:
        assert process.ended() == 0
        first, second, *_ = process.said().splitlines()
        assert first == f"{url_of(consul)}: 1 instance"
        assert second == f"  web vm:{name}:80 192.0.2.7:{port}"
    with alone(containers, consul, preview="json") as process:
        assert process.ended() == 0
        ((entry,),) = json.loads(process.said())["stores"].values()
        assert (entry["id"], entry["tags"]) == (f"vm:{name}:80", ["a"])
    assert ids(consul) == set()


CANARY = "canary-7f3a9c51-secret"


def test_a_token_is_in_no_log_no_metric_and_no_argument(
    containers: Containers, consul: Consul
) -> None:
    name = containers.run("box", "-e", "SERVICE_NAME=web", "-e", "DB_PASSWORD=hunter2-canary")
    env = {"CONSUL_HTTP_TOKEN": CANARY}
    with alone(containers, consul, env=env) as process:
        until(lambda: ids(consul) == {f"vm:{name}:80"})
        consul.kill()
        containers.run("late")
        until(lambda: "store refuses writes" in process.log_text())
        seen = process.log_text() + process.get("/metrics")[1].decode()
        seen += process.get("/readyz")[1].decode() + process.get("/healthz")[1].decode()
        seen += Path(f"/proc/{process.pid}/cmdline").read_text()
    assert "store refuses writes" in seen
    assert CANARY not in seen
    assert "hunter2-canary" not in seen


def test_a_drain_marks_in_consul_waits_and_stops(containers: Containers, consul: Consul) -> None:
    name = containers.run("box", "-e", "SERVICE_NAME=web", "-e", "SERVICE_DRAIN=1s")
    with alone(containers, consul) as process:
        until(lambda: ids(consul) == {f"vm:{name}:80"})
        draining = drain(process, name, "--json")
        until(lambda: consul.get("/v1/health/service/web?passing=true")[1] == [], 2)
        assert ids(consul) == {f"vm:{name}:80"}, "marked, not yet gone"
        out, err = draining.communicate(timeout=20)
        assert (draining.returncode, err) == (0, "")
        phases = [json.loads(line)["phase"] for line in out.splitlines()]
        assert (phases[0], phases[-2:]) == ("marked", ["done", "stopped"])
        until(lambda: ids(consul) == set())


def test_ctrl_c_takes_the_mark_back(containers: Containers, consul: Consul) -> None:
    name = containers.run("box", "-e", "SERVICE_NAME=web", "-e", "SERVICE_DRAIN=60s")
    with alone(containers, consul) as process:
        until(lambda: ids(consul) == {f"vm:{name}:80"})
        for number, status in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
            draining = drain(process, name)
            until(lambda: consul.get("/v1/health/service/web?passing=true")[1] == [], 3)
            draining.send_signal(number)
            _, err = draining.communicate(timeout=10)
            assert draining.returncode == status
            assert ("takes new work again" in err) is (status == 130)
            until(lambda: len(consul.get("/v1/health/service/web?passing=true")[1]) == 1, 3)
        assert containers.engine.docker("inspect", "-f", "{{.State.Running}}", name) == "true"


def test_a_drain_of_nobody_says_so(containers: Containers, consul: Consul) -> None:
    with alone(containers, consul) as process:
        process.until_ready()
        draining = drain(process, "nobody")
        _, err = draining.communicate(timeout=10)
        assert (draining.returncode, err) == (
            1,
            "pinnace drain: there is no container 'nobody'\n",
        )
        process.stop()
        refused = drain(process, "nobody")
        _, err = refused.communicate(timeout=10)
        assert refused.returncode == 1
        assert "refused" in err


def test_health_flips_are_followed_by_a_bounded_number_of_writes(
    containers: Containers, consul: Consul
) -> None:
    name = containers.run(
        "box", "-e", "SERVICE_NAME=web",
        "--health-cmd", "test -e /tmp/well", "--health-interval", "100ms", "--health-retries", "1",
    )  # fmt: skip

    def passing() -> int:
        return len(consul.get("/v1/health/service/web?passing=true")[1])

    with alone(containers, consul) as process:
        until(lambda: ids(consul) == {f"vm:{name}:80"})
        for flip in range(10):
            command = ("touch", "/tmp/well") if flip % 2 == 0 else ("rm", "/tmp/well")
            containers.engine.docker("exec", name, *command)
            until(lambda: passing() == (flip + 1) % 2, 3)  # noqa: B023 - called at once
        metrics = process.get("/metrics")[1].decode()
        writes = re.search(r"store_writes_total\{[^}]*\} (\d+)", metrics)
        assert writes is not None
        assert 11 <= int(writes[1]) <= 14


def test_many_containers_that_come_and_go_at_once_end_in_what_runs(
    containers: Containers, consul: Consul
) -> None:
    names: list[str] = []

    def some(first: int) -> None:
        for number in range(first, first + 10):
            name = containers.run(f"storm{number}", "-e", "SERVICE_NAME=web")
            if number % 3:
                containers.remove(name)
            else:
                names.append(name)

    with alone(containers, consul) as process:
        process.until_ready()
        threads = [threading.Thread(target=some, args=(first,)) for first in (0, 10, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: ids(consul) == {f"vm:{name}:80" for name in names}, 3)


def test_a_frozen_store_holds_no_other(containers: Containers, consul: Consul) -> None:
    with Consul(program=consul_program()) as second:
        stores = (url_of(consul), f"consulkv://127.0.0.1:{second.ports['http']}/services")

        def keys() -> list[str]:
            return second.get("/v1/kv/services/web?keys")[1] or []

        with Alone(containers.engine.url, *stores) as process:
            process.until_ready()
            freeze(consul.pid)
            try:
                name = containers.run("box", "-e", "SERVICE_NAME=web")
                until(lambda: keys() == [f"services/web/vm:{name}:80"], 1.0)
            finally:
                thaw(consul.pid)
            until(lambda: ids(consul) == {f"vm:{name}:80"}, 3.0)
            containers.remove(name)
            until(lambda: keys() == [] and ids(consul) == set(), 3.0)
        second.kill()
