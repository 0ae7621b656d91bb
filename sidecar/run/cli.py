"""``pinnace run FILE``: the first process of a container, its jobs and its duties."""

import argparse
import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sidecar.config.text import text_of
from sidecar.run.job import Event, Running
from sidecar.run.processes import Processes
from sidecar.run.settings import Settings, Watch, read
from sidecar.runtime import log
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.usage import Help
from sidecar.stores.consul.inside import Inside

__all__ = ["main"]

_log = log.get_logger("run")
_FORWARDED: Final = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGQUIT)
_LAST: Final = 5.0


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status. Raises ConfigError."""
    parser = argparse.ArgumentParser(
        prog=f"pinnace {program}", allow_abbrev=False,
        description="Be the first process of a container: start jobs, watch and end them in order.",
        epilog="exit status: 0 all jobs ended well, 1 one did not, 78 bad file",
        formatter_class=Help,
    )  # fmt: skip
    parser.add_argument("file", metavar="FILE", help="the jobs, as TOML or YAML (.yaml)")
    parser.add_argument("--check", action="store_true", help="read the file, and do no more")
    parser.add_argument("--log-format", choices=log.FORMATS, default="text", help="[text]")
    parser.add_argument(
        "--control", default="", metavar="PATH", help="a socket that takes: maintenance on|off"
    )
    options = parser.parse_args(arguments)
    settings = read(text_of(Path(options.file)), options.file)
    if options.check:
        print(f"{len(settings.jobs)} jobs: {', '.join(job.name for job in settings.jobs)}")
        return 0
    log.configure(options.log_format)
    return asyncio.run(_Program(settings, options.control).run())


class _Program:
    """All jobs, and what is between them."""

    def __init__(self, settings: Settings, control: str) -> None:
        self._settings = settings
        self._control = control
        self._catalog = Inside(settings.catalog) if settings.catalog else None
        self._jobs: list[Running] = []
        self._stopping = asyncio.Event()
        self._ending = asyncio.Event()
        self._is_resting = False

    async def run(self) -> int:
        """Run until all jobs are done, or until we are told to stop."""
        clock, loop = SystemClock(), asyncio.get_running_loop()
        processes = Processes(os.environ)
        self._jobs = [Running(job, processes, clock, self._publish) for job in self._settings.jobs]
        by_name = {each.job.name: each for each in self._jobs}
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        for number in _FORWARDED:
            loop.add_signal_handler(number, self._forward, number)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(each.run([by_name[name] for name in each.job.needs]))
                for each in self._jobs
            ]
            entries = [group.create_task(self._registered(each)) for each in self._jobs]
            others = [group.create_task(self._watch(each)) for each in self._settings.watches]
            others.append(group.create_task(self._listen()))
            self._publish(Event("startup"))
            ending = group.create_task(self._stopping.wait())
            while not self._stopping.is_set() and not self._is_over():
                await asyncio.wait([ending, *tasks], timeout=0.2)
            self._ending.set()
            await asyncio.gather(*entries)
            await self._stop()
            for task in (*tasks, *others, ending):
                task.cancel()
        return int(any(each.status for each in self._jobs if not self._stopping.is_set()))

    def _is_over(self) -> bool:
        return all(each.is_done.is_set() or each.is_waiting for each in self._jobs) and any(
            each.is_done.is_set() for each in self._jobs
        )

    def _publish(self, event: Event) -> None:
        _log.info("event", name=event.name, job=event.source)
        for job in self._jobs:
            job.hear(event)

    def _forward(self, number: signal.Signals) -> None:
        """Hand a signal on, or make it an event where a job waits for it."""
        if any(each.job.when and each.job.when.source == number.name for each in self._jobs):
            self._publish(Event(number.name, number.name))
            return
        for each in self._jobs:
            if each.process is not None:
                each.process.send(number)

    async def _stop(self) -> None:
        """End the jobs, each after those that need it, the last one first."""
        self._publish(Event("shutdown"))
        for each in reversed(self._jobs):
            source = each.job.name
            hooks = [one for one in self._jobs if one.job.when and one.job.when.source == source]
            if each.process is not None:
                await each.stop(hooks)
        late = [one.process for one in self._jobs if one.process is not None]
        await asyncio.gather(*(process.wait(_LAST) for process in late))
        for process in late:
            process.send(signal.SIGKILL)

    # The catalogue

    async def _call(self, name: str, job: Running, **more: bool) -> None:
        if self._catalog is None or not job.job.port:
            return
        call: Callable[..., None] = getattr(self._catalog, name)
        entry = job.job.entry(os.uname().nodename)
        try:
            await asyncio.to_thread(call, entry if name == "register" else entry["ID"], **more)
        except OSError as error:
            _log.warning("catalogue not told", job=job.job.name, what=name, reason=error)

    async def _registered(self, job: Running) -> None:
        """Keep a job in the catalogue while it is ready and we are not ending, with its health."""
        if self._catalog is None or not job.job.port:
            return
        is_there = False
        while not self._ending.is_set():
            wanted = job.is_ready.is_set() and not self._is_resting
            if wanted != is_there:
                await self._call("register" if wanted else "deregister", job)
                is_there = wanted
            if wanted:
                await self._call("beat", job, is_well=job.is_healthy is not False)
            pause = job.job.health.interval if job.job.health is not None else 5.0
            with suppress(TimeoutError):
                async with asyncio.timeout(pause if wanted else 0.2):
                    await self._ending.wait()
        if is_there:
            await self._call("deregister", job)

    async def _watch(self, watch: Watch) -> None:
        """Publish changes of a service."""
        seen = None
        while self._catalog is not None:
            with suppress(OSError, ValueError, LookupError):
                found = await asyncio.to_thread(self._catalog.instances, watch.name)
                if seen is not None and found != seen:
                    self._publish(Event("changed", watch.name))
                    self._publish(Event("healthy" if found else "unhealthy", watch.name))
                seen = found
            await asyncio.sleep(watch.interval)

    # Maintenance

    async def _listen(self) -> None:
        if not self._control:
            return
        await asyncio.to_thread(Path(self._control).unlink, missing_ok=True)
        server = await asyncio.start_unix_server(self._told, self._control)
        async with server:
            await server.serve_forever()

    async def _told(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        words = (await reader.readline()).decode("utf-8", "replace").split()
        if words[:1] == ["maintenance"] and words[1:] in (["on"], ["off"]):
            self._is_resting = words[1] == "on"
            self._publish(Event("enterMaintenance" if self._is_resting else "exitMaintenance"))
        writer.write(b"ok\n" if words[:1] == ["maintenance"] else b"what?\n")
        writer.close()
