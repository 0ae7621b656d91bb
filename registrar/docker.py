"""What the registrar asks of an engine."""

from collections.abc import Callable
from typing import Protocol

from sidecar.engine.client import EngineInfo
from sidecar.engine.events import Signal
from sidecar.engine.facts import Container

__all__ = ["Docker"]


class Docker(Protocol):
    """What the registrar asks of an engine (sidecar.engine.client.Engine)."""

    async def info(self) -> EngineInfo:
        """Return which engine answers."""

    async def running(self) -> tuple[str, ...]:
        """Return the ids of running containers."""

    async def inspect(self, id_: str) -> Container | None:
        """Return a container's facts, or None when it is gone."""

    async def follow(self, deliver: Callable[[Signal], None], *, ping: float) -> None:
        """Deliver events until cancelled."""
