"""etcd's v2 keys API, which etcd 3.4 answers with ``--enable-v2`` and 3.6 no more.

It waits for one event at a time. The server remembers the last thousand; whoever is further
behind reads again.
"""

from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlencode

from sidecar.errors import StoreConflict, StoreDenied, StoreUnavailable
from sidecar.stores.etcd import keys_json as wire
from sidecar.stores.etcd.address import Address
from sidecar.stores.etcd.connection import Answer, Connection
from sidecar.stores.etcd.keyspace import Event, Held, Outrun, Reading, Refused

__all__ = ["Legacy"]

_IDLE: Final = 15.0
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_PROBE: Final = "/_pinnace/ping"  # where whoever keeps entries must be let in


class Legacy:
    """The v2 keyspace. Keys begin with a slash; one given without is meant from the root."""

    def __init__(self, connection: Connection, address: Address) -> None:
        """Ask over this connection, as the user that the address names, if any."""
        self._connection = connection
        self._address = address
        self._headers: dict[str, str] = {}
        if address.user:
            login = b64encode(f"{address.user}:{address.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {login}"

    @property
    def url(self) -> str:
        """The address, without secrets."""
        return self._address.url

    async def ping(self) -> None:
        """Return when the store answers."""
        await self.get(_PROBE)

    async def get(self, key: str) -> Held | None:
        """Return what stands under a key, or None; a directory is nothing."""
        answer = await self._ask("GET", key, {"quorum": "true"})
        return wire.held_of(answer.body) if answer.status == 200 else None

    async def read(self, prefixes: Sequence[str]) -> Reading:
        """Return what stands below prefixes, each at this revision or later."""
        found: dict[str, Held] = {}
        revisions = []
        for prefix in prefixes:
            revision, leaves = await self._leaves(prefix)
            revisions.append(revision)
            found |= leaves
        return Reading(min(revisions, default=0), dict(sorted(found.items())))

    async def follow(self, prefix: str, revision: int) -> AsyncGenerator[Sequence[Event], None]:
        """Yield what changes below a prefix after a revision. Raises Outrun."""
        path = wire.path_of(wire.directory_of(prefix))
        while True:
            body = await self._wait(path, revision)
            if body is None:
                continue
            revision, events = wire.events_of(body)
            if events is None:
                raise Outrun
            if below := [event for event in map(_relative(prefix), events) if event is not None]:
                yield below

    async def put(self, key: str, value: bytes, cas: int | None = None) -> None:
        """Write a key. Raises StoreConflict."""
        conditions = {} if cas is None else {"prevIndex": str(cas)}
        if cas == 0:
            conditions = {"prevExist": "false"}
        try:
            await self.set(key, value, 0, **conditions)
        except Refused as error:
            raise StoreDenied(f"{self.url} refuses {key}: {error}") from error

    async def set(self, key: str, value: bytes, ttl: int, **conditions: str) -> None:
        """Write a key that lives so long; 0: for ever. Raises StoreConflict or Refused."""
        try:
            text = value.decode()
        except UnicodeDecodeError as error:
            raise Refused("etcd's v2 API holds text only") from error
        form = {"value": text} | ({"ttl": str(ttl)} if ttl else {})
        answer = await self._ask("PUT", key, conditions, urlencode(form).encode())
        if answer.status == 404:
            raise StoreConflict(f"{key} was changed by another")

    async def delete(self, key: str, value: bytes | None = None) -> None:
        """Remove a key, if it is there (and holds this value)."""
        condition = {} if value is None else {"prevValue": value.decode(errors="replace")}
        with suppress(StoreConflict, Refused):  # another value, or a directory: not what was meant
            await self._ask("DELETE", key, condition)

    async def _leaves(self, prefix: str) -> tuple[int, dict[str, Held]]:
        params = {"recursive": "true", "quorum": "true"}
        answer = await self._ask("GET", wire.directory_of(prefix), params)
        leaves = wire.leaves_of(answer.body) if answer.status == 200 else {}
        relative = _relative(prefix)
        events = (relative(Event(key, held)) for key, held in leaves.items())
        found = {event.key: event.held for event in events if event is not None and event.held}
        return self._index(answer.headers), found

    async def _wait(self, path: str, revision: int) -> bytes | None:
        """Return the answer to a wait for what comes after, None when nothing came for long."""
        params = {"wait": "true", "recursive": "true", "waitIndex": str(revision + 1)}
        async with self._connection.stream(
            "GET", path, idle=_IDLE, params=params, headers=self._headers
        ) as response:
            if response.status == 200 and self._index(response.headers) < revision:
                raise Outrun
            body = bytearray()
            while data := await self._connection.read(response):
                body += data
            if data is None and not body:
                return None
        if response.status == 200 and not body:
            raise StoreUnavailable(f"{self.url} ended a wait")
        self._check("GET", Answer(response.status, response.headers, bytes(body)))
        return bytes(body)

    async def _ask(
        self, method: str, key: str, params: dict[str, str], form: bytes = b""
    ) -> Answer:
        headers = self._headers | (_FORM if form else {})
        answer = await self._connection.call(
            method, wire.path_of(key), form, params=params, headers=headers
        )
        self._check(method, answer)
        return answer

    def _check(self, method: str, answer: Answer) -> None:
        """Raise what an answer means; a key that is not there is no error."""
        if answer.status < 300:
            return
        code, message = wire.refusal_of(answer.body)
        if code == wire.CLEARED:
            raise Outrun
        if code == wire.NOT_FOUND or (code == wire.NO_DIRECTORY and method == "GET"):
            return
        if code in wire.CONFLICTS:
            raise StoreConflict(message)
        if 102 <= code < 300 and code != wire.UNAUTHORIZED:  # no file, no directory, a bad form
            raise Refused(message)
        if answer.status in {401, 403}:
            raise StoreDenied(f"{self.url}: {message}")
        raise StoreUnavailable(f"{self.url}: {answer.status} {message}")

    def _index(self, headers: Any) -> int:
        try:
            return int(headers.get("X-Etcd-Index", 0))
        except ValueError as error:
            raise StoreUnavailable(f"{self.url} sent no index") from error


def _relative(prefix: str) -> Callable[[Event], Event | None]:
    """Return what gives an event below a prefix its key as the prefix is written, else None."""
    cut = 0 if prefix.startswith("/") else 1

    def relative(event: Event) -> Event | None:
        key = event.key[cut:]
        return event._replace(key=key) if key.startswith(prefix) else None

    return relative
