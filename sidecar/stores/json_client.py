"""A small client for servers that answer JSON over HTTP (Vault, metadata services).

It knows no API: it sends, bounds time and size, and turns what goes wrong into our errors.
"""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.tls import without_authorities

with without_authorities():
    import aiohttp

__all__ = ["JsonClient", "TlsFiles"]

_CALL: Final = 30.0
_CONNECT: Final = 5.0
_BODY_LIMIT: Final = 64 << 20
_MESSAGE: Final = 300


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Which authorities are believed, and who we are; empty: the system's, nobody."""

    authorities: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)
    is_unverified: bool = False

    def context(self) -> ssl.SSLContext:
        """Return the context. Raises StoreDenied when a file cannot be used. Blocks."""
        try:
            context = ssl.create_default_context(cafile=self.authorities or None)
            if self.certificate and self.key:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise StoreDenied(f"certificates: {error}") from error
        if self.is_unverified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class JsonClient:
    """Asks one server."""

    def __init__(self, url: str, tls: TlsFiles | None = None) -> None:
        """Take the base address without a path; nothing is sent yet."""
        self.url = url.rstrip("/")
        self._tls = tls if tls is not None else TlsFiles()
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        timeout: float = _CALL,
    ) -> Any:
        """Return the decoded answer; None when there is no such thing (404).

        Raises StoreUnavailable or StoreDenied.
        """
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=_CONNECT)
        data = None if body is None else json.dumps(body).encode()
        try:
            async with self._opened().request(
                method, f"{self.url}{path}", headers=headers, data=data, timeout=limits,
                allow_redirects=False,
            ) as response:  # fmt: skip
                return await self._answer(response)
        except TimeoutError as error:
            raise StoreUnavailable(f"{self.url} does not answer") from error
        except (aiohttp.ClientError, OSError) as error:
            raise StoreUnavailable(f"{self.url}: {str(error) or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            opened, self._session = self._session, None
            await opened.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            secure = self.url.startswith("https:")
            connector = aiohttp.TCPConnector(ssl=self._tls.context() if secure else True)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._session

    async def _answer(self, response: aiohttp.ClientResponse) -> Any:
        if response.status == 404:
            return None
        body = b""
        while chunk := await response.content.readany():
            body += chunk
            if len(body) > _BODY_LIMIT:
                raise StoreUnavailable(f"{self.url} sent more than {_BODY_LIMIT} bytes")
        if response.status >= 300:
            words = " ".join(body[:_MESSAGE].decode("utf-8", "replace").split())
            kind = StoreDenied if response.status in {400, 401, 403} else StoreUnavailable
            raise kind(f"{self.url}: {response.status} {words}")
        try:
            return json.loads(body) if body else {}
        except (ValueError, RecursionError) as error:
            raise StoreUnavailable(f"{self.url} sent no JSON: {body[:60]!r}") from error
