"""What becomes of the entries when the registrar ends in good order (``on_exit``)."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Literal

from registrar.upkeep import Upkeep
from sidecar.catalog.model import Instance
from sidecar.errors import PermanentError, TransientError
from sidecar.runtime.log import get_logger

__all__ = ["OnExit", "leave"]

OnExit = Literal["keep", "deregister", "maintenance"]
_LIMIT: Final = 5.0  # seconds; a store that is away keeps nobody from ending
_log = get_logger("registrar")


async def leave(upkeeps: Iterable[Upkeep], on_exit: OnExit) -> None:
    """Write to every store once what is to stand there afterwards."""
    if on_exit == "keep":
        return
    async with asyncio.TaskGroup() as group:
        for upkeep in upkeeps:
            group.create_task(_leave(upkeep, on_exit), name="registrar leave")


async def _leave(upkeep: Upkeep, on_exit: OnExit) -> None:
    def wish(instance: Instance) -> Instance | None:
        return replace(instance, draining=True) if on_exit == "maintenance" else None

    try:
        async with asyncio.timeout(_LIMIT):
            await upkeep.write_now(wish)
    except (TimeoutError, TransientError, PermanentError) as error:
        _log.error("entries stay as they are", store=upkeep.edge.url, reason=error)
