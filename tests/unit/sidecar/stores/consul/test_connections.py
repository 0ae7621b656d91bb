"""On sockets of loopback, because what is tested is how connections begin and end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar.errors import ProtocolError
from sidecar.stores.consul.address import address_of
from sidecar.stores.consul.connections import Connections, NewConnection, Request

GET = Request("GET", "/v1/a", {})
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Script = Callable[[int, int], bytes | None]
"""What the nth connection says to its mth request; None: it hangs up."""


class Server:
    """Says what the script says and hangs up after an empty piece."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.seen: list[tuple[int, bytes]] = []
        self._count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own, self._count = self._count, self._count + 1
        asked = 0
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.seen.append((own, head))
                answer = self._script(own, asked)
                asked += 1
                if answer is None:
                    return
                writer.write(answer)
                if b"Length" not in answer and b"hunked" not in answer:
                    return
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def served(script: Script) -> AsyncIterator[tuple[Server, Connections]]:
    server = Server(script)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    connections = Connections(address_of(f"consul://127.0.0.1:{port}", {}), None)
    try:
        yield server, connections
    finally:
        await connections.close()
        listening.close()
        await asyncio.sleep(0.01)  # the ends of connections are told by the loop


async def body_of(connections: Connections, request: Request = GET) -> bytes:
    async with asyncio.timeout(10):
        return (await connections.exchange(request))[1]


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nA: b\r\n\r\n",
    ],
    ids=["length", "continue", "until the end", "chunks", "trailers"],
)
async def test_a_body_is_read_however_it_is_framed(answer: bytes) -> None:
    async with served(lambda *_: answer) as (_, connections):
        assert [await body_of(connections) for _ in range(3)] == [b"ok"] * 3


async def test_a_connection_is_used_again() -> None:
    async with served(lambda *_: OK) as (server, connections):
        for _ in range(3):
            await body_of(connections)
        assert {number for number, _ in server.seen} == {0}


async def test_what_an_idle_connection_that_closed_was_asked_is_asked_anew() -> None:
    """The agent may close it in the moment that we use it."""
    async with served(lambda n, m: OK if n or not m else None) as (server, connections):
        await body_of(connections)
        assert await body_of(connections) == b"ok"
        assert [number for number, _ in server.seen] == [0, 0, 1]


async def test_what_is_not_safe_to_repeat_is_not_repeated() -> None:
    async with served(lambda n, m: OK if n or not m else None) as (server, connections):
        await body_of(connections)
        with pytest.raises(ConnectionResetError):
            await body_of(connections, Request("POST", "/v1/a", {}, b""))
        assert len(server.seen) == 2


async def test_a_loyal_request_never_opens_a_connection() -> None:
    loyal = Request("GET", "/v1/a", {}, loyal_to=0)
    async with served(lambda n, m: OK if n or m < 2 else None) as (server, connections):
        with pytest.raises(NewConnection):
            await body_of(connections, loyal)
        await body_of(connections)
        assert await body_of(connections, loyal) == b"ok"
        with pytest.raises(NewConnection):
            await body_of(connections, loyal)
        assert {number for number, _ in server.seen} == {0}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, ConnectionResetError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", None),
        (b"HTTP/1.1 2", ProtocolError),
        (b"SSH-2.0\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, ProtocolError),
    ],
    ids=["nothing", "too short", "half a head", "no HTTP", "a head without end"],
)
async def test_what_is_no_whole_answer_is_an_error(
    answer: bytes | None, error: type[Exception] | None
) -> None:
    async with served(lambda *_: answer) as (server, connections):
        if error is not None:
            with pytest.raises(error):
                await body_of(connections)
            return
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(_error_of(connections))
            while not server.seen:
                await asyncio.sleep(0.001)
            await connections.close()  # also what waits for an answer ends
        assert isinstance(waiting.result(), (OSError, ProtocolError))


async def _error_of(connections: Connections) -> Exception | None:
    try:
        await body_of(connections)
    except (OSError, ProtocolError) as error:
        return error
    return None


async def test_a_request_given_up_does_not_leave_its_answer_to_the_next() -> None:
    async with served(lambda n, _: OK if n else b"HTTP/1.1 200 OK\r\nLength: 0\r\n") as (_, own):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await own.exchange(GET)
        assert await body_of(own) == b"ok"


async def test_a_socket_file_is_an_address_too(tmp_path: Path) -> None:
    server = Server(lambda *_: OK)
    path = tmp_path / "agent"
    listening = await asyncio.start_unix_server(server.serve, path)
    connections = Connections(address_of(f"consul-unix://{path}", {}), None)
    assert await body_of(connections) == b"ok"
    assert b"Host: consul\r\n" in server.seen[0][1]
    await connections.close()
    listening.close()
    await asyncio.sleep(0.01)


async def test_a_port_without_a_server_is_told() -> None:
    connections = Connections(address_of("consul://127.0.0.1:1", {}), None)
    with pytest.raises(ConnectionRefusedError):
        await body_of(connections)
