"""Requests through a real HAProxy."""

import asyncio
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.catalog.model import HTTP_HOST, TCP_LISTEN, InstanceId, Status
from tests.integration.templater.harness import (
    Bench,
    backends,
    client,
    free_port,
    instance,
    running,
    until,
)
from tests.support.pace import allowed

pytestmark = pytest.mark.haproxy


async def test_host_decides_the_service(tmp_path: Path) -> None:
    async with backends(2) as (web, api), running(Bench(tmp_path)) as bench:
        asked = {HTTP_HOST: "api.example.org, *.wild.example.org"}
        bench.put(instance("a", web), instance("b", api, "api", meta=asked))
        await bench.applied("reload")
        for host, port in {
            "web.localhost": web,
            "WEB.localhost.": web,
            f"web.localhost:{bench.port}": web,
            "web.consul": web,
            "web.service.pinnace": web,
            "api.localhost": api,
            "api.example.org": api,
            "x.y.wild.example.org": api,
        }.items():
            assert await bench.get(host) == (200, str(port)), host
        for host in (
            "wild.example.org",
            "nope.localhost",
            "localhost",
            "[::1]",
            "a, web.localhost",
        ):
            assert await bench.get(host) == (404, ""), host


async def test_tcp_listener_passes_bytes_and_closes_with_its_service(tmp_path: Path) -> None:
    port = free_port()
    async with backends(1) as (db,), running(Bench(tmp_path)) as bench:
        bench.put(instance("a", db, "db", meta={TCP_LISTEN: str(port)}))
        await bench.applied("reload")
        assert await bench.get("anything", port=port) == (200, str(db))
        bench.drop("a", service="db")

        async def closed() -> bool:
            try:
                async with client(port):
                    return False
            except ConnectionError:
                return True

        async with asyncio.timeout(allowed(5)):
            while not await closed():
                await asyncio.sleep(0.01)


async def test_a_taken_tcp_port_stops_only_its_own_listener(tmp_path: Path) -> None:
    async with backends(2) as (web, db), running(Bench(tmp_path)) as bench:
        bench.put(instance("a", db, "db", meta={TCP_LISTEN: str(web)}), instance("b", web))
        await bench.applied("reload")
        assert await bench.get() == (200, str(web))
        assert await bench.get("db.localhost") == (200, str(db))
        (problem,) = bench.lb.status()["problems"]  # type: ignore[misc]
        assert problem["service"] == "db"  # type: ignore[has-type]
        assert str(web) in problem["reason"]  # type: ignore[has-type]
        assert bench.lb.trouble() is None


async def test_a_change_of_endpoints_needs_no_reload_and_few_milliseconds(tmp_path: Path) -> None:
    async with backends(3) as ports, running(Bench(tmp_path)) as bench:
        bench.put(instance("i0", ports[0]))
        await bench.applied("reload")
        reloads = await bench.reloads()
        seconds = []
        for _ in range(10):
            bench.put(instance("i1", ports[1]), instance("i2", ports[2]))
            await until(lambda: bench.live() == 3)
            seconds.append(bench.seconds())
            assert set(await bench.served(9)) == {str(port) for port in ports}
            bench.drop("i1", "i2")
            await until(lambda: bench.live() == 1)
            seconds.append(bench.seconds())
            assert set(await bench.served(9)) == {str(ports[0])}
        assert await bench.reloads() == reloads
        assert statistics.median(seconds) < allowed(0.02), seconds


async def test_a_new_host_of_a_known_service_needs_no_reload(tmp_path: Path) -> None:
    async with backends(1) as (web,), running(Bench(tmp_path)) as bench:
        bench.put(instance("a", web))
        await bench.applied("reload")
        reloads = await bench.reloads()
        bench.put(instance("a", web, meta={HTTP_HOST: "one.example.org,*.two.example.org"}))
        await bench.applied("runtime")
        assert await bench.get("one.example.org") == (200, str(web))
        assert await bench.get("x.two.example.org") == (200, str(web))
        bench.put(instance("a", web))
        await bench.answers("x.two.example.org", 404)
        assert await bench.get("one.example.org") == (404, "")
        assert await bench.reloads() == reloads


