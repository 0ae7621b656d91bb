"""``pinnace up --store consul://…`` on two hosts: each sees what both run."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dnslib
import pytest

from deploy.tools.consul import Consul
from tests.support.docker import document
from tests.support.pinnace import Pinnace, until
from tests.support.stub_engine import StubEngine, answer


def container(stub: StubEngine, name: str, port: int, **labels: str) -> None:
    """Let a container run on the engine."""
    found = document(
        name,
        published={"80/tcp": f"0.0.0.0:{port}"},
        id_=name * 8,
        labels=labels,
        image=f"example.org/{name}",
    )
    stub.answers[f"containers/{name * 8}/json"] = answer(json.dumps(found).encode())
    listed = [{"Id": path.split("/")[1]} for path in stub.answers if path.count("/") == 2]
    stub.answers["containers/json"] = answer(json.dumps(listed).encode())


def engine(path: Path, id_: str) -> StubEngine:
    """Return an engine on which nothing runs."""
    stub = StubEngine(path)
    stub.answers |= {
        "_ping": answer(b"OK", kind="text/plain"),
        "info": answer(json.dumps({"ID": id_, "Name": id_, "ServerVersion": "20.10"}).encode()),
        "containers/json": answer(b"[]"),
    }
    return stub


@asynccontextmanager
async def hosts(consul: Consul, folder: Path) -> AsyncIterator[tuple[Pinnace, Pinnace]]:
    """Run two hosts on one agent, each with an engine of its own and one container."""
    store = f"consul://127.0.0.1:{consul.ports['http']}"
    first, second = (engine(folder / name, name) for name in ("engine-a", "engine-b"))
    container(first, "web", 21001, SERVICE_TAGS="blue", VIRTUAL_HOST="web.example.org")
    container(second, "api", 21002)
    async with first.running(), second.running():
        with (
            _started(first.url, store, "host-a", lb=False) as a,
            _started(second.url, store, "host-b", lb=False) as b,
        ):
            await asyncio.to_thread(a.until_ready)
            await asyncio.to_thread(b.until_ready)
            yield a, b


def _started(docker: str, store: str, node: str, *, lb: bool) -> Pinnace:
    env = {"PINNACE_REGISTRAR__NODE": node}
    return Pinnace(docker, "--store", store, wait=False, lb=lb, env=env)


async def eventually(condition: Callable[[], object], limit: float = 10.0) -> None:
    await asyncio.to_thread(until, condition, limit)


def put(pinnace: Pinnace, path: str, body: Any = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", pinnace.http_port, timeout=10)
    try:
        connection.request("PUT", path, json.dumps(body))
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


async def test_two_hosts_on_one_consul_see_what_both_run(consul: Consul, tmp_path: Path) -> None:
    async with hosts(consul, tmp_path) as (a, b):

        def complete() -> bool:
            return all(
                {"web", "api"} <= host.services()
                and host.srv_ports("web") == {21001}
                and host.srv_ports("api") == {21002}
                for host in (a, b)
            )

        await eventually(complete)
        entry = (await asyncio.to_thread(b.instances, "web"))["host-a:web:80"]
        assert entry["Service"]["Tags"] == ["blue"]
        assert entry["Node"]["Node"] == consul.node
        # What Consul itself shows of a node and its checks stays in its answers here.
        assert [check["CheckID"] for check in entry["Checks"]] == ["serfHealth"]
        registered = consul.get("/v1/agent/services")[1]
        assert {"host-a:web:80", "host-b:api:80"} <= registered.keys()


async def test_writes_belong_to_the_store_and_are_refused(consul: Consul, tmp_path: Path) -> None:
    store = f"consul://user:c4n4ry@127.0.0.1:{consul.ports['http']}"
    stub = engine(tmp_path / "engine", "engine-a")
    async with stub.running():
        with _started(stub.url, store, "host-a", lb=False) as pinnace:
            await asyncio.to_thread(pinnace.until_ready)
            for path in (
                "/v1/agent/service/register",
                "/v1/kv/key",
                "/v1/session/create",
                "/v1/txn",
                "/v1/catalog/register",
            ):
                status, text = await asyncio.to_thread(put, pinnace, path, {"Name": "x"})
                assert status == 501, path
                assert f"consul://127.0.0.1:{consul.ports['http']}" in text
                assert "c4n4ry" not in text
            for path, status in (
                ("/v1/kv/key", 501),
                ("/v1/agent/services", 501),
                ("/v1/catalog/services", 200),
                ("/v1/health/state/any", 200),
                ("/v1/agent/self", 200),
                ("/v1/status/leader", 200),
            ):
                for _ in range(2):  # the second time without parsing
                    assert (await asyncio.to_thread(pinnace.get, path))[0] == status, path
            assert "c4n4ry" not in pinnace.log_text()


async def test_names_stay_while_the_store_is_away_and_return_after_a_wipe(
    consul: Consul, tmp_path: Path
) -> None:
    async with hosts(consul, tmp_path) as (a, b):
        await eventually(lambda: a.srv_ports("api") == {21002})
        await asyncio.to_thread(consul.kill)
        await eventually(lambda: not a.is_ready())
        assert await asyncio.to_thread(a.srv_ports, "api") == {21002}
        await asyncio.to_thread(consul.start)  # a development agent has forgotten everything

        def registered() -> bool:
            return {"host-a:web:80", "host-b:api:80"} <= (
                consul.get("/v1/agent/services")[1] or {}
            ).keys()

        assert await asyncio.to_thread(until, registered, 10.0) < 2.0
        await eventually(lambda: a.srv_ports("api") == {21002} and b.srv_ports("web") == {21001})
        await eventually(a.is_ready)


async def test_a_store_that_is_down_at_the_start_keeps_nothing_from_serving(
    consul: Consul, tmp_path: Path
) -> None:
    store = f"consul://127.0.0.1:{consul.ports['http']}"
    stub = engine(tmp_path / "engine", "engine-a")
    container(stub, "web", 21001)
    await asyncio.to_thread(consul.stop)
    async with stub.running():
        with _started(stub.url, store, "host-a", lb=False) as pinnace:
            await eventually(lambda: pinnace.get("/healthz")[0] == 200, 5.0)
            await eventually(lambda: _rcode(pinnace) == "SERVFAIL", 5.0)  # not known is not absent
            await eventually(lambda: "Connection refused" in _trouble(pinnace, "store"))
            await asyncio.to_thread(consul.start)
            await eventually(pinnace.is_ready)
            await eventually(lambda: pinnace.srv_ports("web") == {21001})


def _trouble(pinnace: Pinnace, component: str) -> str:
    ready = json.loads(pinnace.get("/readyz")[1])
    return str(ready["components"][component].get("trouble", ""))


def _rcode(pinnace: Pinnace) -> str:
    try:
        return str(dnslib.RCODE[pinnace.dns("web.service.consul", "SRV").header.rcode])
    except ConnectionRefusedError:
        return ""


@pytest.mark.haproxy
async def test_the_load_balancer_routes_to_what_another_host_runs(
    consul: Consul, tmp_path: Path
) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = f"consul://127.0.0.1:{consul.ports['http']}"
    first, second = (engine(tmp_path / name, name) for name in ("engine-a", "engine-b"))
    container(first, "web", port)
    async with first.running(), second.running(), server:
        with (
            _started(first.url, store, "host-a", lb=False) as a,
            _started(second.url, store, "host-b", lb=True) as b,
        ):
            await asyncio.to_thread(a.until_ready)
            await asyncio.to_thread(b.until_ready)
            await eventually(lambda: b.fetch("web.localhost") == (200, "hello"))
