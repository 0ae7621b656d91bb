"""What the supervisor runs."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["Component", "Health", "Phase", "Reloadable", "Reporting"]


class Component(Protocol):
    """One long-running part: runs until cancelled and says once when it serves."""

    name: str

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve; call ``ready`` when serving; return only by cancellation.

        Anything raised makes the supervisor start the part again, with backoff.
        """


@runtime_checkable
class Reloadable(Protocol):
    """Optional: takes new settings without a restart."""

    async def reload(self, settings: object) -> None:
        """Take all of the new settings or none (raise, and keep the old)."""


@runtime_checkable
class Reporting(Protocol):
    """Optional: says more about its health than that it runs."""

    def trouble(self) -> str | None:
        """Return what is wrong in one line (not ready), or None."""


class Phase(enum.StrEnum):
    """Where a part is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of one part: its phase, restarts, and what is wrong, if anything."""

    phase: Phase
    restarts: int
    trouble: str | None

    @property
    def ready(self) -> bool:
        """Say whether the part serves and has nothing to complain of."""
        return self.phase is Phase.READY and self.trouble is None
