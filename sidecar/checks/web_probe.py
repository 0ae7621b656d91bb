"""Try an HTTP check once, as Consul 1.8.7 does: recorded headers, texts and redirects.

Up to ten redirects are followed, each hop judged by the policy as if it were the first.
"""

import asyncio
import re
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urljoin, urlsplit

import aiohttp

from sidecar.catalog.model import Status
from sidecar.checks.addresses import PolicyResolver, allowed_addresses, reason_of
from sidecar.checks.definition import CheckDefinition
from sidecar.checks.dial import Contexts
from sidecar.checks.policy import CheckPolicy
from sidecar.checks.state import Result
from sidecar.checks.target import joined

if TYPE_CHECKING:
    import ssl

__all__ = ["WebProbe"]

_READ_MOST: Final = 1 << 20
_REDIRECTS: Final = 10
_PORTS: Final = {"http": 80, "https": 443}
_HEADERS: Final = (
    ("User-Agent", "Consul Health Check"),
    ("Accept", "text/plain, text/*, */*"),
    ("Accept-Encoding", "gzip"),
)
_SECRETS: Final = frozenset({"authorization", "cookie", "cookie2", "www-authenticate", "host"})
# Nothing that two parsers could read as two hosts.
_PLACE: Final = re.compile(
    r"(?:[^@/\\\s]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?", re.ASCII
)
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_KEPT_METHOD: Final = frozenset({307, 308})
_DEADLINE: Final = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"


class _RefusedError(Exception):
    """A hop cannot be asked; the text says why."""


class _Hop:
    """What is asked next."""

    def __init__(self, definition: CheckDefinition) -> None:
        self.url = definition.target
        self.shown = definition.target
        self.method = definition.method
        self.body: bytes | None = definition.body.encode() or None
        given = {name.lower() for name in definition.headers}
        self.headers = [pair for pair in _HEADERS if pair[0].lower() not in given]
        for name, values in definition.headers.items():
            self.headers.extend((name, value) for value in values)

    def failed(self, why: str) -> Result:
        return Result(Status.CRITICAL, f'{self.method.capitalize()} "{self.shown}": {why}')

    def follow(self, status: int, location: str) -> None:
        """Take the next URL; secrets stay with the host they were meant for."""
        following = urljoin(self.url, location)
        if urlsplit(following).netloc != urlsplit(self.url).netloc:
            self.headers = [pair for pair in self.headers if pair[0].lower() not in _SECRETS]
        if status not in _KEPT_METHOD:
            self.method = self.method if self.method in {"GET", "HEAD"} else "GET"
            self.body = None
        self.url, self.shown = following, location


class WebProbe:
    """Holds the HTTP clients; an async context manager."""

    def __init__(self, policy: CheckPolicy, contexts: Contexts) -> None:
        """Judge every address by this policy."""
        self._policy = policy
        self._contexts = contexts
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        """Open two clients: for checks from this host, and for the others."""
        for local in (True, False):
            connector = aiohttp.TCPConnector(
                resolver=PolicyResolver(self._policy, local=local),
                use_dns_cache=False,
                force_close=True,
                limit=0,
            )
            self._sessions[local] = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close the clients."""
        for session in self._sessions.values():
            await session.close()

    async def run(self, definition: CheckDefinition, *, local: bool) -> Result:
        """Ask once, within the definition's timeout."""
        hop = _Hop(definition)
        try:
            async with asyncio.timeout(definition.timeout):
                for _ in range(_REDIRECTS):
                    result = await self._ask(hop, definition, local=local)
                    if result is not None:
                        return result
        except TimeoutError:
            return hop.failed(_DEADLINE)
        except _RefusedError as error:
            return hop.failed(str(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return hop.failed(_text_of(error))
        return hop.failed(f"stopped after {_REDIRECTS} redirects")

    async def _ask(self, hop: _Hop, definition: CheckDefinition, *, local: bool) -> Result | None:
        await self._judge(hop.url, local=local)
        context: ssl.SSLContext | bool = True
        if hop.url[:6].lower() == "https:":  # aiohttp's own default knows no authorities here
            context = await self._contexts.get(verify=definition.verify_tls)
        async with self._sessions[local].request(
            hop.method,
            hop.url,
            headers=hop.headers,
            data=hop.body,
            allow_redirects=False,
            ssl=context,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as response:
            if response.status in _MOVED:
                location = response.headers.get("Location")
                if location is None:
                    raise _RefusedError(f"{response.status} response missing Location header")
                hop.follow(response.status, location)
                return None
            body = await _tail(response.content, definition.output_most)
            text = body.decode("utf-8", "replace")
            said = f"{response.status} {response.reason or ''} Output: {text}"
            return Result(
                _status_of(response.status), f"HTTP {definition.method} {definition.target}: {said}"
            )

    async def _judge(self, text: str, *, local: bool) -> None:
        """Refuse a URL that leads where the policy does not allow.

        Names are judged when they are resolved. aiohttp resolves nothing that has only digits
        and dots, or a colon, but the system does (a decimal number is an address): these here.
        """
        url = urlsplit(text)
        if url.scheme not in {"http", "https"}:
            raise _RefusedError(f'unsupported protocol scheme "{url.scheme}"')
        if not url.netloc:
            raise _RefusedError("http: no Host in request URL")
        place = _PLACE.fullmatch(url.netloc)
        if place is None:
            raise _RefusedError(f"invalid host {url.netloc!r}")
        host = place[1].strip("[]")
        if ":" in host or not re.search("[A-Za-z]", host):
            await allowed_addresses(host, url.port or _PORTS[url.scheme], self._policy, local=local)


async def _tail(content: aiohttp.StreamReader, most: int) -> bytes:
    """Return the end of a body, reading no more than a bounded part of it."""
    kept = b""
    seen = 0
    async for chunk in content.iter_chunked(65536):
        kept = (kept + chunk)[-most:]
        seen += len(chunk)
        if seen >= _READ_MOST:
            break
    return kept


def _status_of(code: int) -> Status:
    if HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES:
        return Status.PASSING
    return Status.WARNING if code == HTTPStatus.TOO_MANY_REQUESTS else Status.CRITICAL


def _text_of(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"x509: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: {reason_of(error.os_error)}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"tls: {reason_of(error.os_error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        place = joined(error.host, error.port or 0)
        return f"dial tcp {place}: connect: {reason_of(error.os_error)}"
    return reason_of(error)
