"""What is told of a real proxy, and how its endpoints rest before they stop."""

import asyncio
import contextlib
import re
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.catalog.model import TCP_LISTEN, Status
from templater.nginx import plan
from tests.integration.templater.harness import (
    Bench,
    backends,
    eventually_served,
    free_port,
    instance,
    running,
    until,
)
from tests.support.pace import allowed


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
    return {one["id"]: one["work"] for up in report["upstreams"] for one in up["endpoints"]}


async def seen_while_busy(
    bench: Bench, condition: Callable[[], Awaitable[bool]], first: Callable[[], None] = lambda: None
) -> None:
    """Wait until something is so while each endpoint answers one request; slow machines get longer.

    All of them are answered in the end.
    """
    for milliseconds in (800, 3000, 12000):
        async with asyncio.TaskGroup() as group:
            slow = [
                group.create_task(bench.get("web.localhost", f"/?{milliseconds}")) for _ in range(2)
            ]
            await asyncio.sleep(0.1)
            first()
            is_seen = False
            while not is_seen and not any(one.done() for one in slow):
                is_seen = await condition()
        assert {one.result()[0] for one in slow} == {200}
        if is_seen:
            return
    raise AssertionError("never seen")


@pytest.mark.haproxy
async def test_haproxys_own_counters_are_told_by_endpoint(tmp_path: Path) -> None:
    async with serving(tmp_path) as (bench, _):
        for _ in range(10):
            await bench.get("web.localhost", "/?20")

        async def one_each() -> bool:
            return {one["sessions"] for one in (await work_of(bench)).values()} == {1}

        await seen_while_busy(bench, one_each)
        work = await work_of(bench)
        assert sum(one["requests"] for one in work.values()) >= 12
        assert all(0.01 < one["latency"] < 60 for one in work.values())
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
    async with serving(tmp_path, kind="nginx") as (bench, _):

        async def one_each() -> bool:
            return all(one["sessions"] >= 1 for one in (await work_of(bench)).values())

        await seen_while_busy(bench, one_each)
        work = await work_of(bench)
        for _ in range(20):
            assert (await bench.get("web.localhost", "/?20"))[0] == 200
        async with asyncio.timeout(30):
            while sum(one["requests"] or 0 for one in work.values()) < 22:
                await asyncio.sleep(0.05)
                work = await work_of(bench)
        assert all(0.01 < one["latency"] < 60 for one in work.values())
        assert all(one["failures"] == one["retries"] == 0 for one in work.values())
        assert all(one["queued"] is None for one in work.values())
        report: Any = await bench.lb.report()
        assert report["proxy"]["program"].startswith("nginx 1.")
        assert report["proxy"]["rate"] is not None
        assert report["proxy"]["requests"] > 0
        assert "when it is done" in report["proxy"]["lacks"]


@pytest.mark.nginx
async def test_nginx_tells_which_endpoint_failed_and_what_tcp_listeners_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_GAP", 0.1)
    port = free_port()
    async with serving(tmp_path, kind="nginx") as (bench, ports):
        gone = instance("gone", free_port())
        bench.put(gone, instance("tcp", ports[0], service="db", meta={TCP_LISTEN: str(port)}))

        async def done(of: str) -> Any:
            """Ask until something of it has been counted."""
            async with asyncio.timeout(30):
                while not ((one := (await work_of(bench)).get(of)) and one["requests"]):
                    assert (await bench.get("web.localhost", "/"))[0] == 200
                    with contextlib.suppress(OSError):  # before it listens
                        await asyncio.to_thread(fetched, f"http://127.0.0.1:{port}/")
                    await asyncio.sleep(0.05)
            return one

        failed = await done("gone")
        assert failed["failures"] == failed["retries"] == failed["requests"]
        assert failed["latency"] is None
        answered = await done("tcp")
        assert (answered["failures"], answered["retries"]) == (0, 0)
        assert 0 <= answered["latency"] < 60


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
        staying, leaving = instance("a", ports[0]), instance("a", ports[0], draining=True)

        async def one_left() -> bool:
            is_drained = f":{ports[0]} weight 0\n" in config(bench)
            return await bench.lb.in_flight(leaving) == 1 and is_drained

        def drain() -> None:
            bench.put(staying)
            bench.put(leaving)

        await seen_while_busy(bench, one_left, drain)
        await until(lambda: bench.lb.trouble() is None)
        async with asyncio.timeout(allowed(10)):
            while await bench.lb.in_flight(leaving) != 0:
                await asyncio.sleep(0.02)
        await until(lambda: f":{ports[0]} weight 1 disabled\n" in config(bench))
        assert await bench.lb.in_flight(leaving) in {0, None}
        bench.put(instance("b", ports[1], status=Status.WARNING))  # other changes leave it shut
        await asyncio.sleep(0.2)
        assert f":{ports[0]} weight 1 disabled\n" in config(bench)
        bench.put(instance("a", ports[0]))  # the mark was taken back
        await until(lambda: f":{ports[0]} weight 1\n" in config(bench))
        await eventually_served(bench, 4, {str(ports[0]): 2, str(ports[1]): 2})


def config(bench: Bench) -> str:
    return (bench.dir / "haproxy.cfg").read_text()
