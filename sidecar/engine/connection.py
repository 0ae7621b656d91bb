"""One connection to a Docker engine: the only module that sends it requests.

Whatever goes wrong becomes EngineUnavailable (try again), EngineDenied or ProtocolError. Requests
carry no API version, so an engine that comes back newer or older than before still answers.
"""

import errno
import json
import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from sidecar.errors import EngineDenied, EngineUnavailable, ProtocolError

__all__ = ["Connection", "decode"]

_CALL: Final = 10.0  # an inspect waits while its container starts or stops
_PING: Final = 4.0  # with ten seconds of silence before, a dead stream is noticed within 15
_BODY_LIMIT: Final = 64 << 20
_UNIX: Final = "unix://"


class Connection:
    """A session with its pool of connections; discarded as a whole when it fails."""

    def __init__(self, url: str, environ: Mapping[str, str] = os.environ) -> None:
        """Prepare; nothing is sent yet. Must be called inside the loop.

        ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH`` are read as Docker's own client reads them.
        Raises EngineUnavailable when the certificates cannot be read.
        """
        self._url = url
        self._base, connector = _target(url, environ)
        self._session = aiohttp.ClientSession(connector=connector)

    async def close(self) -> None:
        """Close all sockets."""
        await self._session.close()

    @asynccontextmanager
    async def get(
        self, path: str, *, timeout: float | None, **params: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the response to a GET; ``timeout`` bounds the whole exchange."""
        async with self._request("GET", path, timeout, params) as response:
            yield response

    async def post(self, path: str, *, timeout: float, **params: str) -> bool:
        """Ask for an action; False when there is nothing of that name."""
        try:
            async with self._request("POST", path, timeout, params) as response:
                await response.read()
        except _NotFound:
            return False
        return True

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, timeout: float | None, params: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=_PING)
        with self._errors(path):
            url = f"{self._base}/{path}"
            asked = self._session.request(method, url, params=params, timeout=limits)
            async with asked as response:
                if response.status >= 400:
                    raise self._refused(response.status, path, await _message(response))
                yield response

    async def json(self, path: str, **params: str) -> Any:
        """Return the decoded answer to a GET, or None when there is no such thing.

        Bytes that are no UTF-8 become U+FFFD: one bad label must not hide a container.
        """
        try:
            async with self.get(path, timeout=_CALL, **params) as response:
                body = await response.content.read(_BODY_LIMIT)
                while not response.content.at_eof() and len(body) < _BODY_LIMIT:
                    body += await response.content.read(_BODY_LIMIT - len(body))
        except _NotFound:
            return None
        return decode(body)

    async def ping(self, timeout: float = _PING) -> None:
        """Return when the engine answers."""
        async with self.get("_ping", timeout=min(timeout, _PING)) as response:
            await response.read()

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise EngineUnavailable(f"{self._url} does not answer {path}") from error
        except aiohttp.ClientConnectorError as error:
            raise self._unreachable(error.os_error.errno) from error
        except (aiohttp.ClientError, OSError) as error:
            raise EngineUnavailable(f"{self._url}: {str(error) or type(error).__name__}") from error

    def _unreachable(self, number: int | None) -> Exception:
        if number in {errno.EACCES, errno.EPERM}:
            return EngineDenied(f"no permission to use {self._url}; see its owner and group")
        return EngineUnavailable(f"{self._url}: {errno.errorcode.get(number or 0, number)}")

    def _refused(self, status: int, path: str, message: str) -> Exception:
        if status in {401, 403}:
            return EngineDenied(f"no permission to use {self._url}; see its owner and group")
        if status == 404:
            return _NotFound(f"{self._url} knows no {path}")
        return EngineUnavailable(f"{self._url}: {status} {message}")


class _NotFound(ProtocolError):
    """The engine answered 404."""


class _Target(NamedTuple):
    """What requests are relative to, and how connections are made."""

    base: str
    connector: aiohttp.BaseConnector


def decode(body: bytes) -> Any:
    """Return the JSON value of bytes, whatever they are. Raises ProtocolError."""
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the engine sent no JSON: {body[:60]!r}") from error


async def _message(response: aiohttp.ClientResponse) -> str:
    """Return the words of an error answer, bounded and on one line."""
    body = (await response.content.read(300)).decode("utf-8", "replace")
    with suppress(ValueError, TypeError, KeyError):  # else not the engine's form: as it is
        body = str(json.loads(body)["message"])
    return " ".join(body.split())


def _target(url: str, environ: Mapping[str, str]) -> _Target:
    if url.startswith(_UNIX):
        return _Target("http://docker", aiohttp.UnixConnector(url.removeprefix(_UNIX)))
    scheme, _, rest = url.rstrip("/").partition("://")
    if scheme == "https" or environ.get("DOCKER_TLS_VERIFY"):  # any text, as Docker's client
        try:
            context = _context(environ)
        except (OSError, ssl.SSLError) as error:
            raise EngineUnavailable(f"certificates for {url}: {error}") from error
        return _Target(f"https://{rest}", aiohttp.TCPConnector(ssl=context))
    return _Target(f"http://{rest}", aiohttp.TCPConnector())


def _context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context of our own: aiohttp's default knows no authorities (runtime.tls)."""
    if not environ.get("DOCKER_TLS_VERIFY"):
        return ssl.create_default_context()
    folder = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
