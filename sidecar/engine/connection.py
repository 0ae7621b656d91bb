"""One connection to a Docker engine: the only module that touches aiodocker and its errors.

Whatever goes wrong becomes EngineUnavailable (try again), EngineDenied or ProtocolError. Requests
carry no API version, so an engine that comes back newer or older than before still answers.
"""

import errno
import json
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final

import aiodocker
import aiohttp

from sidecar.errors import EngineDenied, EngineUnavailable, ProtocolError

__all__ = ["Connection", "decode"]

_CALL: Final = 10.0  # an inspect waits while its container starts or stops
_PING: Final = 5.0
_BODY_LIMIT: Final = 64 << 20


class Connection:
    """One aiodocker client and its pool of connections; discarded as a whole when it fails."""

    def __init__(self, url: str) -> None:
        """Prepare; nothing is sent yet. Must be called inside the loop."""
        self._url = url
        # aiohttp's own default context knows no authorities here (sidecar.runtime.tls).
        mutual = os.environ.get("DOCKER_TLS_VERIFY") == "1"  # then aiodocker reads the key
        public = url.startswith("https://") and not mutual
        context = ssl.create_default_context() if public else None
        self._docker = aiodocker.Docker(url=url, ssl_context=context)

    async def close(self) -> None:
        """Close all sockets."""
        await self._docker.close()

    @asynccontextmanager
    async def get(
        self, path: str, *, timeout: float | None, **params: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the response to a GET; ``timeout`` bounds the whole exchange."""
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=_PING)
        async with AsyncExitStack() as stack:
            stack.enter_context(self._errors(path))
            try:
                query = self._docker._query(  # noqa: SLF001 - its own event stream hides its end
                    path, params=params, timeout=limits, versioned_api=False
                )
                response = await stack.enter_async_context(query)
                await stack.enter_async_context(response)  # the query leaves it open
            except (ValueError, KeyError) as error:  # it decodes error bodies unguarded
                raise ProtocolError(f"{self._url} sent an unreadable answer to {path}") from error
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
        except aiodocker.DockerError as error:
            raise self._translated(error, path) from error
        except TimeoutError as error:
            raise EngineUnavailable(f"{self._url} does not answer {path}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise EngineUnavailable(f"{self._url}: {str(error) or type(error).__name__}") from error

    def _translated(self, error: aiodocker.DockerError, path: str) -> Exception:
        cause = error.__context__
        number = cause.os_error.errno if isinstance(cause, aiohttp.ClientConnectorError) else None
        if number in (errno.EACCES, errno.EPERM) or error.status in (401, 403):
            return EngineDenied(f"no permission to use {self._url}; see its owner and group")
        if error.status == 404:
            return _NotFound(f"{self._url} knows no {path}")
        if number is not None:
            return EngineUnavailable(f"{self._url}: {errno.errorcode.get(number, number)}")
        return EngineUnavailable(f"{self._url}: {error.status} {error.message}")


class _NotFound(ProtocolError):
    """The engine answered 404."""


def decode(body: bytes) -> Any:
    """Return the JSON value of bytes, whatever they are. Raises ProtocolError."""
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the engine sent no JSON: {body[:60]!r}") from error
