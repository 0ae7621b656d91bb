"""Keeps a HAProxy that somebody else started equal to the newest routes.

What it runs when it is found is not known: another pinnace may have written its file. Through a
master's socket it is reloaded then, which loses nothing. With a worker's socket alone its slots
are taken as they are, and what needs a reload stands in the file from then on.
"""

import asyncio
from pathlib import Path
from typing import Final

from sidecar.errors import ReloadFailed
from sidecar.runtime.clock import Clock
from templater.driver import Report
from templater.haproxy import slots
from templater.haproxy.adopt import adopted, runs
from templater.haproxy.answers import columns
from templater.haproxy.attached import Attached
from templater.haproxy.directory import Directory
from templater.haproxy.driver import Bind, Driver
from templater.haproxy.life import HaproxyLife
from templater.haproxy.model import NOTHING, Model
from templater.haproxy.render import Files
from templater.proxy import ProxyUnavailable

__all__ = ["JoiningDriver"]

_AUDIT: Final = 5.0  # somebody else may do anything to it


class JoiningDriver(Driver):
    """A `templater.proxy.Proxy` by a HAProxy that is not ours."""

    audit = _AUDIT

    def __init__(
        self, program: str, directory: Directory, bind: Bind, socket: Path, *,
        drain: float, clock: Clock, report: Report,
    ) -> None:  # fmt: skip
        """Attach to the HAProxy behind ``socket``; the rest as for one of our own."""
        super().__init__(program, directory, bind, drain=drain, clock=clock, report=report)
        self._socket = socket
        self._takes_reloads = True

    def _made(self) -> HaproxyLife:
        return Attached(self._program, self._directory, self._socket, self._suspect)

    async def _begin(self, life: HaproxyLife, group: asyncio.TaskGroup) -> str:
        try:
            await life.start()
        except ProxyUnavailable:
            # There must be a file before anybody can start HAProxy with it.
            self._live = NOTHING
            model = slots.grown(NOTHING, self._grantable())
            await asyncio.to_thread(self._directory.write, self._renderer.files(model))
            raise
        await life.serving()
        self._takes_reloads = life.master is not None
        self._live = adopted(self._routes, *await _structure(life))
        model = slots.grown(self._live, self._grantable())
        if self._takes_reloads:
            await self._apply_reload(life, model, "attached")
        else:
            self._live = slots.fitted(self._live, self._routes)
            await self._write_checked(life, model)
            await self._settle(life, None)
            if slots.why_reload(self._live, self._grantable()) is not None:
                self._wake.set()
        group.create_task(life.until_ended(), name="lb-follow")
        return "attached"

    async def _apply_structure(
        self, life: HaproxyLife, model: Model, why: str, began: float
    ) -> None:
        if self._takes_reloads:
            await super()._apply_structure(life, model, why, began)
        elif runs(model, *await _structure(life)):
            self._live = model  # somebody reloaded what was written for that
            await self._settle(life, None)
            self._done("reload", f"by somebody else: {why}", began)
        else:
            try:
                await self._write_checked(life, model)
            except ReloadFailed as error:
                raise self._blaming(error, model) from error
            await life.reload(why)

    def _files(self, model: Model) -> Files:
        if not self._takes_reloads:
            model = slots.grown(model, self._grantable())
        return super()._files(model)


async def _structure(life: HaproxyLife) -> tuple[list[tuple[str, str]], list[str]]:
    frontends = columns(await life.runtime.ask("show stat -1 1 -1"), "pxname")
    return list(await life.runtime.servers()), [name for (name,) in frontends]
