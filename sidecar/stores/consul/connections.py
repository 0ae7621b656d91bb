"""The connections to one agent: how they are made, used again, and closed.

A client of our own, because aiohttp's takes 10 MB, which ``dnsd`` alone and others beside Consul
use for nothing else (decision 0033).
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from sidecar.errors import ProtocolError, StoreUnavailable
from sidecar.stores.consul.address import Address, Tls
from sidecar.stores.consul.wire import UNTIL_END, Head, chunk_size, head_of, request

__all__ = ["Connections", "NewConnection", "Request", "context_of"]

_CONNECT: Final = 5.0
_FAREWELL: Final = 0.05
"""Seconds for the end of TLS: an agent does not take part while it answers a blocking query."""
_SAFE: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods that may be sent again when the agent closed an idle connection meanwhile."""
_CHUNK: Final = 1 << 16


class NewConnection(Exception):
    """A blocking query would need another connection than the one that told its index."""


class Request(NamedTuple):
    """What is asked; ``loyal_to``: only over a connection that was used before, in this era."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None
    loyal_to: int | None = None


class _Gone(Exception):
    """The agent closed the connection instead of answering."""


class _Link(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def is_usable(self) -> bool:
        return not self.reader.at_eof() and not self.writer.is_closing()


class Connections:
    """As many as are needed at once; names are resolved anew for each (reliability F38)."""

    def __init__(self, address: Address, context: ssl.SSLContext | None) -> None:
        """Open nothing yet."""
        self._address = address
        self._context = context
        self._place = urlsplit(address.base)
        self._idle: list[_Link] = []
        self._links: set[_Link] = set()
        self.era = 0
        """Grows when a connection broke: who answers over another one may be a new agent."""

    async def exchange(self, asked: Request) -> tuple[Head, bytes]:
        """Return the answer. Raises OSError, ProtocolError and NewConnection."""
        octets = request(asked.method, asked.target, self._headers(asked), asked.body)
        while self._idle:
            link = self._idle.pop()
            if not link.is_usable:
                self.era += 1
                self._discard(link)
                continue
            if asked.loyal_to not in {None, self.era}:
                self._idle.append(link)
                raise NewConnection
            try:
                return await self._over(link, octets)
            except _Gone:
                if asked.method not in _SAFE:
                    raise ConnectionResetError("the connection ended") from None
                break
        if asked.loyal_to is not None:
            raise NewConnection
        try:
            return await self._over(await self._opened(), octets)
        except _Gone:
            raise ConnectionResetError("the connection ended without an answer") from None

    async def close(self) -> None:
        """Close all, also those in use."""
        links, self._links = self._links, set()
        self._idle.clear()
        for link in links:
            link.writer.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await asyncio.gather(
                    *(link.writer.wait_closed() for link in links), return_exceptions=True
                )
        for link in links:
            link.writer.transport.abort()

    def _headers(self, asked: Request) -> Mapping[str, str]:
        return {"Host": self._place.netloc.rpartition("@")[2], "Accept": "*/*", **asked.headers}

    async def _over(self, link: _Link, octets: bytes) -> tuple[Head, bytes]:
        """Ask over a connection; it is kept only if its answer has been read in full."""
        keeps = False
        try:
            link.writer.write(octets)
            head = await _head(link.reader)
            body = await _body(link.reader, head)
            keeps = head.keeps and link in self._links
        except (_Gone, OSError):
            self.era += 1
            raise
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self.era += 1
            raise ProtocolError("the answer ended early, or has a head too long") from error
        finally:
            if keeps:
                self._idle.append(link)
            else:
                self._discard(link)
        return head, body

    def _discard(self, link: _Link) -> None:
        self._links.discard(link)
        link.writer.transport.abort()

    async def _opened(self) -> _Link:
        if self._address.socket:
            link = _Link(*await asyncio.open_unix_connection(self._address.socket))
        else:
            link = await self._reached()
        self._links.add(link)
        return link

    async def _reached(self) -> _Link:
        """Return a connection to the first of the agent's addresses that takes it."""
        host, port = self._place.hostname or "", self._place.port
        if port is None:
            port = 443 if self._context is not None else 80
        tls = self._address.tls
        name = None if tls is None else tls.server_name or host
        addresses = await _addresses(host, port)
        for remaining, at in zip(reversed(range(len(addresses))), addresses, strict=True):
            try:
                async with asyncio.timeout(_CONNECT / len(addresses)):
                    opening = asyncio.open_connection(
                        at, port, ssl=self._context, server_hostname=name
                    )
                    return _Link(*await opening)
            except ssl.SSLError:
                raise
            except OSError:  # a TimeoutError is one
                if not remaining:
                    raise
        raise StoreUnavailable(f"{self._address.url}: {host} has no address")


async def _addresses(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


async def _head(reader: asyncio.StreamReader) -> Head:
    """Return the next head that is an answer. Raises _Gone when there is none at all."""
    while True:
        try:
            head = head_of(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            raise _Gone from error
        except ConnectionError as error:
            raise _Gone from error
        if head.status >= 200:
            return head


async def _body(reader: asyncio.StreamReader, head: Head) -> bytes:
    if head.length >= 0:
        return await reader.readexactly(head.length)
    if head.length == UNTIL_END:
        return await reader.read()
    # CHUNKED
    chunks: list[bytes] = []
    while size := chunk_size(await reader.readuntil(b"\r\n")):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return b"".join(chunks)


def context_of(address: Address) -> ssl.SSLContext | None:
    """Return what TLS needs to know, None without it. Raises StoreUnavailable. Blocks."""
    tls = address.tls
    if tls is None:
        return None
    try:
        return _made(tls)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreUnavailable(f"certificates for {address.url}: {reason}") from error


def _made(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file or None, capath=tls.ca_folder or None)
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    if not tls.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
