"""One Consul agent over HTTP: the only module that sends it requests.

Whatever goes wrong becomes StoreUnavailable (try again) or StoreDenied; no message holds a
secret. Blocking queries have connections of their own, so that they never keep a write waiting.
Names are resolved for every new connection (reliability F38).
"""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
from yarl import URL

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.reason import reason_of
from sidecar.runtime.tls import without_authorities
from sidecar.stores.consul.address import Address
from sidecar.stores.consul.sessions import FAREWELL, NewConnection, opened

with without_authorities():
    import aiohttp

__all__ = ["IN_FLIGHT", "Answer", "Client", "following", "quoted", "side_by_side"]

T = TypeVar("T")
IN_FLIGHT: Final = 64
_CALL: Final = 10.0
_CONNECT: Final = 5.0
_WAIT: Final = 60.0  # of a blocking query; the agent adds up to a sixteenth
_MARGIN: Final = 10.0
_AWAY: Final = frozenset({429, 502, 503, 504})
_DENIED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent said. ``index`` is 0 where it gives none.

    ``last_contact``: seconds since the server that answered a stale read heard of the leader.
    """

    status: int
    body: bytes
    index: int
    last_contact: float = 0.0

    @property
    def text(self) -> str:
        """The words of a refusal, on one line and bounded."""
        return " ".join(self.body[:400].decode("utf-8", "replace").split())


class _Request(NamedTuple):
    method: str
    path: str
    params: Mapping[str, str]
    body: bytes | None = None


def following(asked: int, got: int) -> int:
    """Return the index to ask with next: 0, that is at once, when it fell (a store reset).

    An index of 0 would make the next query return at once for ever: it counts as 1.
    """
    return 0 if got < asked else max(1, got)


def quoted(text: str) -> str:
    """Return text as one segment of a path."""
    return quote(text, safe=":@!$&'()*,=")


async def side_by_side(
    items: Iterable[T], act: Callable[[T], Awaitable[None]], limit: int = IN_FLIGHT
) -> None:
    """Act on every item, so many at once; the first error ends it and is raised as it is."""
    items = tuple(items)
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await act(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(limit, len(items))):
                group.create_task(work(), name="consul request")
    except ExceptionGroup as error:
        raise error.exceptions[0] from error


class Client:
    """Asks one agent; ``close`` it inside the loop that used it."""

    def __init__(self, address: Address) -> None:
        """Prepare; nothing is opened before the first request."""
        self.address = address
        self.url = address.url
        self._token = address.token
        self._server_name = (address.tls.server_name or None) if address.tls else None
        self._opening = asyncio.Lock()
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None
        self._slots = asyncio.Semaphore(IN_FLIGHT)

    async def close(self) -> None:
        """Close all sockets; a later request opens new ones."""
        async with self._opening:
            sessions, self._sessions = self._sessions, None
            for session in sessions or ():
                await session.close()
        if sessions and self.address.tls:
            await asyncio.sleep(2 * FAREWELL)  # aiohttp does not wait for what was cancelled

    async def ping(self) -> None:
        """Return when the agent knows a leader. Raises StoreUnavailable or StoreDenied."""
        answer = await self.get("status/leader")
        if answer.body.strip() in {b'""', b""}:
            raise StoreUnavailable(f"{self.url}: no leader")

    async def exchange(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        timeout: float = _CALL,
    ) -> Answer:
        """Return the answer whatever its status; raises StoreUnavailable when there is none."""
        async with self._slots:
            return await self._ask(_Request(method, path, params or {}, body), timeout, waits=False)

    async def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        timeout: float = _CALL,
    ) -> Answer:
        """Return an answer of 200 or 404. Raises StoreUnavailable and StoreDenied."""
        return self.checked(await self.exchange(method, path, params, body, timeout=timeout))

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Read once."""
        return await self.call("GET", path, params)

    async def wait(
        self, path: str, index: int, params: Mapping[str, str] | None = None, limit: float = _WAIT
    ) -> Answer:
        """Read when the state is newer than ``index``, or after a minute.

        Without the connection that told the index the agent may be a new one, where that index
        lies in the future and would keep us waiting: then it is read at once.
        """
        known = dict(params or {})
        if index:
            asked = {**known, "index": str(index), "wait": f"{limit:g}s"}
            timeout = limit + limit / 16 + _MARGIN
            with suppress(NewConnection):
                request = _Request("GET", path, asked)
                return self.checked(await self._ask(request, timeout, waits=True))
        return self.checked(await self._ask(_Request("GET", path, known), _CALL, waits=True))

    def checked(self, answer: Answer) -> Answer:
        """Return what is an answer; raise what is an error of the store."""
        if answer.status < 300 or answer.status == 404:
            return answer
        reason = f"{self.url}: {answer.status} {answer.text}".rstrip()
        if answer.status >= 500 or answer.status in _AWAY:
            raise StoreUnavailable(reason)
        raise StoreDenied(reason)

    def decoded(self, answer: Answer, form: type[T]) -> T:
        """Return the JSON of an answer as this type; what is no such thing is no Consul."""
        try:
            return msgspec.json.decode(answer.body, type=form)
        except msgspec.DecodeError as error:
            reason = f"{self.url} does not answer as Consul does: {error}"
            raise StoreUnavailable(reason) from error

    def is_away(self, answer: Answer) -> bool:
        """Say whether an answer means the agent, not what was asked of it."""
        return answer.status in _AWAY or (answer.status == 500 and "leader" in answer.text)

    async def _ask(self, request: _Request, timeout: float, *, waits: bool) -> Answer:
        session = (await self._opened())[waits]
        answer = await self._send(request, session, timeout)
        if answer.status in _DENIED and await self._has_new_token():
            answer = await self._send(request, session, timeout)
        return answer

    async def _send(
        self, request: _Request, session: aiohttp.ClientSession, timeout: float
    ) -> Answer:
        method, path, params, body = request
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in params.items())
        url = URL(f"{self.address.base}/v1/{path}{'?' + query if query else ''}", encoded=True)
        with self._errors(path):
            async with session.request(
                method,
                url,
                data=body,
                headers=self._headers(),
                timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=_CONNECT),
                allow_redirects=False,
                server_hostname=self._server_name,
                trace_request_ctx="index" in params,
            ) as response:
                headers = response.headers
                contact = _number(headers, "X-Consul-LastContact") / 1000
                index = _number(headers, "X-Consul-Index")
                return Answer(response.status, await response.read(), index, contact)

    def _headers(self) -> dict[str, str]:
        headers = {"X-Consul-Token": self._token} if self._token else {}
        if self.address.login:
            login = b64encode(":".join(self.address.login).encode()).decode()
            headers["Authorization"] = f"Basic {login}"
        return headers

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise StoreUnavailable(f"{self.url} does not answer {path}") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise StoreUnavailable(f"{self.url}: {error.certificate_error}") from error
        except (aiohttp.ClientConnectorError, aiohttp.ClientConnectorDNSError) as error:
            raise StoreUnavailable(f"{self.url}: {reason_of(error.os_error)}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise StoreUnavailable(f"{self.url}: {str(error) or type(error).__name__}") from error

    async def _opened(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        async with self._opening:
            if self._sessions is None:
                await self._has_new_token()
                self._sessions = await opened(self.address)
            return self._sessions

    async def _has_new_token(self) -> bool:
        """Read the token's file, if there is one; say whether it holds another than we use."""
        if not self.address.token_file:
            return False
        path = Path(self.address.token_file)
        try:
            token = (await asyncio.to_thread(path.read_text)).strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise StoreUnavailable(f"CONSUL_HTTP_TOKEN_FILE {path}: {reason}") from error
        before, self._token = self._token, token or self._token
        return self._token != before


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "0")
    return int(text) if text.isascii() and text.isdigit() else 0
