"""Connections on loopback: how many, how long a head, and what is answered in short."""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from sidecar.config.model import HttpSettings
from sidecar.metrics import REGISTRY
from sidecar.web.connection import HEAD_LIMIT
from tests.support.catalog import instance, puts
from tests.support.site import KEY, SERVICE, Site, same, site
from tests.support.wire import Wire, request, wire


@pytest.mark.parametrize(
    "target",
    [KEY, KEY + "?raw", KEY + "?recurse", "/v1/kv/a?recurse", "/v1/kv/empty?raw", "/v1/kv/empty",
     SERVICE, "/v1/catalog/services?cached&pretty"],
)  # fmt: skip
@pytest.mark.parametrize("headers", [(), ("Accept-Encoding: gzip",)])
async def test_a_short_answer_is_the_long_one(target: str, headers: tuple[str, ...]) -> None:
    async with site() as here, wire(here.address) as connection:
        async with wire(here.address) as other:
            await other.ask(request(target, *headers))  # a cached read tells its first reader so
        first = await connection.ask(request(target, *headers))
        second = await connection.ask(request(target, *headers))
        assert (first.status, here.short.answered) == (200, 1)
        assert same(first, second)
        assert "date" in second.headers


async def test_a_short_answer_is_counted_and_newest() -> None:
    async with site() as here, wire(here.address) as connection:
        await connection.ask(request(KEY))
        labels = {"route": "/v1/kv/{key}", "status": "200"}
        before = REGISTRY.get_sample_value("pinnace_web_requests_total", labels) or 0.0
        await here.world.store.kv.put("a/b", b"new")
        reply = await connection.ask(request(KEY))
        assert b"bmV3" in reply.body
        assert here.short.answered == 1
        after = REGISTRY.get_sample_value("pinnace_web_requests_total", labels)
        assert after == before + 1


@pytest.mark.parametrize(
    "target",
    ["/v1/kv/absent", "/v1/kv/a/b?raw&dc=dc1", "/v1/kv/a/b?raw=1", "/v1/kv/absent?recurse",
     "/v1/kv/large", "/v1/kv//a/b", "/v1/kv/a/../a/b", "/v1/kv/a%2fb", "/v1/kv/",
     "/v1/kv/a b", "/v1/kv/a/b HTTP/1.0 x"],
)  # fmt: skip
async def test_an_odd_target_is_answered_as_if_there_were_no_short_way(target: str) -> None:
    async with site() as here:
        async with wire(here.address) as connection:
            wanted = await connection.ask(request(target))
        async with wire(here.address) as connection:
            await connection.ask(request(KEY))
            assert same(await connection.ask(request(target)), wanted)
        assert here.short.answered == 0


@pytest.mark.parametrize(
    "header",
    ["Connection: close", "Upgrade: h2c", "Content-Length: 4", "Transfer-Encoding: chunked",
     "Origin: http://evil.example", "Host: evil.example", "X: a\r\n\r\nGET /v1/kv/a/b HTTP/1.1"],
)  # fmt: skip
async def test_headers_that_are_not_harmless_are_never_approved(header: str) -> None:
    body = b"0\r\n\r\n" if "chunked" in header else b"GET " if "Length" in header else b""
    async with site() as here, wire(here.address) as connection:
        for _ in range(3):
            connection.send(request(KEY, header) + body)
        await connection.reply()
        connection.send(request(KEY, "Connection: close"))
        assert await connection.is_closed()
        assert here.short.answered == 0


async def test_what_a_body_holds_is_no_request() -> None:
    hidden = request("/v1/kv/a/b")
    async with site() as here, wire(here.address) as connection:
        await connection.ask(request(KEY))
        head = f"PUT /v1/kv/c HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(hidden)}\r\n\r\n"
        connection.send(head.encode())
        await asyncio.sleep(0.02)
        reply = await connection.ask(hidden)
        assert (reply.status, reply.body) == (200, b"true")
        entry = here.world.store.kv.kv.get("c")
        assert entry is not None
        assert entry.value == hidden
        assert here.short.answered == 0


