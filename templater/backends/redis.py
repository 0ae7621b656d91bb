"""Values from Redis: a text value, the fields of a hash, or all text values below a key.

Changes are told by keyspace notifications, which the server must be configured to send
(``notify-keyspace-events``); without them, and against lost messages, it is looked again on a
timer. A notification is a hint: everything is read anew.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Self

from sidecar.errors import ProtocolError, StoreDenied, StoreUnavailable
from templater.backends.base import Values, text_of
from templater.backends.resp import Refusal, Replies, Reply, command

__all__ = ["RedisBackend", "RedisPlace"]

_PORT: Final = 6379
_DIAL: Final = 5.0
_REPLY: Final = 10.0
_SCAN: Final = "1000"
_MANY: Final = 500  # keys in one MGET
_LOOK: Final = 30.0  # seconds between two looks without a notification
_LOOK_DEAF: Final = 2.0  # the same when the server sends none
_DENIED: Final = ("NOAUTH", "WRONGPASS", "NOPERM", "ERR invalid password", "ERR AUTH")


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """Where the server is: ``host:port[/db]`` or the path of a socket."""

    host: str
    port: int
    database: int
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, node: str, password: str = "") -> Self:
        """Return the place that a node of the command line names. Raises ValueError."""
        if node.startswith("/"):
            return cls(node, 0, 0, password)
        address, _, database = node.partition("/")
        host, colon, port = address.rpartition(":")
        if not colon:
            host, port = address, str(_PORT)
        return cls(host or "127.0.0.1", int(port), int(database or 0), password)

    def __str__(self) -> str:
        """Return it as it was written, without the password."""
        return self.host if self.host.startswith("/") else f"{self.host}:{self.port}"


class _Connection:
    """One connection; not shared between tasks."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: float
    ) -> None:
        self._limit = limit
        self._reader = reader
        self._writer = writer
        self._replies = Replies()
        self._ready: list[Reply] = []

    async def ask(self, *words: str) -> Reply:
        self._writer.write(command(words))
        async with asyncio.timeout(self._limit):
            await self._writer.drain()
            reply = await self.next()
        if isinstance(reply, Refusal):
            kind = StoreDenied if reply.text.startswith(_DENIED) else ProtocolError
            raise kind(f"redis: {reply.text}")
        return reply

    async def next(self) -> Reply:
        while not self._ready:
            data = await self._reader.read(65536)
            if not data:
                raise ConnectionResetError("redis closed the connection")
            self._ready += self._replies.feed(data)
        return self._ready.pop(0)

    def close(self) -> None:
        self._writer.close()