async def test_longest_wildcard_wins_whatever_came_first(tmp_path: Path) -> None:
    async with backends(2) as (one, two), running(Bench(tmp_path)) as bench:
        bench.put(instance("a", one, "a"), instance("b", two, "b"))
        await bench.applied("reload")
        bench.put(instance("a", one, "a", meta={HTTP_HOST: "*.example.org"}))
        await bench.answers("x.b.example.org", 200)
        bench.put(instance("b", two, "b", meta={HTTP_HOST: "*.b.example.org"}))
        await until(lambda: bench.lb.status()["wildcards"] != {"*.example.org": "a"})
        async with asyncio.timeout(allowed(5)):
            while await bench.get("x.b.example.org") != (200, str(two)):
                await asyncio.sleep(0.005)
        assert await bench.get("x.c.example.org") == (200, str(one))


async def test_only_ready_endpoints_get_new_requests(tmp_path: Path) -> None:
    async with backends(3) as ports, running(Bench(tmp_path)) as bench:
        bench.put(*(instance(f"i{n}", port) for n, port in enumerate(ports)))
        await bench.applied("reload")
        bench.put(
            instance("i0", ports[0], draining=True),
            instance("i1", ports[1], status=Status.CRITICAL),
            instance("i2", ports[2], status=Status.WARNING),
        )
        await bench.applied("runtime")
        assert set(await bench.served()) == {str(ports[2])}


async def test_states_and_weights_survive_a_reload(tmp_path: Path) -> None:
    async with backends(3) as ports, running(Bench(tmp_path)) as bench:
        members = [
            instance("i0", ports[0], weight=3),
            instance("i1", ports[1]),
            instance("i2", ports[2], draining=True),
        ]
        bench.put(*members)
        await bench.applied("reload")
        assert await bench.served(40) == {str(ports[0]): 30, str(ports[1]): 10}
        bench.put(instance("x", ports[0], "other"))
        await bench.answers("other.localhost", 200)
        assert await bench.served(40) == {str(ports[0]): 30, str(ports[1]): 10}
        bench.put(instance("i2", ports[2], weight=2))
        await bench.applied("runtime")
        assert await bench.served(60) == {
            str(ports[0]): 30, str(ports[1]): 10, str(ports[2]): 20,
        }  # fmt: skip


async def test_service_without_healthy_instance_answers_503(tmp_path: Path) -> None:
    async with backends(1) as (web,), running(Bench(tmp_path)) as bench:
        bench.put(instance("a", web, status=Status.CRITICAL))
        await bench.answers("web.localhost", 503)
        bench.put(instance("a", web))
        await bench.answers("web.localhost", 200)
        bench.drop("a")
        await bench.answers("web.localhost", 404)


async def test_in_flight_counts_what_an_instance_still_does(tmp_path: Path) -> None:
    async with backends(1) as (web,), running(Bench(tmp_path)) as bench:
        one = instance("a", web)
        assert await bench.lb.in_flight(one) is None
        bench.put(one)
        await bench.applied("reload")
        assert await bench.lb.in_flight(one) == 0
        assert "No such proxy" in await bench.ask("show stat http.nope 4 -1")
        async with client(bench.port) as ask, asyncio.TaskGroup() as group:
            task = group.create_task(ask("web.localhost", "/?1500"))
            await asyncio.sleep(0.1)
            assert await bench.lb.in_flight(one) == 1
            bench.put(instance("b", web, "other"))  # a reload: the old worker keeps the request
            await bench.answers("other.localhost", 200)
            assert await bench.lb.in_flight(one) == 1
            assert await task == (200, str(web))
        assert await bench.lb.in_flight(one) == 0


async def test_in_flight_is_known_by_another_node_and_after_the_entry_is_gone(
    tmp_path: Path,
) -> None:
    async with backends(2) as (web, same), running(Bench(tmp_path)) as bench:
        bench.put(instance("a", web), instance("b", same))
        await bench.applied("reload")
        # A store may call the host by another name than the registrar does, or make its own ids.
        ours = replace(instance("a", web), node="elsewhere")
        assert await bench.lb.in_flight(ours) == 0
        renamed = replace(ours, id=InstanceId("vm:a:80"))
        assert await bench.lb.in_flight(renamed) == 0
        assert await bench.lb.in_flight(replace(ours, address="")) == 0
        assert await bench.lb.in_flight(replace(renamed, port=9)) is None
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(bench.get("web.localhost", "/?1500")) for _ in range(2)]
            await asyncio.sleep(0.1)
            assert await bench.lb.in_flight(renamed) == 1
            bench.drop("a")  # how a store that knows only presence hears of a drain
            await bench.applied("runtime")
            assert await bench.lb.in_flight(renamed) == 1
            assert {await task for task in tasks} == {(200, str(web)), (200, str(same))}
        assert await bench.lb.in_flight(renamed) == 0
