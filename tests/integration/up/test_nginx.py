"""``pinnace up --lb nginx`` on the whole program."""

import json
import threading
import time

import pytest

from tests.integration.up.test_drain import drain
from tests.support.containers import Containers
from tests.support.pinnace import Pinnace, until

pytestmark = [pytest.mark.engine, pytest.mark.nginx]


def test_a_container_is_served_and_drains_without_a_lost_request(containers: Containers) -> None:
    with Pinnace(containers.engine.url, "--lb", "nginx") as pinnace:
        names = {containers.run(f"web{n}", "-e", "SERVICE_NAME=web") for n in range(2)}
        until(lambda: pinnace.bodies("web.localhost", 4) == names)
        assert pinnace.fetch("nobody.localhost", "/")[0] == 404
        slow: list[tuple[int, str]] = []

        def ask() -> None:
            slow.append(pinnace.fetch("web.localhost", "/cgi-bin/slow?3000"))

        # In turn, but a reload begins the turn anew.
        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        leaving, staying = sorted(names)
        draining = drain(pinnace, leaving, "--json")
        until(lambda: pinnace.bodies("web.localhost", 6) == {staying})
        out, err = draining.communicate(timeout=20)
        assert (draining.returncode, err) == (0, "")
        steps = [json.loads(line) for line in out.splitlines()]
        assert all(s["in_flight"] > 0 for s in steps if s["phase"] == "waiting")
        assert steps[-2]["seconds"] > 1
        assert [s["phase"] for s in steps][-2:] == ["done", "stopped"]
        for thread in threads:
            thread.join()
        assert {status for status, _ in slow} == {200}
        assert {name for _, name in slow} == names
        status, body = pinnace.get("/v1/pinnace/lb")
        assert status == 200
        assert json.loads(body)["last"]["kind"] == "reload"
