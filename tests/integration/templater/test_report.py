"""What is told of a real proxy, and how its endpoints rest before they stop."""

import asyncio
import contextlib
import re
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.catalog.model import Status
from templater.nginx import plan
from tests.integration.templater.harness import (
    Bench,
    backends,
    client,
    eventually_served,
    free_port,
    instance,
    running,
    until,
)


@contextlib.asynccontextmanager
async def serving(tmp_path: Path, **settings: object) -> AsyncIterator[tuple[Bench, list[int]]]:
    async with backends(2) as ports, running(Bench(tmp_path, **settings)) as bench:
        bench.put(instance("a", ports[0]), instance("b", ports[1]))
        await bench.answers("web.localhost", 200)
        await bench.applied("reload")
        yield bench, ports


async def work_of(bench: Bench) -> dict[str, Any]:
    """Return what each endpoint does, by its id."""
    report: Any = await bench.lb.report()
    (upstream,) = report["upstreams"]
    return {one["id"]: one["work"] for one in upstream["endpoints"]}


@pytest.mark.haproxy
async def test_haproxys_own_counters_are_told_by_endpoint(tmp_path: Path) -> None:
    async with serving(tmp_path) as (bench, _):
        async with client(bench.port) as ask, asyncio.TaskGroup() as group:
            for _ in range(10):
                await bench.get("web.localhost", "/?20")
            slow = [group.create_task(bench.get("web.localhost", "/?1000")) for _ in range(2)]
            await ask("web.localhost")
            await asyncio.sleep(0.2)
            work = await work_of(bench)
            assert {one["sessions"] for one in work.values()} == {1}
            await asyncio.gather(*slow)
        work = await work_of(bench)
        assert {one["sessions"] for one in work.values()} == {0}
        assert sum(one["requests"] for one in work.values()) >= 13
        assert all(0.01 < one["latency"] < 1 for one in work.values())
        assert all(one["failures"] == one["retries"] == one["queued"] == 0 for one in work.values())
        report: Any = await bench.lb.report()
        assert re.fullmatch(r"haproxy \d+\.\d+[.\d\w]*", report["proxy"]["program"])
        assert report["last"]["kind"] == "reload"
        assert report["last"]["why"] == "new upstream http.web"
        bench.put(instance("a", bench.port, weight=3))
        await bench.applied("runtime")
        report = await bench.lb.report()
        assert re.fullmatch(r"\d commands?: http\.web", report["last"]["why"])
        assert report["last_reload"]["kind"] == "reload"


@pytest.mark.nginx
async def test_of_nginx_what_it_can_tell_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_GAP", 0.1)
    async with serving(tmp_path, kind="nginx") as (bench, _), asyncio.TaskGroup() as group:
        slow = [group.create_task(bench.get("web.localhost", "/?1000")) for _ in range(2)]
        await asyncio.sleep(0.3)
        work = await work_of(bench)
        assert all(one["sessions"] >= 1 for one in work.values())
        assert all(one["requests"] is one["latency"] is None for one in work.values())
        await asyncio.gather(*slow)
        await asyncio.sleep(0.6)
        report: Any = await bench.lb.report()
        assert report["proxy"]["program"].startswith("nginx 1.")
        assert report["proxy"]["rate"] is not None
        assert report["proxy"]["requests"] > 0
        assert "by endpoint" in report["proxy"]["lacks"]


@pytest.mark.haproxy
async def test_the_page_of_counters_is_where_it_was_asked_for(tmp_path: Path) -> None:
    port = free_port()
    async with serving(tmp_path, stats=f"127.0.0.1:{port}"):
        metrics = await asyncio.to_thread(fetched, f"http://127.0.0.1:{port}/metrics")
        assert 'haproxy_server_status{proxy="http.web",server="s1"' in metrics
        assert "Statistics Report" in await asyncio.to_thread(fetched, f"http://127.0.0.1:{port}/")


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as reply:
        return str(reply.read().decode())


@pytest.mark.haproxy
async def test_who_drains_is_shut_once_nothing_is_under_way(tmp_path: Path) -> None:
    async with serving(tmp_path) as (bench, ports):
        leaving = instance("a", ports[0], draining=True)
        async with asyncio.TaskGroup() as group:
            slow = [group.create_task(bench.get("web.localhost", "/?2500")) for _ in range(2)]
            await asyncio.sleep(0.2)
            bench.put(leaving)
            await bench.applied("runtime")
            assert await bench.lb.in_flight(leaving) == 1
            assert f":{ports[0]} weight 0\n" in config(bench)
            assert {await one for one in slow} == {(200, str(port)) for port in ports}
        await until(lambda: bench.lb.trouble() is None)
        assert await bench.lb.in_flight(leaving) == 0
        await until(lambda: f":{ports[0]} weight 1 disabled\n" in config(bench))
        assert await bench.lb.in_flight(leaving) == 0
        bench.put(instance("b", ports[1], status=Status.WARNING))  # other changes leave it shut
        await asyncio.sleep(0.2)
        assert f":{ports[0]} weight 1 disabled\n" in config(bench)
        bench.put(instance("a", ports[0]))  # the mark was taken back
        await until(lambda: f":{ports[0]} weight 1\n" in config(bench))
        await eventually_served(bench, 4, {str(ports[0]): 2, str(ports[1]): 2})


def config(bench: Bench) -> str:
    return (bench.dir / "haproxy.cfg").read_text()
