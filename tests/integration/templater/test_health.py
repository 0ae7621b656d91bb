"""The drop-ins' own pages: what they say, and how they end."""

import asyncio
import logging

import pytest

from sidecar.config.units import Endpoint
from templater.health import telemetry
from tests.support.ports import free_port


async def _asked(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, more: str = ""
) -> tuple[int, bytes]:
    """Ask on a connection that stays; return status and body."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    return int(head.split()[1]), await reader.readexactly(length)


async def test_pages_are_answered_one_after_the_other_on_one_connection() -> None:
    trouble: list[str] = []
    address = Endpoint("127.0.0.1", free_port())
    async with telemetry(address, lambda: trouble):
        reader, writer = await asyncio.open_connection(*address)
        assert await _asked(reader, writer, "/healthz") == (200, b'{"status":"alive"}')
        assert await _asked(reader, writer, "/readyz") == (200, b'{"trouble": []}')
        trouble.append("no key")
        assert await _asked(reader, writer, "/readyz?x") == (503, b'{"trouble": ["no key"]}')
        status, body = await _asked(reader, writer, "/metrics")
        assert (status, b"# TYPE " in body) == (200, True)
        assert (await _asked(reader, writer, "/else"))[0] == 404
        writer.close()


async def test_who_keeps_a_connection_holds_up_no_end(caplog: pytest.LogCaptureFixture) -> None:
    address = Endpoint("127.0.0.1", free_port())
    with caplog.at_level(logging.WARNING):
        for _ in range(2):  # the address is free again at once
            async with telemetry(address, list):
                reader, writer = await asyncio.open_connection(*address)
                assert (await _asked(reader, writer, "/healthz"))[0] == 200
            async with asyncio.timeout(30):
                assert await reader.read() == b""
            writer.close()
    assert caplog.text == ""


async def test_what_is_raised_inside_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with telemetry(Endpoint("127.0.0.1", free_port()), list):
            raise ZeroDivisionError
