"""One Consul agent over HTTP: the only module that sends it requests.

Whatever goes wrong becomes StoreUnavailable (try again) or StoreDenied; no message holds a
secret. Blocking queries have connections of their own, so that they never keep a write waiting.
Names are resolved for every new connection (reliability F38).
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote, unquote, urlsplit

import msgspec

from sidecar.errors import ProtocolError, StoreDenied, StoreUnavailable
from sidecar.runtime.reason import reason_of
from sidecar.stores.consul.address import Address
from sidecar.stores.consul.connections import Connections, NewConnection, Request, context_of

__all__ = ["IN_FLIGHT", "Answer", "Client", "following", "quoted", "side_by_side"]

T = TypeVar("T")
IN_FLIGHT: Final = 64
_CALL: Final = 10.0
_WAIT: Final = 60.0  # of a blocking query; the agent adds up to a sixteenth
_MARGIN: Final = 10.0
_MOST_TOLD: Final = 10_000
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


@dataclass(frozen=True, slots=True)
class _Asked:
    method: str
    path: str
    params: Mapping[str, str]
    body: bytes | None = None
    waits: bool = False
    loyal_to: int | None = None


class Client:
    """Asks one agent; ``close`` it inside the loop that used it."""

    def __init__(self, address: Address) -> None:
        """Prepare; nothing is opened before the first request."""
        self.address = address
        self.url = address.url
        self._token = address.token
        self._opening = asyncio.Lock()
        self._connections: tuple[Connections, Connections] | None = None
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._told: dict[str, int] = {}  # path to the era in which its index was told

    async def close(self) -> None:
        """Close all sockets; a later request opens new ones."""
        async with self._opening:
            connections, self._connections = self._connections, None
            self._told.clear()
            for each in connections or ():
                await each.close()

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
            return await self._ask(_Asked(method, path, params or {}, body), timeout)

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

        When a connection broke since the index was told, the agent may be a new one, where that
        index lies in the future and would keep us waiting: then it is read at once.
        """
        known = dict(params or {})
        connections = (await self._opened())[True]
        told = self._told.get(path)
        if index and told is not None:
            asked = {**known, "index": str(index), "wait": f"{limit:g}s"}
            timeout = limit + limit / 16 + _MARGIN
            with suppress(NewConnection):
                waiting = _Asked("GET", path, asked, waits=True, loyal_to=told)
                return self.checked(await self._ask(waiting, timeout))
        if len(self._told) >= _MOST_TOLD:  # of nodes that are long gone, too
            self._told.clear()
        self._told[path] = connections.era
        return self.checked(await self._ask(_Asked("GET", path, known, waits=True), _CALL))

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

    async def _ask(self, asked: _Asked, timeout: float) -> Answer:
        connections = (await self._opened())[asked.waits]
        answer = await self._send(asked, connections, timeout)
        if answer.status in _DENIED and await self._has_new_token():
            answer = await self._send(asked, connections, timeout)
        return answer

    async def _send(self, asked: _Asked, connections: Connections, timeout: float) -> Answer:
        query = "&".join(f"{name}={quote(text, safe='')}" for name, text in asked.params.items())
        target = f"/v1/{asked.path}{'?' + query if query else ''}"
        request = Request(asked.method, target, self._headers(), asked.body, asked.loyal_to)
        with self._errors(asked.path):
            async with asyncio.timeout(timeout):
                head, body = await connections.exchange(request)
        contact = _number(head.headers, "x-consul-lastcontact") / 1000
        return Answer(head.status, body, _number(head.headers, "x-consul-index"), contact)

    def _headers(self) -> dict[str, str]:
        headers = {"X-Consul-Token": self._token} if self._token else {}
        if login := self.address.login or self._login_in_base():
            headers["Authorization"] = f"Basic {b64encode(':'.join(login).encode()).decode()}"
        return headers

    def _login_in_base(self) -> tuple[str, str] | None:
        """Return the login that CONSUL_HTTP_ADDR has in front of its host."""
        parts = urlsplit(self.address.base)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return (user, password) if user else None

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise StoreUnavailable(f"{self.url} does not answer {path}") from error
        except ssl.SSLError as error:
            raise StoreUnavailable(f"{self.url}: {error}") from error
        except OSError as error:
            raise StoreUnavailable(f"{self.url}: {reason_of(error)}") from error
        except ProtocolError as error:
            raise StoreUnavailable(f"{self.url} does not answer as Consul does: {error}") from error

    async def _opened(self) -> tuple[Connections, Connections]:
        async with self._opening:
            if self._connections is None:
                await self._has_new_token()
                context = await asyncio.to_thread(context_of, self.address)
                self._connections = (
                    Connections(self.address, context),
                    Connections(self.address, context),
                )
            return self._connections

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
