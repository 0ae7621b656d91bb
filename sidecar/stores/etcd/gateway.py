"""etcd's v3 API over its JSON gateway (etcd 3.4 and later).

A watch that has been silent for a while is opened again from where it was, so that one whose peer
vanished without a word is noticed; nothing is lost, as it resumes at a revision.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Final

from sidecar.errors import ProtocolError, StoreConflict, StoreDenied, StoreUnavailable
from sidecar.runtime.lines import LineSplitter
from sidecar.stores.etcd import gateway_json as wire
from sidecar.stores.etcd.address import Address
from sidecar.stores.etcd.connection import Answer, Connection
from sidecar.stores.etcd.gateway_json import Failure, Message
from sidecar.stores.etcd.keyspace import Event, Held, Outrun, Reading, Refused

__all__ = ["Gateway", "LeaseGone"]

_IDLE: Final = 15.0
_LINE_LIMIT: Final = 64 << 20
_PATH: Final = "/v3/"
# gRPC's codes: invalid argument, not found, permission denied, failed precondition,
# unauthenticated (a token that was forgotten); all others are worth another try
_INVALID, _NOT_FOUND, _DENIED, _PRECONDITION, _UNAUTHENTICATED = 3, 5, 7, 9, 16
_TOO_LARGE: Final = "larger than max"  # its code is that of a full disk
# These have the code of an invalid argument.
_LOGIN_AGAIN: Final = ("user name is empty", "revision of auth store is old")
_LOGIN_WORDS: Final = ("user name is empty", "authentication failed")


class LeaseGone(Exception):
    """There is no such lease (any more)."""


class Gateway:
    """The v3 keyspace."""

    def __init__(self, connection: Connection, address: Address) -> None:
        """Ask over this connection, as the user that the address names, if any."""
        self._connection = connection
        self._address = address
        self._token = ""
        self._login = asyncio.Lock()

    @property
    def url(self) -> str:
        """The address, without secrets."""
        return self._address.url

    async def ping(self) -> None:
        """Return when the store answers a read that needs a leader."""
        try:
            await self.call("kv/range", wire.prefix_range("ping") | {"count_only": True})
        except StoreDenied:
            if not self._token:  # a user who may not read this key is let in all the same
                raise

    async def get(self, key: str) -> Held | None:
        """Return what stands under a key, or None."""
        return wire.held_of(await self.call("kv/range", {"key": wire.text(key)}))

    async def read(self, prefixes: Sequence[str]) -> Reading:
        """Return what stands below prefixes, all at one revision."""
        asked = [{"request_range": wire.prefix_range(prefix)} for prefix in prefixes]
        answer = await self.call("kv/txn", {"success": asked})
        responses = answer.get("responses")
        if not isinstance(responses, list) or len(responses) != len(asked):
            raise StoreUnavailable(f"{self.url} answered less than was asked")
        ranges = [each.get("response_range", {}) for each in responses]
        return wire.reading_of(ranges, wire.number(answer.get("header", {}), "revision"))

    async def put(self, key: str, value: bytes, cas: int | None = None) -> None:
        """Write a key. Raises StoreConflict."""
        compare = [] if cas is None else [wire.compared(key, "MOD", cas)]
        try:
            answer = await self.txn([wire.put(key, value)], compare)
        except Refused as error:
            raise StoreDenied(f"{self.url} refuses {key}: {error}") from error
        if not answer.get("succeeded"):
            raise StoreConflict(f"{key} was changed by another")

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        await self.call("kv/deleterange", {"key": wire.text(key)})

    async def txn(
        self, success: Sequence[Mapping[str, Any]], compare: Sequence[Mapping[str, Any]] = ()
    ) -> dict[str, Any]:
        """Run operations as one. Raises LeaseGone, or Refused for what they are."""
        body = {"compare": list(compare), "success": list(success)}
        return await self._answered("kv/txn", body)

    # --- leases ----------------------------------------------------------------------------

    async def grant(self, lease: int, ttl: int) -> tuple[int, int]:
        """Return id and TTL of a new lease; ``lease`` 0 lets the store choose the id.

        Goes on with a lease of this id if there is one.
        """
        for _ in range(3):
            try:
                answer = await self._answered("lease/grant", {"ID": str(lease), "TTL": str(ttl)})
                return wire.lease_of(answer)
            except Refused:  # it exists already
                if granted := await self.keep_alive(lease):
                    return lease, granted
        raise StoreUnavailable(f"{self.url} gives no lease")

    async def keep_alive(self, lease: int) -> int:
        """Start a lease's TTL again and return it; 0: there is no such lease."""
        return wire.lease_of(await self.call("lease/keepalive", {"ID": str(lease)}))[1]

    async def revoke(self, lease: int) -> None:
        """End a lease, and all keys on it with it, if it is there."""
        with suppress(LeaseGone):
            await self._answered("lease/revoke", {"ID": str(lease)})

    # --- watching --------------------------------------------------------------------------

    async def follow(self, prefix: str, revision: int) -> AsyncGenerator[Sequence[Event], None]:
        """Yield what changes below a prefix after a revision, in order. Raises Outrun."""
        while True:
            async with aclosing(self._messages(prefix, revision)) as messages:
                async for some in messages:
                    if any(
                        m.is_compacted or (m.is_created and m.revision < revision) for m in some
                    ):
                        raise Outrun
                    if events := [event for message in some for event in message.events]:
                        revision = max(revision, events[-1].revision)
                        yield events

    async def _messages(
        self, prefix: str, revision: int
    ) -> AsyncGenerator[Sequence[Message], None]:
        """Yield one stream's messages until it has been silent; a refused login is mended."""
        for attempt in (0, 1):
            async with aclosing(self._stream(prefix, revision + 1)) as stream:
                async for lines in stream:
                    messages = [wire.message_of(line) for line in lines]
                    refusal = next((m.refusal for m in messages if m.refusal), None)
                    if refusal is None:
                        yield messages
                    elif attempt == 0 and self._may_log_in(refusal):
                        self._token = ""
                        break
                    else:
                        raise self._final(self._error(refusal))
                else:
                    return

    async def _stream(self, prefix: str, revision: int) -> AsyncGenerator[Sequence[bytes], None]:
        """Yield the lines of a watch as they come, several when several came."""
        splitter = LineSplitter(_LINE_LIMIT)
        body = json.dumps(wire.watch_request(prefix, revision))
        headers = await self._headers() | {"Grpc-Metadata-hasleader": "true"}
        async with self._connection.stream(
            "POST", f"{_PATH}watch", idle=_IDLE, data=body, headers=headers
        ) as response:
            if response.status != 200:
                head = await self._connection.read(response) or b""
                raise self._final(self._error(wire.failure_of(head), response.status))
            while data := await self._connection.read(response):
                try:
                    lines = list(splitter.feed(data))
                except ProtocolError as error:
                    raise StoreUnavailable(f"{self.url}: {error}") from error
                if lines:
                    yield lines
            if data is not None:
                self._connection.turn()
                raise StoreUnavailable(f"{self.url} ended a watch")

    # --- calls -----------------------------------------------------------------------------

    async def call(self, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the gateway's answer to what cannot be wrong by itself."""
        try:
            return await self._answered(what, body)
        except (LeaseGone, Refused) as error:
            raise self._final(error) from error

    async def _answered(self, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the gateway's answer. Raises LeaseGone and Refused too."""
        answer = await self._post(what, body)
        if answer.status in {400, 401}:
            failure = wire.failure_of(answer.body)
            if self._may_log_in(failure):
                self._token = ""
                answer = await self._post(what, body)
        if answer.status != 200:
            raise self._error(wire.failure_of(answer.body), answer.status)
        return wire.object_of(answer.body)

    async def _post(self, what: str, body: Mapping[str, Any]) -> Answer:
        headers = await self._headers()
        return await self._connection.call(
            "POST", _PATH + what, json.dumps(body).encode(), headers=headers
        )

    def _may_log_in(self, failure: Failure) -> bool:
        """Say whether a new token may help: the old one is forgotten, or login was switched on."""
        if not self._address.user:
            return False
        is_asked = any(words in failure.message for words in _LOGIN_AGAIN)
        return failure.code == _UNAUTHENTICATED or is_asked

    async def _headers(self) -> dict[str, str]:
        if not self._address.user:
            return {}
        async with self._login:
            if not self._token:
                self._token = await self._new_token()
        return {"Authorization": self._token} if self._token else {}

    async def _new_token(self) -> str:
        """Return a token; none where the store wants no login, as etcd's own clients do."""
        credentials = {"name": self._address.user, "password": self._address.password}
        answer = await self._connection.call(
            "POST", f"{_PATH}auth/authenticate", json.dumps(credentials).encode()
        )
        if answer.status == 200:
            return str(wire.object_of(answer.body).get("token", ""))
        failure = wire.failure_of(answer.body)
        if failure.code == _PRECONDITION:
            return ""
        raise self._error(failure, answer.status)

    def _final(self, error: Exception) -> Exception:
        """Return the error as callers know it, where nothing can be refused for itself."""
        if isinstance(error, LeaseGone | Refused):
            return StoreUnavailable(f"{self.url}: {error}")
        return error

    def _error(self, failure: Failure, status: int = 200) -> Exception:
        code, message = failure
        if code == _NOT_FOUND:
            return LeaseGone(message)
        is_login = any(words in message for words in _LOGIN_WORDS)
        if code in {_DENIED, _UNAUTHENTICATED} or is_login or status in {401, 403}:
            return StoreDenied(f"{self.url}: {message}")
        if code in {_INVALID, _PRECONDITION} or _TOO_LARGE in message:
            return Refused(message)
        return StoreUnavailable(f"{self.url}: {status} {message}")
