"""The component: doors, the instances, and their relays."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Final

from ambassador.frame.address import Address
from ambassador.frame.admin import Answer, Handler
from ambassador.frame.dialing import Dialer
from ambassador.frame.listening import Door
from ambassador.frame.members import Follows
from ambassador.frame.room import room_for
from ambassador.frame.tls import client_context
from ambassador.tcp.pool import Member, Pool
from ambassador.tcp.relay import Inlet
from ambassador.tcp.settings import TcpSettings
from sidecar.runtime.log import get_logger

__all__ = ["TcpAmbassador"]

_log = get_logger("ambassador")
_DRAIN: Final = 5.0


class TcpAmbassador:
    """Serves clients until it is cancelled."""

    name = "ambassador"

    def __init__(self, settings: TcpSettings, source: Follows) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._source = source
        self._doors: list[Door] = []
        self.pool: Pool | None = None

    @property
    def addresses(self) -> list[Address]:
        """Return where it listens."""
        return [door.address for door in self._doors]

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve; raises AddressInUse and ConfigError."""
        context = await asyncio.to_thread(client_context, self._settings.tls)
        dialer = Dialer(context, self._settings.connect_timeout)
        async with asyncio.TaskGroup() as group:
            most = room_for(self._settings.max_clients, each=2)
            settings = dataclasses.replace(self._settings, max_clients=most)
            pool = self.pool = Pool(settings, group, dialer)
            tasks = [
                group.create_task(pool.sweep(), name="sweep"),
                group.create_task(pool.probe(), name="probe"),
                group.create_task(self._source.follow(pool), name="instances"),
            ]
            try:
                for address in self._settings.listen:
                    door = Door(address, lambda: Inlet(pool))
                    await door.open()
                    self._doors.append(door)
                    _log.info("serving", address=str(door.address))
                ready()
                await asyncio.get_running_loop().create_future()
            finally:
                await self._stop(pool, tasks)

    def trouble(self) -> str | None:
        """Say so while there is no instance."""
        if self.pool is None or not self.pool.members:
            return "no instance is known"
        if all(member.is_refusing for member in self.pool.members.values()):
            return "no instance takes connections"
        return None

    def routes(self) -> dict[tuple[str, str], Handler]:
        """Return what the admin address tells."""

        async def live(_: str) -> Answer:
            return Answer(200, {"alive": True})

        async def ready(_: str) -> Answer:
            trouble = self.trouble()
            return Answer(503 if trouble else 200, {"ready": not trouble, "trouble": trouble})

        async def topology(_: str) -> Answer:
            members = self.pool.members.values() if self.pool is not None else ()
            return Answer(200, [_told(one) for one in members])

        async def drain(label: str) -> Answer:
            return self._drain(label, is_drained=True)

        async def undrain(label: str) -> Answer:
            return self._drain(label, is_drained=False)

        return {
            ("POST", "/drain/"): drain,
            ("POST", "/undrain/"): undrain,
            ("GET", "/health/live"): live,
            ("GET", "/health/ready"): ready,
            ("GET", "/topology"): topology,
        }

    def _drain(self, label: str, *, is_drained: bool) -> Answer:
        """Have an instance take nothing new; what it has goes on to its end."""
        members = self.pool.members.values() if self.pool is not None else ()
        for member in members:
            if str(member.address) == label:
                member.is_drained = is_drained
                told = {"node": label, "draining": is_drained, "clients": member.clients}
                return Answer(200, told)
        return Answer(404, {"error": f"there is no instance {label}"})

    async def _stop(self, pool: Pool, tasks: list[asyncio.Task[None]]) -> None:
        """Take no more, let those connected finish for some seconds, end."""
        for door in self._doors:
            door.close()
        pool.stopping = True
        try:
            async with asyncio.timeout(_DRAIN):
                await pool.emptied()
        except TimeoutError:
            _log.warning("connections are ended", count=len(pool.clients))
        finally:
            for inlet in list(pool.clients):
                if inlet.transport is not None:
                    inlet.transport.abort()
            for task in tasks:
                task.cancel()
            for door in self._doors:
                await door.clean()
            self._doors.clear()


def _told(member: Member) -> dict[str, object]:
    return {
        "address": str(member.address),
        "clients": member.clients,
        "draining": member.is_draining or member.is_drained,
        "refusing": member.is_refusing,
    }
