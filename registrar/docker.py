"""What the registrar asks of an engine, and one look at a container."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from sidecar.engine.client import EngineInfo
from sidecar.engine.events import Signal
from sidecar.engine.facts import Container
from sidecar.errors import ProtocolError

__all__ = ["Docker", "Seen", "look", "owner_of"]


class Docker(Protocol):
    """What the registrar asks of an engine (sidecar.engine.client.Engine)."""

    async def info(self) -> EngineInfo:
        """Return which engine answers."""

    async def running(self) -> tuple[str, ...]:
        """Return the ids of running containers."""

    async def stopped(self) -> tuple[tuple[str, int], ...]:
        """Return name and exit status of the containers that have ended."""

    async def inspect(self, id_: str) -> Container | None:
        """Return a container's facts, or None when it is gone."""

    async def follow(self, deliver: Callable[[Signal], None], *, ping: float) -> None:
        """Deliver events until cancelled."""


class Seen(NamedTuple):
    """What a look found; ``unreadable`` says why it found nothing to go by."""

    container: Container | None = None
    peer: Container | None = None
    unreadable: str = ""


async def look(engine: Docker, id_: str) -> Seen:
    """Look at a container, and at the one whose network it shares.

    Raises EngineUnavailable or EngineDenied.
    """
    try:
        container = await engine.inspect(id_)
        peer = None
        if container is not None and container.peer is not None:
            peer = await engine.inspect(container.peer)
    except ProtocolError as error:
        return Seen(unreadable=str(error))
    return Seen(container, peer)


def owner_of(info: EngineInfo, node: str) -> str:
    """Return the owner mark of an engine's containers; lasting, as the engine's id is."""
    return f"registrar:{info.id or node}"
