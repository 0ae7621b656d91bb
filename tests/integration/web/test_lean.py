"""The server of scrapes, spoken to byte by byte."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sidecar.config.units import Endpoint
from sidecar.web.lean.request import Request
from sidecar.web.lean.server import Answer, Server


async def _answer(request: Request) -> Answer:
    if request.path == "/broken":
        raise RuntimeError("on purpose")
    return Answer(200, f"{request.path} {request.header('host')}\n".encode() * 400)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A running server."""
    found = Server(Endpoint("127.0.0.1", 0), _answer)
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(found.run(ready.set))
        await asyncio.wait_for(ready.wait(), 10)
        yield found
        task.cancel()


async def _sent(server: Server, *pieces: bytes) -> bytes:
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
        await writer.wait_closed()


async def test_requests_on_one_connection_are_answered_in_turn(server: Server) -> None:
    one, two = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /b HTTP/1.0\r\n\r\n"
    answer = await _sent(server, one[:10], one[10:] + two)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answer.index(b"/a h\n") < answer.index(b"/b \n")
    assert answer.count(b"Connection: keep-alive") == answer.count(b"Connection: close") == 1


async def test_a_head_is_all_that_head_gets(server: Server) -> None:
    answer = await _sent(server, b"HEAD /a HTTP/1.0\r\n\r\n")
    assert b"Content-Length: 1600\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST / HTTP/1.0\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /broken HTTP/1.0\r\n\r\n", b"500"),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    server: Server, request_: bytes, status: bytes
) -> None:
    assert (await _sent(server, request_)).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        (b"gzip", True),
        (b"br, GZIP;q=0.5", True),
        (b"*", True),
        (b"gzip;q=0", False),
        (b"br", False),
    ],
)
async def test_an_answer_is_packed_for_who_takes_that(
    server: Server, accepted: bytes, is_packed: bool
) -> None:
    answer = await _sent(server, b"GET / HTTP/1.0\r\nAccept-Encoding: " + accepted + b"\r\n\r\n")
    assert (b"Content-Encoding: gzip" in answer) == is_packed


async def test_a_head_without_end_is_cut_off(server: Server) -> None:
    try:
        answer = await _sent(server, b"GET /" + b"a" * 40_000)
    except ConnectionError:
        answer = b""
    assert answer == b""
    assert (await _sent(server, b"GET /a HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200")


async def test_connections_end_with_the_server() -> None:
    server = Server(Endpoint("127.0.0.1", 0), _answer)
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run(ready.set))
        await asyncio.wait_for(ready.wait(), 10)
        assert server.address is not None
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"GET /a HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        task.cancel()
        await asyncio.wait_for(reader.read(), 20)
        writer.close()
        await writer.wait_closed()
