"""A real HAProxy that somebody else starts, by its master's socket and by a worker's alone."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.config.load import load
from sidecar.errors import ConfigError
from tests.integration.templater.harness import (
    Bench,
    backends,
    eventually_served,
    free_port,
    instance,
    steady,
    until,
)

pytestmark = pytest.mark.haproxy


class Foreign:
    """A HAProxy started with the file in a directory."""

    def __init__(self, folder: Path, *, has_master: bool) -> None:
        self._folder = folder
        self.socket = folder / ("foreign.sock" if has_master else "admin.sock")
        self._words = ["-S", f"unix@{self.socket},mode,600"] if has_master else []
        self.process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self, file: Path | None = None) -> None:
        program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") or ""
        self.process = await asyncio.create_subprocess_exec(
            program, "-W", *self._words, "-f", str(file or self._folder / "haproxy.cfg"),
            cwd=self._folder, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


@contextlib.asynccontextmanager
async def attached(tmp_path: Path, *, has_master: bool) -> AsyncIterator[tuple[Bench, Foreign]]:
    """Yield a load balancer that waits for a HAProxy, and that one, not started."""
    folder = tmp_path / "lb"
    foreign = Foreign(folder, has_master=has_master)
    bench = Bench(tmp_path, dir=str(folder), attach=str(foreign.socket))
    try:
        async with asyncio.TaskGroup() as group:
            bench.catalog.mark_synced()
            bench.task = group.create_task(bench.lb.run(lambda: None))
            try:
                await until(lambda: "it is to run the file" in str(bench.lb.trouble()))
                yield bench, foreign
            finally:
                bench.task.cancel()
    finally:
        await foreign.kill()


async def ready(bench: Bench) -> None:
    await until(lambda: bench.lb.trouble() is None)


async def test_by_the_masters_socket_all_is_done_but_starting_and_ending(tmp_path: Path) -> None:
    async with backends(3) as ports, attached(tmp_path, has_master=True) as (bench, foreign):
        bench.put(instance("a", ports[0]))
        await foreign.start()
        await ready(bench)
        await bench.answers("web.localhost", 200)
        listen = free_port()
        with steady(bench.port) as traffic:
            bench.put(instance("b", ports[1]))
            await bench.applied("runtime")
            meta = {"pinnace-tcp-listen": str(listen)}
            bench.put(instance("x", ports[2], "other", meta=meta))
            await bench.answers("other.localhost", 200)
        assert traffic.failures == []
        await eventually_served(bench, 4, {str(ports[0]): 2, str(ports[1]): 2})
        assert (await bench.get("other.localhost", port=listen))[0] == 200
        report = await bench.lb.report()
        assert report["attached"] == str(foreign.socket)
        bench.stop()
        await until(lambda: bench.task is not None and bench.task.done())
        await eventually_served(bench, 4, {str(ports[0]): 2, str(ports[1]): 2})
        assert foreign.process is not None
        assert foreign.process.returncode is None


async def test_started_again_by_somebody_else_it_is_found_and_changes_meanwhile_are_made(
    tmp_path: Path,
) -> None:
    async with backends(2) as ports, attached(tmp_path, has_master=True) as (bench, foreign):
        bench.put(instance("a", ports[0]))
        await foreign.start()
        await ready(bench)
        await foreign.kill()
        await until(lambda: "no haproxy answers" in str(bench.lb.trouble()))
        bench.drop("a")
        bench.put(instance("b", ports[1]))
        await foreign.start()
        await ready(bench)
        await bench.answers("web.localhost", 200)
        await eventually_served(bench, 3, {str(ports[1]): 3})


async def test_by_a_workers_socket_a_reload_is_owed_until_somebody_does_it(tmp_path: Path) -> None:
    async with backends(2) as ports, attached(tmp_path, has_master=False) as (bench, foreign):
        bench.put(instance("a", ports[0]))
        await until(lambda: "web.localhost" in (bench.dir / "hosts.map").read_text())
        await foreign.start()
        await ready(bench)
        await bench.answers("web.localhost", 200)
        bench.put(instance("b", ports[1]))
        await bench.applied("runtime")
        await eventually_served(bench, 4, {str(ports[0]): 2, str(ports[1]): 2})
        bench.put(instance("x", ports[1], "other"))
        await until(lambda: "reloaded by whoever started it" in str(bench.lb.trouble()))
        assert "new upstream http.other" in str(bench.lb.trouble())
        bench.drop("a")  # what needs no reload is made live all the same
        await until(lambda: bench.live() == 1)
        await eventually_served(bench, 3, {str(ports[1]): 3})
        os.kill(foreign.pid, signal.SIGUSR2)
        await ready(bench)
        await bench.answers("other.localhost", 200)
        await eventually_served(bench, 3, {str(ports[1]): 3})


async def test_what_serves_is_left_alone_until_the_catalogue_is_whole(tmp_path: Path) -> None:
    async with backends(2) as ports, attached(tmp_path, has_master=True) as (bench, foreign):
        bench.put(instance("a", ports[0]))
        await foreign.start()
        await ready(bench)
        await bench.answers("web.localhost", 200)
        bench.stop()
        await until(lambda: bench.task is not None and bench.task.done())
        with steady(bench.port) as traffic:
            again = Bench(tmp_path, dir=str(bench.dir), attach=str(foreign.socket), port=bench.port)
            async with asyncio.TaskGroup() as group:
                again.task = group.create_task(again.lb.run(lambda: None))
                await until(lambda: "waiting for the whole" in str(again.lb.trouble()))
                again.put(instance("b", ports[1]), instance("x", ports[1], "other"))
                await asyncio.sleep(0.3)
                await eventually_served(bench, 3, {str(ports[0]): 3})
                again.catalog.mark_synced()
                await again.answers("other.localhost", 200)
                await eventually_served(bench, 3, {str(ports[1]): 3})
                again.task.cancel()
        assert traffic.failures == []


async def test_a_haproxy_of_another_file_is_left_alone(tmp_path: Path) -> None:
    async with attached(tmp_path, has_master=False) as (bench, foreign):
        other = tmp_path / "other.cfg"
        other.write_text(
            f"global\n stats socket unix@{foreign.socket} level admin\n"
            f"defaults\n timeout client 1s\nfrontend f\n bind 127.0.0.1:{free_port()}\n"
        )
        await foreign.start(other)
        await until(lambda: "runs another file than" in str(bench.lb.trouble()))
        assert foreign.process is not None
        assert foreign.process.returncode is None


def test_attaching_needs_a_directory_that_is_known() -> None:
    with pytest.raises(ConfigError) as raised:
        load({}, {"PINNACE_LB__ATTACH": "/run/haproxy.sock"}, None)
    assert list(raised.value.problems) == [
        "lb: attach needs dir: whoever starts haproxy must know the file"
    ]
