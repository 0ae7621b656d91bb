"""What the program asks of a Docker engine."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from sidecar.engine.connection import Connection, Tls
from sidecar.engine.events import EventStream, Signal
from sidecar.engine.facts import Container, container_of, ended_of, is_container_reference
from sidecar.errors import ConfigError, ProtocolError
from sidecar.runtime.clock import Clock, SystemClock

__all__ = ["Engine", "EngineInfo"]

_STOP: Final = 3600.0  # a container may have asked for a long time to stop in
ExtraTags = Callable[[object], Awaitable[str]]

_SCHEMES: Final = ("unix://", "tcp://", "http://", "https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """Which engine answers."""

    id: str
    name: str
    version: str


class Engine:
    """A Docker engine at a URL; connects when first asked and again whenever needed."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        extra_tags: ExtraTags | None = None,
        tls: Tls | None = None,
    ) -> None:
        """Take ``unix://PATH``, ``tcp://HOST:PORT`` or http(s). Raises ConfigError.

        ``extra_tags`` works out what ``Container.extra_tags`` is, from the whole document.
        ``tls`` is this engine's own, instead of what Docker's variables say of all.
        """
        if not url.startswith(_SCHEMES):
            raise ConfigError([f"docker.url: {url!r} must start with one of {' '.join(_SCHEMES)}"])
        self.url = url
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._extra_tags = extra_tags
        self._tls = tls
        self._open: Connection | None = None

    async def ping(self) -> None:
        """Return when the engine answers. Raises EngineUnavailable or EngineDenied."""
        await self._connection().ping()

    async def info(self) -> EngineInfo:
        """Return the engine's lasting id, its host name and its version."""
        found = await self._connection().json("info")
        if not isinstance(found, dict):
            raise ProtocolError(f"{self.url} sent no table for info")
        id_, name, version = (str(found.get(key) or "") for key in ("ID", "Name", "ServerVersion"))
        return EngineInfo(id=id_, name=name, version=version)

    async def running(self) -> tuple[str, ...]:
        """Return the ids of the containers that run (paused ones too)."""
        found = await self._connection().json("containers/json")
        if not isinstance(found, list):
            raise ProtocolError(f"{self.url} sent no list of containers")
        ids = tuple(str(entry.get("Id")) for entry in found if isinstance(entry, dict))
        if len(ids) != len(found) or not all(map(is_container_reference, ids)):
            raise ProtocolError(f"{self.url} sent a list of containers with an unusable id")
        return ids

    async def stopped(self) -> tuple[tuple[str, int], ...]:
        """Return name and exit status of the containers that have ended and still exist."""
        only = json.dumps({"status": ["exited", "dead"]})
        found = await self._connection().json("containers/json", all="1", filters=only)
        return tuple(ended_of(entry) for entry in found) if isinstance(found, list) else ()

    async def inspect(self, id_: str) -> Container | None:
        """Return the container's facts, or None when it is gone."""
        found = await self._connection().json(f"containers/{id_}/json")
        if found is None:
            return None
        container = container_of(found)
        if self._extra_tags is None:
            return container
        return replace(container, extra_tags=await self._extra_tags(found))

    async def stop(self, id_: str) -> bool:
        """Stop a container as it wants to be stopped: its own signal and its own time.

        Returns when it has ended; False when it is gone. The only thing here that changes an
        engine, and only a drain asks for it; more is in ``operations``. Its connection is its own,
        as a lost event stream says little of what takes so long. Raises EngineUnavailable or
        EngineDenied.
        """
        connection = self._connected()
        try:
            return await connection.post(f"containers/{id_}/stop", timeout=_STOP)
        finally:
            await connection.close()

    async def follow(self, deliver: Callable[[Signal], None], *, ping: float) -> None:
        """Deliver events until cancelled, over any number of lost streams (EventStream).

        What ended a stream may have taken the other connections, too: questions that are under way
        are given up with it, and the next ones go over new connections.
        """
        stream = EventStream(
            self._connected, self.url, clock=self._clock, ping=ping, discard=self.close
        )
        await stream.run(deliver)

    async def close(self) -> None:
        """Close the connections."""
        if self._open is not None:
            opened, self._open = self._open, None
            await opened.close()

    def _connection(self) -> Connection:
        if self._open is None:
            self._open = self._connected()
        return self._open

    def _connected(self) -> Connection:
        return Connection(self.url, tls=self._tls)
