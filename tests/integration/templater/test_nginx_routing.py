"""Requests through a real nginx."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar.catalog.model import HTTP_BALANCE, HTTP_HOST, TCP_LISTEN, Status
from templater.nginx import plan
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

pytestmark = pytest.mark.nginx


@pytest.fixture(autouse=True)
def _reloads_in_quick_succession(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_GAP", 0.1)


def bench_of(tmp_path: Path, **settings: object) -> Bench:
    return Bench(tmp_path, kind="nginx", **settings)


async def test_host_decides_the_service(tmp_path: Path) -> None:
    async with backends(2) as (web, api), running(bench_of(tmp_path)) as bench:
        asked = {HTTP_HOST: "api.example.org, *.wild.example.org"}
        bench.put(instance("a", web), instance("b", api, "api", meta=asked))
        await bench.applied("reload")
        for host, port in {
            "web.localhost": web,
            "WEB.localhost.": web,
            f"web.localhost:{bench.port}": web,
            "web.service.pinnace": web,
            "api.example.org": api,
            "x.y.wild.example.org": api,
        }.items():
            assert await bench.get(host) == (200, str(port)), host
        for host in ("wild.example.org", "nope.localhost", "localhost", "[::1]"):
            assert await bench.get(host) == (404, ""), host


async def test_values_that_look_like_syntax_harm_nobody(tmp_path: Path) -> None:
    evil = 'x"; } } server { listen 127.0.0.1:1; return 200 evil; }'
    async with backends(1) as (web,), running(bench_of(tmp_path)) as bench:
        bench.put(
            instance("a", web),
            instance(evil, web, "b", node=evil, tags=(evil,), meta={HTTP_HOST: evil, evil: evil}),
            instance("c", web, "c", address=evil),
            instance("d", web, evil),
            instance(
                "e", web, "e", meta={TCP_LISTEN: evil, HTTP_HOST: "$host, ~.*, e.example.org"}
            ),
            instance("f", web, "f" * 63, meta={HTTP_HOST: ".".join(["h" * 60] * 4)}),
        )
        await bench.applied("reload")
        for host in ("web.localhost", "b.localhost", "e.example.org", ".".join(["h" * 60] * 4)):
            assert await bench.get(host) == (200, str(web)), host
        assert bench.lb.trouble() is None


async def test_states_and_weights_decide_who_gets_new_requests(tmp_path: Path) -> None:
    async with backends(4) as ports, running(bench_of(tmp_path)) as bench:
        bench.put(
            instance("i0", ports[0], weight=3),
            instance("i1", ports[1], status=Status.WARNING),
            instance("i2", ports[2], draining=True),
            instance("i3", ports[3], status=Status.CRITICAL),
        )
        await bench.applied("reload")
        assert await bench.served(40) == {str(ports[0]): 30, str(ports[1]): 10}


async def test_service_without_healthy_instance_answers_503_and_a_lost_one_404(
    tmp_path: Path,
) -> None:
    async with backends(1) as (web,), running(bench_of(tmp_path)) as bench:
        bench.put(instance("a", web, status=Status.CRITICAL))
        await bench.answers("web.localhost", 503)
        bench.put(instance("a", web))
        await bench.answers("web.localhost", 200)
        bench.drop("a")
        await bench.answers("web.localhost", 404)


async def test_tcp_listener_passes_bytes_and_closes_with_its_service(tmp_path: Path) -> None:
    port = free_port()
    async with backends(2) as (db, web), running(bench_of(tmp_path)) as bench:
        taken = instance("t", web, "t", meta={TCP_LISTEN: str(web)})
        bench.put(instance("a", db, "db", meta={TCP_LISTEN: str(port)}), taken)
        await bench.applied("reload")
        assert await bench.get("anything", port=port) == (200, str(db))
        (problem,) = bench.lb.status()["problems"]  # type: ignore[misc]
        assert problem["service"] == "t"  # type: ignore[has-type]
        bench.put(instance("a", db, "db", meta={TCP_LISTEN: str(port)}, draining=True))
        async with asyncio.timeout(allowed(5)):
            while await _asked(port) != b"":
                await asyncio.sleep(0.02)
        bench.drop("a", service="db")
        async with asyncio.timeout(allowed(5)):
            while await _asked(port) is not None:
                await asyncio.sleep(0.02)


async def _asked(port: int) -> bytes | None:
    """Return what a port answers: nothing when it closes at once, None when it is closed."""
    try:
        async with client(port) as ask:
            try:
                return str((await ask("x"))[0]).encode()
            except (asyncio.IncompleteReadError, ConnectionResetError):
                return b""
    except ConnectionRefusedError:
        return None


async def test_without_the_stream_module_only_tcp_is_missing(tmp_path: Path) -> None:
    program = tmp_path / "nginx"
    program.write_text(
        '#!/bin/sh\n[ "$1" = -V ] && { echo "nginx version: nginx/1.22.1"; exit; }\n'
        'exec /usr/sbin/nginx "$@"\n'
    )
    program.chmod(0o755)
    async with backends(1) as (web,), running(bench_of(tmp_path, program=str(program))) as bench:
        bench.put(instance("a", web))
        await bench.applied("reload")
        assert bench.lb.trouble() is None
        bench.put(instance("b", web, "db", meta={TCP_LISTEN: str(free_port())}))
        await bench.answers("db.localhost", 200)
        assert "libnginx-mod-stream" in str(bench.lb.trouble())


@asynccontextmanager
async def telling() -> AsyncIterator[tuple[int, list[str]]]:
    """Serve what answers 200, or switches protocols when asked, and remembers the heads."""
    heads: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if "upgrade: " in heads[-1].lower():
            writer.write(
                b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
            )
            while data := await reader.read(100):
                writer.write(data.upper())
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()


async def test_endpoints_hear_who_asked_and_http_1_1(tmp_path: Path) -> None:
    async with telling() as (port, heads), running(bench_of(tmp_path)) as bench:
        bench.put(instance("a", port))
        await bench.applied("reload")
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
        writer.write(
            b"GET /a//b?c=%2F HTTP/1.1\r\nHost: web.localhost:1\r\nX-Forwarded-For: 192.0.2.9\r\n"
            b"X-Forwarded-Proto: https\r\nProxy: evil\r\nUpgrade: h2c\r\n"
            b"Connection: upgrade\r\n\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        lines = heads[0].split("\r\n")
        assert lines[0] == "GET /a//b?c=%2F HTTP/1.1"
        assert {
            "Host: web.localhost:1",
            "X-Forwarded-For: 192.0.2.9, 127.0.0.1",
            "X-Forwarded-Host: web.localhost:1",
            f"X-Forwarded-Port: {bench.port}",
            "X-Forwarded-Proto: http",
        } <= set(lines)
        assert not any(line.lower().startswith(("proxy:", "upgrade:")) for line in lines)


async def test_a_websocket_passes_both_ways_and_outlives_a_reload(tmp_path: Path) -> None:
    async with telling() as (port, _), running(bench_of(tmp_path)) as bench:
        one = instance("a", port)
        bench.put(one)
        await bench.applied("reload")
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
        writer.write(
            b"GET / HTTP/1.1\r\nHost: web.localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\n\r\n"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        bench.put(instance("a", port, draining=True))
        await bench.answers("web.localhost", 503)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
        assert await bench.lb.in_flight(one) == 1
        writer.close()
        async with asyncio.timeout(allowed(5)):
            while await bench.lb.in_flight(one):
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 502)])
async def test_what_was_sent_is_repeated_elsewhere_only_when_it_may_be(
    tmp_path: Path, method: str, status: int
) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        heard.append(method)
        writer.close()

    heard: list[str] = []
    server = await asyncio.start_server(broken, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, backends(1) as (good,), running(bench_of(tmp_path)) as bench:
        bench.put(instance("a", port, weight=100), instance("b", good))
        await bench.applied("reload")
        async with client(bench.port) as ask:
            assert (await ask("web.localhost", "/", method))[0] == status
        assert len(heard) == 1
        server.close()  # from now on the connection fails, and nothing was sent
        async with client(bench.port) as ask:
            assert (await ask("web.localhost", "/", method))[0] == 200


async def test_in_flight_counts_what_an_instance_still_does(tmp_path: Path) -> None:
    async with backends(2) as (web, other), running(bench_of(tmp_path)) as bench:
        one, two = instance("a", web), instance("b", other)
        assert await bench.lb.in_flight(one) is None
        bench.put(one, two)
        await bench.applied("reload")
        async with client(bench.port) as ask, asyncio.TaskGroup() as group:
            while (await ask("web.localhost"))[1] != str(other):
                pass
            task = group.create_task(ask("web.localhost", "/?1500"))  # round robin: it is a's
            await asyncio.sleep(0.1)
            began = time.monotonic()
            bench.put(instance("a", web, draining=True))
            assert await bench.lb.in_flight(one) == 1
            await until(lambda: bench.live() == 1)
            assert await bench.lb.in_flight(one) == 1
            assert await task == (200, str(web))
            assert time.monotonic() - began > 1
        async with asyncio.timeout(allowed(2)):
            while await bench.lb.in_flight(one) != 0:
                await asyncio.sleep(0.01)


async def test_a_reload_that_is_owed_counts_as_work(tmp_path: Path) -> None:
    async with backends(1) as (web,), running(bench_of(tmp_path)) as bench:
        one = instance("a", web)
        bench.put(one)
        await bench.applied("reload")
        assert await bench.lb.in_flight(one) == 0
        bench.put(instance("a", web, draining=True))
        await until(lambda: "drain" in str(bench.lb.status()["upstreams"]))
        assert await bench.lb.in_flight(one) == 1
        await until(lambda: bench.live() == 0)
        assert await bench.lb.in_flight(one) == 0


async def test_paths_lead_to_services_and_may_be_replaced(tmp_path: Path) -> None:
    async with (
        telling() as (port, heads),
        backends(1) as (rest,),
        running(bench_of(tmp_path)) as bench,
    ):
        asked = {HTTP_HOST: "x.example.org/api.v1=/y, x.example.org/z"}
        bench.put(
            instance("a", port, "a", meta=asked),
            instance("b", rest, "b", meta={HTTP_HOST: "x.example.org"}),
        )
        await bench.applied("reload")
        for path, told in {
            "/api.v1": "/y/",
            "/api.v1/": "/y/",
            "/api.v1/a%20b%0Ac?d=%2F": "/y/a%20b%0Ac?d=%2F",
            "/z/%41": "/z/%41",
        }.items():
            assert (await bench.get("x.example.org", path))[0] == 200
            assert heads[-1].split(" ")[1] == told, path
        for elsewhere in ("/", "/apixv1/", "/api.v12", "/zz"):
            assert await bench.get("x.example.org", elsewhere) == (200, str(rest)), elsewhere


@pytest.mark.parametrize("balance", ["leastconn", "source", "random"])
async def test_every_way_of_sharing_out_serves(tmp_path: Path, balance: str) -> None:
    async with backends(2) as ports, running(bench_of(tmp_path)) as bench:
        meta = {HTTP_BALANCE: balance}
        bench.put(*(instance(f"i{n}", port, meta=meta) for n, port in enumerate(ports)))
        await bench.applied("reload")
        found = await bench.served(20)
        assert len(found) == (1 if balance == "source" else 2)
