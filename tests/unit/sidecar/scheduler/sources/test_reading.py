"""Sources of all kinds: engines and proxies that say what they are told, real HTTP on loopback."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiohttp import web

from sidecar.catalog.live import Catalog
from sidecar.catalog.work import Load
from sidecar.errors import EngineUnavailable, ProtocolError, UpstreamUnavailable
from sidecar.runtime.clock import FakeClock
from sidecar.scheduler.cluster import Copy
from sidecar.scheduler.scale import Metric
from sidecar.scheduler.sources.reading import Reading
from sidecar.scheduler.sources.wanted import Kind, Wanted
from sidecar.scheduler.sources.web import Web, value_of
from sidecar.stores.keyvalue import EmbeddedKeyValue
from tests.support.desk import Still

if TYPE_CHECKING:
    from sidecar.engine.operations import Operations


def copy(name: str, node: str = "n1") -> Copy:
    return Copy(name=name, id=name, node=node, slot=name, spec="a", incarnation=1)


def wanted(kind: Kind, **more: Any) -> Wanted:
    return Wanted(kind=kind, metric=Metric(kind, 1.0), **more)


class Engine:
    """Statistics by container."""

    def __init__(self) -> None:
        self.cpu: dict[str, int] = {}
        self.asked: list[str] = []
        self.nano = 0

    async def stats(self, id_: str) -> Mapping[str, Any]:
        self.asked.append(id_)
        if id_ not in self.cpu:
            raise EngineUnavailable("away")
        return {
            "cpu_stats": {"cpu_usage": {"total_usage": self.cpu[id_]}},
            "memory_stats": {"usage": 50, "limit": 200},
        }

    async def inspect(self, _: str) -> Mapping[str, Any]:
        return {"HostConfig": {"NanoCpus": self.nano}}


class Proxy(Still):
    """What a load balancer would say."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Load] = {}
        self.ports: dict[int, tuple[str, int]] = {}

    async def loads(self, _containers: Mapping[str, str]) -> Mapping[str, Load]:
        return self.found

    def places(self, _node: str, _id: str) -> Mapping[int, tuple[str, int]]:
        return self.ports


class Kit:
    """A reading with everything it asks."""

    def __init__(self) -> None:
        self.clock, self.engine, self.proxy, self.web = FakeClock(), Engine(), Proxy(), Web()
        self.keys = EmbeddedKeyValue(Catalog(), self.clock)
        self.reading = Reading(
            lambda node: cast("Operations", self.engine) if node == "n1" else None,
            self.proxy, self.keys, self.web, self.clock,
        )  # fmt: skip

    async def values(self, each: Wanted, *copies: Copy) -> dict[str, float]:
        found = await self.reading.read(each, copies)
        return {id_: sample.value for id_, sample in found.items()}


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    made = Kit()
    yield made
    await made.web.close()


async def test_cpu_needs_two_readings(kit: Kit) -> None:
    kit.engine.cpu = {"a": 10**9, "b": 0}
    cpu = wanted(Kind.CPU)
    assert await kit.values(cpu, copy("a"), copy("b")) == {}
    await kit.clock.advance(2.0)
    kit.engine.cpu = {"a": 2 * 10**9}
    assert await kit.values(cpu, copy("a"), copy("b"), copy("c", "n9")) == {"a": 0.5}
    assert kit.engine.asked == ["a", "b", "a", "b"]


async def test_cpu_is_a_part_of_the_containers_limit(kit: Kit) -> None:
    kit.engine.cpu, kit.engine.nano = {"a": 0}, 250_000_000
    await kit.values(wanted(Kind.CPU), copy("a"))
    await kit.clock.advance(2.0)
    kit.engine.cpu = {"a": 10**9}
    assert await kit.values(wanted(Kind.CPU), copy("a")) == {"a": 2.0}
    kit.reading.forget(set())
    assert await kit.values(wanted(Kind.CPU), copy("a")) == {}


async def test_memory_is_a_part_of_its_limit(kit: Kit) -> None:
    kit.engine.cpu = {"a": 0}
    assert await kit.values(wanted(Kind.MEMORY), copy("a")) == {"a": 0.25}


async def test_the_proxy_tells_sessions_queue_and_rate(kit: Kit) -> None:
    kit.proxy.found = {"a": Load(sessions=3, queued=2, requests=100)}
    assert await kit.values(wanted(Kind.SESSIONS), copy("a")) == {"a": 3.0}
    assert await kit.values(wanted(Kind.QUEUE), copy("a")) == {"a": 2.0}
    assert await kit.values(wanted(Kind.REQUESTS), copy("a")) == {}
    await kit.clock.advance(10.0)
    kit.proxy.found = {"a": Load(requests=150)}
    assert await kit.values(wanted(Kind.REQUESTS), copy("a")) == {"a": 5.0}
    await kit.clock.advance(10.0)
    kit.proxy.found = {"a": Load(requests=7)}  # it was reloaded
    assert await kit.values(wanted(Kind.REQUESTS), copy("a")) == {}


