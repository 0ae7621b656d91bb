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

from sidecar.errors import (
    EngineConflict,
    EngineDenied,
    EngineRefused,
    EngineUnavailable,
    ProtocolError,
)
from sidecar.runtime.lines import LineSplitter

__all__ = ["Connection", "Tls", "decode"]

_CALL: Final = 10.0  # an inspect waits while its container starts or stops
_PING: Final = 4.0  # with ten seconds of silence before, a dead stream is noticed within 15
_BODY_LIMIT: Final = 64 << 20
_UNIX: Final = "unix://"


class Tls(NamedTuple):
    """Files of certificates for one engine; without ``authority`` the system's are trusted."""

    authority: str = ""
    certificate: str = ""
    key: str = ""
    is_verified: bool = True


class Connection:
    """A session with its pool of connections; discarded as a whole when it fails."""

    def __init__(
        self, url: str, environ: Mapping[str, str] = os.environ, *, tls: Tls | None = None
    ) -> None:
        """Prepare; nothing is sent yet. Must be called inside the loop.

        Without ``tls`` ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH`` are read as Docker's own
        client reads them. Raises EngineUnavailable when the certificates cannot be read.
        """
        self._url = url
        self._base, connector = _target(url, environ, tls)
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

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        /,
        *,
        timeout: float = _CALL,
        **params: str,
    ) -> Any:
        """Ask for an action with a body (a JSON value, or bytes of a tar archive).

        Returns the decoded answer, None when there is none. Raises EngineRefused also where there
        is nothing of that name, EngineConflict.
        """
        asked = self._request(method, path, timeout, params, body, says_no=True)
        async with asked as response:
            found = await response.content.read(_BODY_LIMIT)
        return decode(found) if found.strip() else None

    async def finish(self, path: str, body: object, *, timeout: float) -> None:
        """Ask for something and wait for the end of what it says, which is not looked at."""
        async with self._request("POST", path, timeout, {}, body, says_no=True) as response:
            async for _ in response.content.iter_any():
                pass

    async def lines(self, path: str, *, timeout: float, **params: str) -> AsyncIterator[Any]:
        """Yield the JSON values of an answer that comes bit by bit, as that to a pull."""
        splitter = LineSplitter()
        async with self._request("POST", path, timeout, params, says_no=True) as response:
            async for data in response.content.iter_any():
                for line in splitter.feed(data):
                    yield decode(line)

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        timeout: float | None,
        params: Mapping[str, str],
        body: object = None,
        *,
        says_no: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=_PING)
        with self._errors(path):
            url = f"{self._base}/{path}"
            asked = self._session.request(
                method, url, params=params, timeout=limits, **_payload(body)
            )
            async with asked as response:
                if response.status >= 400:
                    text = await _message(response)
                    if says_no and response.status in range(400, 500):
                        raise self._denied(response.status, path, text)
                    raise self._refused(response.status, path, text)
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

    def _denied(self, status: int, path: str, message: str) -> Exception:
        if status in {401, 403}:
            return self._refused(status, path, message)
        return (EngineConflict if status == 409 else EngineRefused)(message)


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


def _payload(body: object) -> dict[str, Any]:
    if body is None:
        return {}
    if isinstance(body, bytes):
        return {"data": body, "headers": {"Content-Type": "application/x-tar"}}
    return {"json": body}


def _target(url: str, environ: Mapping[str, str], tls: Tls | None) -> _Target:
    if url.startswith(_UNIX):
        return _Target("http://docker", aiohttp.UnixConnector(url.removeprefix(_UNIX)))
    scheme, _, rest = url.rstrip("/").partition("://")
    if tls is None and (scheme == "https" or environ.get("DOCKER_TLS_VERIFY")):
        tls = _from_environment(environ)  # the variable may hold any text, as Docker's client
    if tls is not None:
        try:
            context = _context(tls)
        except (OSError, ssl.SSLError) as error:
            raise EngineUnavailable(f"certificates for {url}: {error}") from error
        return _Target(f"https://{rest}", aiohttp.TCPConnector(ssl=context))
    return _Target(f"http://{rest}", aiohttp.TCPConnector())


def _from_environment(environ: Mapping[str, str]) -> Tls:
    if not environ.get("DOCKER_TLS_VERIFY"):
        return Tls()
    folder = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    authority, certificate, key = (str(folder / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    return Tls(authority, certificate, key)


def _context(tls: Tls) -> ssl.SSLContext:
    """Return a context of our own: aiohttp's default knows no authorities (runtime.tls)."""
    context = ssl.create_default_context(cafile=tls.authority or None)
    if not tls.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key or None)
    return context