class RedisBackend:
    """Reads with one connection per read or watch."""

    def __init__(
        self,
        place: RedisPlace,
        *,
        separator: str = "",
        look: float = _LOOK,
        dial: float = _DIAL,
        reply: float = _REPLY,
    ) -> None:
        """``separator`` stands in Redis for ``/`` of a key; then no key begins with it.

        ``dial`` and ``reply`` are the time to connect and for one answer.
        """
        self._dial = dial
        self._reply = reply
        self._place = place
        self._separator = separator if separator != "/" else ""
        self._look = look
        self.address = str(place)

    async def read(self, keys: Sequence[str]) -> Values:
        """Return what the keys stand for."""
        async with self._connected() as connection:
            return await self._read(connection, keys)

    async def watch(self, key: str) -> AsyncGenerator[Values]:
        """Yield the values now and whenever they differ."""
        async with self._connected() as connection, self._connected() as listening:
            hears = await _sends_events(connection)
            own = self._own(key) if self._below(self._own(key)) else ""
            pattern = f"__keyspace@{self._place.database}__:{_escaped(own)}*"
            await listening.ask("PSUBSCRIBE", pattern)
            seen: Values | None = None
            while True:
                now = await self._read(connection, [key])
                if now != seen:
                    seen = now
                    yield now
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._look if hears else _LOOK_DEAF):
                        await listening.next()

    async def close(self) -> None:
        """Do nothing: connections end with their use."""

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[_Connection]:
        connection = None
        try:
            connection = await self._connect()
            yield connection
        except TimeoutError as error:
            raise StoreUnavailable(f"redis at {self.address} does not answer") from error
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise StoreUnavailable(f"redis at {self.address}: {reason}") from error
        except ProtocolError as error:
            raise StoreUnavailable(f"{error} (at {self.address})") from error
        finally:
            if connection is not None:
                connection.close()

    async def _connect(self) -> _Connection:
        place = self._place
        async with asyncio.timeout(self._dial):
            if place.host.startswith("/"):
                connection = _Connection(
                    *await asyncio.open_unix_connection(place.host), self._reply
                )
            else:
                streams = await asyncio.open_connection(place.host, place.port)
                connection = _Connection(*streams, self._reply)
        try:
            if place.password:
                await connection.ask("AUTH", place.password)
            if place.database:
                await connection.ask("SELECT", str(place.database))
        except BaseException:
            connection.close()
            raise
        return connection

    async def _read(self, connection: _Connection, keys: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for key in dict.fromkeys(keys):
            own = self._own(key)
            kind = await connection.ask("TYPE", own)
            if kind == b"string":
                await self._take(connection, [own], found)
            elif kind == b"hash":
                fields = _pairs(await _scanned(connection, "HSCAN", own, "COUNT", _SCAN))
                found |= {f"{self._key(own)}/{text_of(name)}": text_of(v) for name, v in fields}
            else:
                pattern = _escaped(self._below(own)) + "*"
                names = await _scanned(connection, "SCAN", "", "MATCH", pattern, "COUNT", _SCAN)
                await self._take(connection, sorted({text_of(name) for name in names}), found)
        return found

    async def _take(
        self, connection: _Connection, names: Sequence[str], found: dict[str, str]
    ) -> None:
        """Add those of the keys that hold text; MGET gives nothing for the others."""
        for at in range(0, len(names), _MANY):
            some = names[at : at + _MANY]
            values = await connection.ask("MGET", *some)
            for name, value in zip(some, values if isinstance(values, list) else [], strict=True):
                if isinstance(value, bytes):
                    found[self._key(name)] = text_of(value)

    def _own(self, key: str) -> str:
        if not self._separator:
            return key
        return key.removeprefix("/").replace("/", self._separator)

    def _below(self, own: str) -> str:
        """Return what keys below a key begin with; below the root are all, as confd has it."""
        divider = self._separator or "/"
        above = own.removesuffix(divider)
        return above + divider if above else ""

    def _key(self, own: str) -> str:
        if not self._separator:
            return own if own.startswith("/") else f"/{own}"
        return "/" + own.replace(self._separator, "/")


async def _scanned(connection: _Connection, verb: str, key: str, *rest: str) -> list[bytes]:
    """Return all that a scan gives, over its rounds."""
    found: list[bytes] = []
    cursor = "0"
    while True:
        words = (verb, *((key,) if key else ()), cursor, *rest)
        reply = await connection.ask(*words)
        match reply:
            case [bytes() as following, list() as items]:
                found += [item for item in items if isinstance(item, bytes)]
            case _:
                raise ProtocolError(f"redis answered {verb} with {str(reply)[:60]}")
        if following == b"0":
            return found
        cursor = following.decode()


def _pairs(items: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(items[::2], items[1::2], strict=True))


async def _sends_events(connection: _Connection) -> bool:
    """Say whether the server tells of changes; where it may not be asked, believe it does."""
    try:
        reply = await connection.ask("CONFIG", "GET", "notify-keyspace-events")
    except (ProtocolError, StoreDenied):
        return True
    match reply:
        case [_, bytes() as classes]:
            return b"K" in classes
    return True


def _escaped(key: str) -> str:
    """Return a key as a pattern that matches only itself."""
    return "".join(f"\\{char}" if char in "*?[]\\" else char for char in key)