async def test_a_write_in_between_changes_nothing() -> None:
    put = request(KEY, "Content-Length: 3", method="PUT")
    async with site() as here, wire(here.address) as connection:
        await connection.ask(request(KEY))
        for number in range(3):
            connection.send(put)
            await asyncio.sleep(0.01 * number)
            assert (await connection.ask(b"abc")).status == 200
            assert b"YWJj" in (await connection.ask(request(KEY))).body
        assert here.short.answered == 3


@pytest.mark.parametrize("header", ["upgrade: x", "Expect: 100-continue"])
async def test_a_write_that_asks_for_another_protocol_ends_the_short_way(header: str) -> None:
    put = request(KEY, "Content-Length: 3", header, method="PUT")
    async with site() as here, wire(here.address) as connection:
        await connection.ask(request(KEY))
        connection.send(put + b"abc")
        await connection.reply()
        connection.send(request(KEY))
        await connection.reply()
        assert here.short.answered == 0


async def test_half_a_head_behind_a_body_belongs_to_the_next_request() -> None:
    put = request(KEY, "Content-Length: 3", method="PUT")
    async with site() as here, wire(here.address) as connection:
        await connection.ask(request(KEY))
        connection.send(put + b"abc" + b"GET /v1/kv/none HTTP/1.1\r\nX-A: ")
        assert (await connection.reply()).status == 200
        reply = await connection.ask(request(KEY))
        assert (reply.status, here.short.answered) == (404, 0)


def _sequence(chance: random.Random) -> list[list[bytes]]:
    """Return requests, each in pieces; the last piece may hold the beginning of the next."""
    found: list[list[bytes]] = []
    for _ in range(25):
        body = chance.randbytes(chance.choice([0, 1, 30])) + request(KEY)[: chance.choice([0, 99])]
        one = chance.choice(
            [
                request(KEY), request(KEY + "?raw"), request(SERVICE), request("/v1/kv/none"),
                request(KEY, "X-A: b"), request("/healthz"), request("/v1/agent/self?bad=%"),
                request(KEY, f"Content-Length: {len(body)}", method="PUT") + body,
                request(KEY, f"Content-Length: {len(body)}") + body,
            ]
        )  # fmt: skip
        cut = chance.choice([0, 0, len(one) - len(body), chance.randrange(len(one))])
        found.append([piece for piece in (one[:cut], one[cut:]) if piece])
    return found


async def _answers(here: Site, sequence: list[list[bytes]], chance: random.Random) -> list[object]:
    found: list[object] = []
    async with wire(here.address) as connection:
        waiting = 0
        for pieces in sequence:
            for piece in pieces:
                connection.send(piece)
                await asyncio.sleep(chance.choice([0, 0.002]))
            waiting += 1
            if chance.random() < 0.8:  # otherwise the next one is pipelined
                for _ in range(waiting):
                    reply = await connection.reply()
                    found.append((reply.status, reply.body if reply.status != 200 else b""))
                waiting = 0
    return found


@pytest.mark.parametrize("seed", range(12))
async def test_any_mixture_is_answered_as_if_there_were_no_short_way(seed: int) -> None:
    sequence = _sequence(random.Random(seed))
    async with site() as here:
        found = await _answers(here, sequence, random.Random(seed))
        entry = here.world.store.kv.kv.get("a/b")
    async with site() as other:
        other.short.is_off = True
        wanted = await _answers(other, sequence, random.Random(seed))
        assert other.world.store.kv.kv.get("a/b") == entry
    assert found == wanted


async def test_what_follows_half_a_head_belongs_to_it() -> None:
    async with site() as here, wire(here.address) as connection:
        await connection.ask(request(KEY))
        connection.send(b"GET /v1/kv/none HTTP/1.1\r\nX-A: ")
        await asyncio.sleep(0.02)
        reply = await connection.ask(request(KEY))
        assert reply.status == 404
        assert here.short.answered == 0


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with site() as here, wire(here.address) as connection:
        await connection.ask(request(KEY))
        connection.send(request(SERVICE) + request("/v1/kv/none") + request(KEY))
        assert [(await connection.reply()).status for _ in range(3)] == [200, 404, 200]
        assert here.short.answered == 0


