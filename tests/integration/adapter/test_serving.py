"""The server of scrapes, spoken to byte by byte."""

import asyncio
import gzip
import http.client
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest

from adapter.exposition import Family
from adapter.serving import exposed
from sidecar.config.units import Endpoint
from sidecar.web.lean import server as lean
from sidecar.web.lean.request import Request
from sidecar.web.lean.server import Answer, LeanServer, routed

MANY = 5000


def _families() -> Iterator[Family]:
    family = Family("many", "gauge", "Many.")
    for number in range(MANY):
        family.add({"n": str(number)}, number)
    yield family


async def _echo(request: Request) -> Answer:
    return Answer(200, f"{request.path} {request.header('host')}\n".encode() * 400)


async def _broken(_: Request) -> Answer:
    raise RuntimeError("on purpose")


async def _half(_: Request) -> Answer:
    def pieces() -> Iterator[str]:
        yield "begun\n"
        raise RuntimeError("on purpose")

    return Answer(200, more=pieces())


async def _many(request: Request) -> Answer:
    return exposed(request, _families())


ROUTES = {"/a": _echo, "/b": _echo, "/broken": _broken, "/half": _half, "/many": _many}


@asynccontextmanager
async def _serving() -> AsyncIterator[LeanServer]:
    handler = routed(ROUTES, {"/do": _echo})
    found = LeanServer(Endpoint("127.0.0.1", 0), handler, option="--listen")
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(found.run(ready.set))
        await asyncio.wait_for(ready.wait(), 10)
        try:
            yield found
        finally:
            task.cancel()


@pytest.fixture
async def server() -> AsyncIterator[LeanServer]:
    """A running server."""
    async with _serving() as found:
        yield found


async def _sent(server: LeanServer, *pieces: bytes) -> bytes:
    assert server.address is not None
    reader, writer = await asyncio.open_connection(*server.address)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_requests_on_one_connection_are_answered_in_turn(server: LeanServer) -> None:
    one, two = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /b HTTP/1.0\r\n\r\n"
    answer = await _sent(server, one[:10], one[10:] + two)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answer.index(b"/a h\n") < answer.index(b"/b \n")
    assert answer.count(b"Connection: keep-alive") == answer.count(b"Connection: close") == 1


@pytest.mark.parametrize("path", [b"/a", b"/many"])
async def test_a_head_is_all_that_head_gets(server: LeanServer, path: bytes) -> None:
    answer = await _sent(server, b"HEAD " + path + b" HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")
    assert (b"Content-Length: 1600\r\n" in answer) == (path == b"/a")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /a HTTP/1.0\r\n\r\n", b"405"),
        (b"DELETE /a HTTP/1.0\r\n\r\n", b"405"),
        (b"GET /do HTTP/1.0\r\n\r\n", b"405"),
        (b"PUT /do HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /nowhere HTTP/1.0\r\n\r\n", b"404"),
        (b"POST /nowhere HTTP/1.0\r\n\r\n", b"404"),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"200"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /broken HTTP/1.0\r\n\r\n", b"500"),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    server: LeanServer, request_: bytes, status: bytes
) -> None:
    assert (await _sent(server, request_)).startswith(b"HTTP/1.1 " + status)


async def test_a_small_answer_is_packed_for_who_takes_that(server: LeanServer) -> None:
    head = b"GET /a HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n"
    answer = await _sent(server, head)
    assert b"Content-Encoding: gzip" in answer
    assert gzip.decompress(answer.partition(b"\r\n\r\n")[2]) == b"/a \n" * 400


@pytest.mark.parametrize("packing", ["gzip", "identity"])
async def test_a_big_answer_comes_in_chunks_and_whole(server: LeanServer, packing: str) -> None:
    assert server.address is not None
    host, port = server.address

    def fetched() -> tuple[str | None, bytes]:
        connection = http.client.HTTPConnection(host, port, timeout=20)
        try:
            connection.request("GET", "/many", headers={"Accept-Encoding": packing})
            response = connection.getresponse()
            return response.headers["Transfer-Encoding"], response.read()
        finally:
            connection.close()

    coding, body = await asyncio.to_thread(fetched)
    text = gzip.decompress(body) if packing == "gzip" else body
    assert coding == "chunked"
    assert text.count(b"\n") == MANY + 2


async def test_who_knows_no_chunks_gets_it_up_to_the_end(server: LeanServer) -> None:
    answer = await _sent(server, b"GET /many HTTP/1.0\r\n\r\n")
    assert b"chunked" not in answer
    assert answer.count(b"\nmany{") == MANY


async def test_an_answer_that_breaks_on_the_way_has_no_end(server: LeanServer) -> None:
    answer = await _sent(server, b"GET /half HTTP/1.1\r\n\r\n")
    assert b"begun" in answer
    assert not answer.endswith(b"0\r\n\r\n")


async def test_a_head_without_end_is_cut_off(server: LeanServer) -> None:
    try:
        answer = await _sent(server, b"GET /" + b"a" * 40_000)
    except ConnectionError:
        answer = b""
    assert answer == b""
    assert (await _sent(server, b"GET /a HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200")


async def test_connections_that_only_wait_make_room(
    server: LeanServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, "_MOST_CONNECTIONS", 3)
    assert server.address is not None
    waiting = [await asyncio.open_connection(*server.address) for _ in range(3)]
    for reader, writer in waiting:  # each has been met when it has an answer
        writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"true}")
    assert (await _sent(server, b"GET /a HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert await asyncio.wait_for(waiting[0][0].read(), 20) == b""  # the one that waited longest
    for _, writer in waiting:
        writer.close()


async def test_connections_in_use_do_not_make_room(
    server: LeanServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, "_MOST_CONNECTIONS", 1)
    assert server.address is not None
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"GET /healthz HTTP/1.1\r\n\r\nGET /a")  # the second has begun
    await reader.readuntil(b"true}")
    with suppress(ConnectionError):
        assert await _sent(server, b"GET /a HTTP/1.0\r\n\r\n") == b""
    writer.write(b" HTTP/1.0\r\n\r\n")
    assert b"/a \n" in await asyncio.wait_for(reader.read(), 20)
    writer.close()


async def test_connections_end_with_the_server() -> None:
    async with _serving() as server:
        assert server.address is not None
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"GET /a HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
    await asyncio.wait_for(reader.read(), 20)
    writer.close()
