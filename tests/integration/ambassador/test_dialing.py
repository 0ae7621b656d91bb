"""Connections are set for what lies between their ends."""

import asyncio
import socket

import pytest

from ambassador.frame.address import Address
from ambassador.frame.dialing import Dialer, tune


def congestion(transport: asyncio.BaseTransport) -> bytes:
    sock = transport.get_extra_info("socket")
    name: bytes = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    return name.rstrip(b"\0")


@pytest.mark.parametrize(("host", "is_local"), [("127.0.0.1", True), ("127.0.0.2", False)])
async def test_nothing_is_paced_between_two_ends_with_one_address(
    host: str, is_local: bool
) -> None:
    made: list[asyncio.BaseTransport] = []

    class Keeping(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, host, 0)
    usual = server.sockets[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    await Dialer().to(Address(host, server.sockets[0].getsockname()[1]))(Keeping)
    try:
        wanted = b"reno" if is_local else usual.rstrip(b"\0")
        assert congestion(made[0]) == wanted
        assert made[0].get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        for transport in made:
            transport.close()
        server.close()


async def test_who_is_gone_before_its_connection_is_set_does_no_harm() -> None:
    gone = asyncio.Event()

    class Late(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport = transport

        def connection_lost(self, _: Exception | None) -> None:
            gone.set()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Late, "127.0.0.1", 0)
    sock = socket.create_connection(server.sockets[0].getsockname()[:2])
    sock.setblocking(False)
    transport, _ = await loop.create_connection(Late, sock=sock)
    sock.shutdown(socket.SHUT_RDWR)
    try:
        tune(transport)
    finally:
        transport.close()
        await gone.wait()
        server.close()