async def test_a_token_in_one_query_opens_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.web.guard.is_loopback", lambda _: False)
    monkeypatch.setattr("sidecar.web.entrance.token_of", lambda _: "secret-secret-secret")
    async with site() as here, wire(here.address) as connection:
        assert (await connection.ask(request(KEY + "?token=secret-secret-secret"))).status == 200
        assert (await connection.ask(request(KEY))).status == 403
    async with site() as here, wire(here.address) as connection:
        for _ in range(2):
            token = "X-Consul-Token: secret-secret-secret"
            assert (await connection.ask(request(KEY, token))).status == 200
        assert here.short.answered == 1
        assert (await connection.ask(request(KEY))).status == 403


async def _open(stack: AsyncExitStack, here: Site, count: int) -> list[Wire]:
    found = [await stack.enter_async_context(wire(here.address)) for _ in range(count)]
    for each in found:
        assert (await each.ask(request(KEY))).status == 200
    return found


async def test_one_connection_more_than_allowed_is_told_so_and_closed() -> None:
    settings = HttpSettings(listen="127.0.0.1:0", max_connections=20)
    async with site(settings) as here:
        async with AsyncExitStack() as stack:
            await _open(stack, here, 20)
            async with wire(here.address) as surplus:
                reply = await surplus.ask(request(KEY))
                assert (reply.status, reply.headers["connection"]) == (429, "close")
                assert reply.headers["retry-after"] == "1"
                assert b"http.max_connections" in reply.body
                assert await surplus.is_closed()
        async with AsyncExitStack() as stack:
            for _ in range(100):
                async with wire(here.address) as late:
                    if (await late.ask(request(KEY))).status == 200:
                        break
            else:
                raise AssertionError("the places were not given back")


async def test_a_crowd_of_surplus_connections_is_cut_off_and_the_others_are_served() -> None:
    settings = HttpSettings(listen="127.0.0.1:0", max_connections=1)
    async with site(settings) as here, AsyncExitStack() as stack:
        (kept,) = await _open(stack, here, 1)
        crowd = [await stack.enter_async_context(wire(here.address)) for _ in range(150)]
        assert all([await each.is_closed() for each in crowd])
        assert (await kept.ask(request(KEY))).status == 200


async def test_a_blocking_query_too_many_is_refused_and_the_place_comes_back() -> None:
    settings = HttpSettings(listen="127.0.0.1:0", max_waiting=2)
    waiting = request("/v1/health/service/web?index=9&wait=60s")
    async with site(settings) as here, AsyncExitStack() as stack:
        first, second, third = await _open(stack, here, 3)
        first.send(waiting)
        second.send(waiting)
        await asyncio.sleep(0.05)
        refused = await third.ask(waiting)
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert (await third.ask(request(SERVICE))).status == 200
        here.world.catalog.commit(puts(instance(id_="new")))
        for number in range(9):
            here.world.catalog.commit(puts(instance(id_="new", port=number)))
        assert [(await each.reply()).status for each in (first, second)] == [200, 200]
        third.send(request("/v1/health/service/web?index=99&wait=10ms"))
        assert (await third.reply()).status == 200


def _head(size: int) -> bytes:
    """Return a request whose target and headers have this size, in fields that are each fine."""
    filler = [f"X-{n}: " + "v" * 3993 for n in range(3)]
    size -= len("/v1/kv/a/b") + len("Hostlocalhost") + 4
    size -= sum(len(line) + 2 for line in filler)
    return request(KEY, *filler, "X-Last: " + "v" * (size - len("X-Last") - 4))


async def test_a_head_over_the_limit_is_431() -> None:
    async with site() as here:
        async with wire(here.address) as connection:
            assert (await connection.ask(_head(HEAD_LIMIT))).status == 200
        async with wire(here.address) as connection:
            reply = await connection.ask(_head(HEAD_LIMIT + 1))
            assert (reply.status, reply.headers["connection"]) == (431, "close")
            assert await connection.is_closed()


async def test_a_head_that_never_ends_is_cut_off() -> None:
    labels = {"route": "other", "status": "431"}
    before = REGISTRY.get_sample_value("pinnace_web_requests_total", labels) or 0.0
    async with site() as here, wire(here.address) as connection:
        connection.send(b"GET / HTTP/1.1\r\n")
        for number in range(17):
            connection.send(f"X-{number}: {'v' * 1000}\r\n".encode())
            await asyncio.sleep(0.001)
        assert await connection.is_closed()
    after = REGISTRY.get_sample_value("pinnace_web_requests_total", labels)
    assert after == before + 1
