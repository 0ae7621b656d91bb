"""The agent of a node as a component: renews the lease, and ends what is fenced when it cannot."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from sidecar.errors import PinnaceError, StoreDenied, StoreUnavailable
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.scheduler.agent.halting import Halter
from sidecar.scheduler.agent.lease import NodeLease, Superseded

__all__ = ["Agent"]

_log = get_logger("agent")
_RENEWALS: Final = 5
_LOOK: Final = 1.0
_AGAIN: Final = 0.2
_FAREWELL: Final = 2.0


class Agent:
    """Runs on each node whose services are ``fencing: self``."""

    name = "agent"

    def __init__(self, lease: NodeLease, halter: Halter, *, clock: Clock) -> None:
        """``clock`` goes on while the machine sleeps."""
        self._lease = lease
        self._halter = halter
        self._clock = clock
        self._trouble: str | None = None
        self._is_out = False

    def trouble(self) -> str | None:
        """Return why the lease is not held, or None."""
        return self._trouble

    async def run(self, ready: Callable[[], None]) -> None:
        """Hold the lease until cancelled, or until another agent of this host does."""
        try:
            # What ran before we began was under a lease whose end nobody knows.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._lease.tenure.margin):
                    await self._renew()
            ready()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renewing(), name="lease of the node")
                group.create_task(self._looking(), name="look at containers")
                group.create_task(self._ending(), name="end of the lease")
        except* Superseded as error:
            _log.warning("ends", reason=error.exceptions[0])
            await asyncio.Event().wait()
        finally:
            with suppress(PinnaceError, TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    await self._lease.give_up()

    async def _renewing(self) -> None:
        while True:
            await self._clock.sleep(self._lease.tenure.ttl / _RENEWALS)
            await self._renew()

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(self._lease.tenure.ttl / 2):
                await self._lease.renew()
        except (StoreUnavailable, StoreDenied) as error:
            self._tell(str(error))
        except TimeoutError:
            self._tell("the store does not answer")
        else:
            self._tell(self._lease.trouble)

    def _tell(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble is not None:
                _log.warning("lease not renewed", reason=trouble)

    async def _looking(self) -> None:
        while True:
            with suppress(PinnaceError):
                await self._halter.look()
            await self._clock.sleep(_LOOK)

    async def _ending(self) -> None:
        """End what runs whenever there is no lease, and go on looking: an engine may restart it."""
        while True:
            left = self._lease.tenure.until() - self._clock.monotonic()
            if left > 0:
                if self._is_out:
                    _log.info("the lease is held again")
                self._is_out = False
                await self._clock.sleep(left)
                continue
            if not self._is_out:
                _log.error("the lease ended: what is fenced by it is stopped")
            self._is_out = True
            await self._halter.halt()
            await self._clock.sleep(_AGAIN)
