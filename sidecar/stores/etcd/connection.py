"""Requests to the members of an etcd: the only module of this store that opens connections.

One member is asked until it fails, then the next one. What goes wrong on the way becomes
StoreUnavailable; an answer, whatever it says, is the caller's.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from io import BytesIO
from typing import Any, Final, NamedTuple

import aiohttp

from sidecar.errors import StoreUnavailable
from sidecar.runtime.reason import reason_of
from sidecar.stores.etcd.address import Address

__all__ = ["Answer", "Connection"]

_CONNECT: Final = 3.0
_CALL: Final = 5.0
_IN_FLIGHT: Final = 64
_AT_ONCE: Final = 1 << 20  # aiohttp sends more than this in pieces only
_BODY_LIMIT: Final = 256 << 20


class Answer(NamedTuple):
    """One answer; names of headers as aiohttp has them, in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """The pool of connections to all members of one address."""

    def __init__(self, address: Address) -> None:
        """Prepare; nothing is opened before the first request."""
        self.url = address.url
        self._address = address
        self._at = 0
        self._session: aiohttp.ClientSession | None = None
        self._is_stale = False
        self._opening = asyncio.Lock()
        self._free = asyncio.Semaphore(_IN_FLIGHT)

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def turn(self) -> None:
        """Ask the next member from now on."""
        self._at = (self._at + 1) % len(self._address.endpoints)

    async def call(self, method: str, path: str, body: bytes = b"", **more: Any) -> Answer:
        """Return the answer to a request. Raises StoreUnavailable.

        A member that cannot be reached at all is passed over, each one once.
        """
        async with self._free:
            for _ in self._address.endpoints[1:]:
                try:
                    return await self._call(method, path, body, more)
                except _Unreachable:
                    continue
            return await self._call(method, path, body, more)

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, *, idle: float, **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the response to a request that goes on; ``idle`` bounds the wait for its head.

        Reading from it raises what ``read`` of this class raises.
        """
        limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=idle)
        session = await self._opened()
        with self._errors():
            response = await session.request(
                method, self._base + path, timeout=limits, allow_redirects=False, **more
            )
        try:
            yield response
        finally:
            response.close()

    async def read(self, response: aiohttp.ClientResponse) -> bytes | None:
        """Return the next bytes of a stream, b"" at its end, None when nothing came for long."""
        with self._errors():
            try:
                return await response.content.readany()
            except TimeoutError:
                return None

    @property
    def _base(self) -> str:
        return self._address.endpoints[self._at]

    async def _call(self, method: str, path: str, body: bytes, more: dict[str, Any]) -> Answer:
        limits = aiohttp.ClientTimeout(total=_CALL, sock_connect=_CONNECT)
        session = await self._opened()
        sent = BytesIO(body) if len(body) > _AT_ONCE else body or None
        with self._errors():
            async with session.request(
                method, self._base + path, data=sent, timeout=limits, allow_redirects=False, **more
            ) as response:
                answer = bytearray()
                async for chunk in response.content.iter_any():
                    answer += chunk
                    if len(answer) > _BODY_LIMIT:
                        raise StoreUnavailable(f"{self.url} sent over {_BODY_LIMIT} bytes")
                return Answer(response.status, response.headers, bytes(answer))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self.turn()
            # the certificates may have been renewed since they were read
            self._is_stale = isinstance(error, aiohttp.ClientSSLError)
            raise _Unreachable(f"{self.url}: {_words(error)}") from error
        except TimeoutError as error:
            self.turn()
            raise StoreUnavailable(f"{self.url} does not answer") from error
        except (aiohttp.ClientError, OSError) as error:
            self.turn()
            raise StoreUnavailable(f"{self.url}: {_words(error)}") from error

    async def _opened(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._is_stale:
                self._is_stale = False
                await self.close()
            if self._session is None:
                context = await asyncio.to_thread(_context, self._address)
                connector = aiohttp.TCPConnector(limit=0, ssl=context, use_dns_cache=False)
                self._session = aiohttp.ClientSession(connector=connector)
            return self._session


class _Unreachable(StoreUnavailable):
    """No connection came about: nothing was sent."""


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(
        error, aiohttp.ClientSSLError
    ):
        return reason_of(error.os_error)
    return str(error) or type(error).__name__


def _context(address: Address) -> ssl.SSLContext | bool:
    """Return a context of our own: aiohttp's default knows no authorities (runtime.tls)."""
    if address.tls is None:
        return False
    files = address.tls
    try:
        context = ssl.create_default_context(cafile=files.ca or None)
        if files.cert:
            context.load_cert_chain(files.cert, files.key or None)
    except (OSError, ssl.SSLError) as error:
        raise StoreUnavailable(f"{address.url}: certificates cannot be read: {error}") from error
    return context
