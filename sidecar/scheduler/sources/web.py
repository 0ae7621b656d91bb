"""Ask an instance, or a Prometheus server, for numbers over HTTP."""

import json
import math
from typing import Final

import aiohttp

from sidecar.errors import ProtocolError, UpstreamUnavailable
from sidecar.runtime.reason import reason_of

__all__ = ["Web", "value_of"]

_CALL: Final = 5.0
_MOST: Final = 8 << 20


class Web:
    """One pool of connections; ``close`` it inside the loop that used it."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def text(self, url: str, **params: str) -> str:
        """Return the body of an answer of 200. Raises UpstreamUnavailable, ProtocolError."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_CALL), headers={"Accept": "text/plain, */*"}
            )
        try:
            async with self._session.get(url, params=params, allow_redirects=False) as answer:
                body = bytearray()
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > _MOST:
                        raise ProtocolError(f"{url} sent over {_MOST} bytes")
                if answer.status != 200:
                    raise UpstreamUnavailable(f"{url}: status {answer.status}")
                return body.decode("utf-8", "replace")
        except TimeoutError as error:
            raise UpstreamUnavailable(f"{url} does not answer") from error
        except aiohttp.ClientConnectorError as error:
            raise UpstreamUnavailable(f"{url}: {reason_of(error.os_error)}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamUnavailable(f"{url}: {str(error) or type(error).__name__}") from error

    async def query(self, server: str, query: str) -> float | None:
        """Return the sum of what a Prometheus server answers now; None: an empty answer."""
        return value_of(await self.text(f"{server}/api/v1/query", query=query))


def value_of(text: str) -> float | None:
    """Return the sum of an instant query's answer; None: it has no number, or none that is finite.

    Raises ProtocolError.
    """
    try:
        found = json.loads(text)["data"]
        kind, result = found["resultType"], found["result"]
        if kind == "scalar":
            return _finite(float(result[1]))
        if kind != "vector":
            raise ProtocolError(f"the query's answer is a {kind}, not numbers of this moment")
        values = [float(each["value"][1]) for each in result]
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ProtocolError(f"no answer of Prometheus: {text[:60]!r}") from error
    return _finite(sum(values)) if values else None


def _finite(number: float) -> float | None:
    """Return a number; None for what comes of a division by nothing."""
    return number if math.isfinite(number) else None
