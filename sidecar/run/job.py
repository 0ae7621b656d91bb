"""One job: waits for its event, runs its program as often as it should, says what happens.

Every job hears the events of all. A job ends when it has run as often as it should; the program
ends when all have but those that wait for an event that will not come.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from sidecar.config.units import endpoint
from sidecar.run.processes import Process, Processes
from sidecar.run.settings import UNLIMITED, Health, Job, Ready, When
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

__all__ = ["Event", "Running"]

_log = get_logger("run")
_LOOK: Final = 0.1
_PAUSE: Final = 1.0  # before a program that ended is started again
_BACKLOG: Final = 1000


class Event(NamedTuple):
    """What happened, and to which job (or watch); none for what concerns all."""

    name: str
    source: str = ""


class Running:
    """A job and what is known of it."""

    def __init__(
        self, job: Job, processes: Processes, clock: Clock, publish: Callable[[Event], None]
    ) -> None:
        """``publish`` tells everybody, this one too."""
        self.job = job
        self.is_ready = asyncio.Event()
        self.is_done = asyncio.Event()
        self.is_healthy: bool | None = None
        self.status = 0
        self.process: Process | None = None
        self._processes = processes
        self._clock = clock
        self._publish = publish
        self._heard: asyncio.Queue[Event] = asyncio.Queue(_BACKLOG)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for an event and does nothing."""
        return self.process is None and not self.is_done.is_set() and self.job.when is not None

    @property
    def is_settled(self) -> bool:
        """Whether it has done what the events so far ask for."""
        return self.is_done.is_set() or (self._heard.empty() and self.process is None)

    def hear(self, event: Event) -> None:
        """Take an event; of very many that nobody took the oldest is forgotten."""
        if self._heard.full():
            self._heard.get_nowait()
        self._heard.put_nowait(event)

    async def run(self, needs: list["Running"]) -> None:
        """Run as often as it should, when everything it needs is ready."""
        when = self.job.when or When(once="startup")
        try:
            runs = 0
            while await self._triggered(when, runs):
                for other in needs:
                    await other.is_ready.wait()
                await self._keep()
                runs += 1
                if not when.each and not when.interval and not when.is_signal:
                    break
                if when.interval and self.job.most != UNLIMITED and runs > self.job.most:
                    break
        finally:
            self.is_done.set()

    async def stop(self, hooks: list["Running"]) -> None:
        """End in order; ``hooks`` wait for that, and have their time before and after it."""
        self._tell("stopping")
        await self._let(hooks, "stopping")
        if self.process is not None:
            number = signal.Signals[self.job.stop_signal]
            await self.process.stop(number, self.job.stop_timeout)
        self.is_ready.clear()
        self._tell("stopped")
        await self._let(hooks, "stopped")

    async def _let(self, hooks: list["Running"], event: str) -> None:
        waiting = [each for each in hooks if each.job.when and each.job.when.event == event]
        with suppress(TimeoutError):
            async with asyncio.timeout(self.job.stop_timeout):
                while not all(each.is_settled for each in waiting):
                    await self._clock.sleep(_LOOK)

    async def _triggered(self, when: When, runs: int) -> bool:
        if when.interval:
            if runs:
                await self._clock.sleep(when.interval)
            return True
        try:
            async with asyncio.timeout(when.timeout or None):
                while True:
                    event = await self._heard.get()
                    is_from = when.is_signal or when.source in {event.source, ""}
                    if event.name == when.event and is_from:
                        return True
        except TimeoutError:
            _log.error("gave up", job=self.job.name, waited_for=f"{when.source} {when.event}")
            self._tell("exitFailed")
            return False

    async def _keep(self) -> None:
        """Run the program, and again as it may be."""
        has_interval = self.job.when is not None and self.job.when.interval
        left = 0 if has_interval else self.job.most
        while True:
            await self._once()
            if not left:
                return
            left = left if left == UNLIMITED else left - 1
            await self._clock.sleep(_PAUSE)

    async def _once(self) -> None:
        job, fd = self.job, self.job.ready.fd if self.job.ready else 0
        reading, writing = os.pipe2(os.O_CLOEXEC) if fd else (-1, -1)
        self.process = process = self._processes.start(job.exec, fd=fd, pipe=writing)
        if fd:
            os.close(writing)
        if process.problem:
            _log.error("not started", job=job.name, reason=process.problem)
        else:
            _log.info("started", job=job.name, pid=process.pid)
        try:
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(self._until_ready(reading), name="ready")]
                if job.health is not None:
                    beside.append(group.create_task(self._watch(job.health), name="health"))
                limit = job.timeout or (job.when.interval if job.when else 0.0)
                status = await process.wait(limit)
                for task in beside:
                    task.cancel()
        finally:
            process.send(signal.SIGKILL)  # also what it left behind
            if fd:
                os.close(reading)
        status = await process.wait() or 0 if status is None else status
        self.process, self.status, self.is_healthy = None, status, None
        self.is_ready.clear()
        _log.info("ended", job=job.name, status=status)
        self._tell("exitSuccess" if status == 0 else "exitFailed")

    async def _until_ready(self, reading: int) -> None:
        if self.job.ready is not None:
            while not await _is_ready(self.job.ready, reading):
                await self._clock.sleep(_LOOK)
        elif self.job.health is not None:
            return  # by its health
        self._is_ready_now()

    def _is_ready_now(self) -> None:
        if not self.is_ready.is_set():
            self.is_ready.set()
            self._tell("ready")

    async def _watch(self, health: Health) -> None:
        """Look at its health, and tell when that changes."""
        while True:
            is_well = await self._is_well(health)
            if is_well is not self.is_healthy:
                self.is_healthy = is_well
                self._tell("healthy" if is_well else "unhealthy")
            if is_well and self.job.ready is None:
                self._is_ready_now()
            await self._clock.sleep(health.interval)

    async def _is_well(self, health: Health) -> bool:
        if health.tcp:
            return await _listens(health.tcp, health.timeout)
        check = self._processes.start(health.exec)
        try:
            return await check.wait(health.timeout) == 0
        finally:
            check.send(signal.SIGKILL)

    def _tell(self, name: str) -> None:
        self._publish(Event(name, self.job.name))


async def _is_ready(ready: Ready, reading: int) -> bool:
    if ready.tcp:
        return await _listens(ready.tcp, 1.0)
    if ready.file:
        return await asyncio.to_thread(Path(ready.file).exists)
    os.set_blocking(reading, False)
    try:
        return b"\n" in os.read(reading, 4096)  # as s6 has it: a line
    except BlockingIOError:
        return False


async def _listens(address: str, timeout: float) -> bool:
    host, port = endpoint(address)
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