async def test_what_a_proxy_does_not_count_is_missing_and_not_nothing(kit: Kit) -> None:
    kit.proxy.found = {"a": Load(sessions=3, is_counted=False, has_queue=False)}
    for _ in range(2):
        assert await kit.values(wanted(Kind.REQUESTS), copy("a")) == {}
        assert await kit.values(wanted(Kind.QUEUE), copy("a")) == {}
        assert await kit.values(wanted(Kind.SESSIONS), copy("a")) == {"a": 3.0}
        await kit.clock.advance(10.0)


async def test_requests_may_be_counted_where_what_waits_is_not(kit: Kit) -> None:
    for requests, rate in ((100, {}), (150, {"a": 5.0})):
        kit.proxy.found = {"a": Load(requests=requests, has_queue=False)}
        assert await kit.values(wanted(Kind.QUEUE), copy("a")) == {}
        assert await kit.values(wanted(Kind.REQUESTS), copy("a")) == rate
        await kit.clock.advance(10.0)


STUB = "Active connections: 12 \nserver accepts handled requests\n 9 9 {} \nReading: 0\n"


async def test_counts_of_an_instance_become_rates(kit: Kit) -> None:
    stub = wanted(Kind.NGINX, path="/s", is_rate=True)
    series = wanted(Kind.ENDPOINT, path="/m", query="jobs_total", is_rate=True)
    for each, text in ((stub, STUB), (series, "jobs_total {}\n")):
        found = []
        for count in (100, 150, 7, 27):
            async with server(kit, text.format(count)):
                found.append(await kit.values(each, copy("a")))
            await kit.clock.advance(10.0)
        assert found == [{}, {"a": 5.0}, {}, {"a": 2.0}]
    kit.reading.forget(set())
    async with server(kit, STUB.format(100)):
        assert await kit.values(stub, copy("a")) == {}


@asynccontextmanager
async def server(kit: Kit, answer: str, status: int = 200) -> AsyncIterator[str]:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(text=answer, status=status)

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    kit.proxy.ports = {80: ("127.0.0.1", port)}
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_instances_are_asked_themselves(kit: Kit) -> None:
    async with server(kit, "Active connections: 12\njobs 5\n"):
        assert await kit.values(wanted(Kind.NGINX, path="/s"), copy("a")) == {"a": 12.0}
        endpoint = wanted(Kind.ENDPOINT, path="/metrics", query="jobs", port=80)
        assert await kit.values(endpoint, copy("a")) == {"a": 5.0}
        other = wanted(Kind.ENDPOINT, path="/metrics", query="jobs", port=81)
        assert await kit.values(other, copy("a")) == {}
        absent = wanted(Kind.ENDPOINT, path="/metrics", query="cows")
        assert await kit.values(absent, copy("a")) == {}
    async with server(kit, "no", 500):
        assert await kit.values(endpoint, copy("a")) == {}
    assert await kit.values(endpoint, copy("a")) == {}  # nobody listens


VECTOR = """{"data": {"resultType": "vector", "result": [
    {"value": [1, "3"]}, {"value": [1, "4.5"]}]}}"""


async def test_a_prometheus_server_answers_a_query(kit: Kit) -> None:
    async with server(kit, VECTOR) as url:
        query = wanted(Kind.PROMETHEUS, url=url, query="x")
        assert await kit.values(query) == {"": 7.5}
    async with server(kit, '{"data": {"resultType": "vector", "result": []}}') as url:
        assert await kit.values(wanted(Kind.PROMETHEUS, url=url, query="x")) == {}
    assert await kit.values(query) == {}
    assert value_of('{"data": {"resultType": "scalar", "result": [1, "2"]}}') == 2.0
    for number in ("NaN", "+Inf", "-Inf"):  # of a division by nothing
        assert (
            value_of(f'{{"data": {{"resultType": "scalar", "result": [1, "{number}"]}}}}') is None
        )
        assert value_of(VECTOR.replace("4.5", number)) is None
    for text in ('{"data": {"resultType": "matrix", "result": []}}', "[]", "x", '{"data": 1}'):
        with pytest.raises(ProtocolError):
            value_of(text)


async def test_too_large_an_answer_is_refused(kit: Kit) -> None:
    async with server(kit, "x" * (9 << 20)) as url:
        with pytest.raises(ProtocolError, match="over 8388608 bytes"):
            await kit.web.text(url)


async def test_who_does_not_answer_is_told(kit: Kit) -> None:
    with pytest.raises(UpstreamUnavailable):
        await kit.web.text("http://127.0.0.1:1/")


async def test_a_key_of_the_store_is_a_number(kit: Kit) -> None:
    key = wanted(Kind.KEY, query="queue/length")
    assert await kit.values(key) == {}
    await kit.keys.put("queue/length", b"12.5")
    assert await kit.values(key) == {"": 12.5}
    await kit.keys.put("queue/length", b"many")
    assert await kit.values(key) == {}
