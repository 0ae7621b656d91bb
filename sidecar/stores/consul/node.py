"""The agent's own node as the thing to watch: its index moves with every service it syncs.

A token that may not read the agent's name makes us look once a second instead.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from sidecar.errors import StoreDenied
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.consul.client import Client, quoted

__all__ = ["OwnNode"]

_log = get_logger("consul")

_LOOK: Final = 1.0
_NO_SERVICES: Final = {"filter": 'ID == "-"'}  # only the index counts; the list may be long


class _Config(msgspec.Struct, frozen=True):
    name: str = msgspec.field(name="NodeName")


class _Self(msgspec.Struct, frozen=True):
    config: _Config = msgspec.field(name="Config")


class OwnNode:
    """What ``watch.Watch`` watches for the edge of a catalogue."""

    def __init__(self, client: Client, is_off: Callable[[], Awaitable[bool]], clock: Clock) -> None:
        """``is_off`` looks whether the edge's entries are there."""
        self._client = client
        self._look = is_off
        self._clock = clock
        self._path = ""
        self._count = 0
        self._is_told = False

    async def begin(self) -> None:
        """Ask the agent for its name."""
        try:
            answer = await self._client.get("agent/self")
            name = msgspec.json.decode(answer.body, type=_Self).config.name
            self._path = f"catalog/node/{quoted(name)}"
        except (StoreDenied, msgspec.DecodeError) as error:
            self._path = ""
            if not self._is_told:
                self._is_told = True
                _log.warning("looking once a second: the agent's name is not told", reason=error)

    async def wait(self, index: int) -> int:
        """Return the new index when a service of the node changed."""
        if self._path:
            return (await self._client.wait(self._path, index, _NO_SERVICES)).index
        await self._clock.sleep(_LOOK)
        self._count += 1
        return self._count

    async def is_off(self) -> bool:
        """Look whether entries are missing or changed."""
        return await self._look()
