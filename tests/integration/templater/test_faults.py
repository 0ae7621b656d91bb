"""What a real HAProxy must survive, and what is said when it cannot."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.errors import AddressInUse, PermanentError
from sidecar.metrics import REGISTRY
from templater.haproxy.directory import Directory
from templater.haproxy.model import Backend
from templater.haproxy.render import Renderer
from tests.integration.templater.harness import (
    HERE,
    Bench,
    backends,
    client,
    instance,
    running,
    until,
)
from tests.support.load import Load
from tests.support.pace import allowed

pytestmark = pytest.mark.haproxy


@contextlib.contextmanager
def stand_in(tmp_path: Path, script: str) -> Iterator[str]:
    """Yield a program that does ``script``, then is the real HAProxy."""
    real = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    path = tmp_path / "haproxy"
    path.write_text(f'#!/bin/sh\n{script}\nexec {real} "$@"\n')
    path.chmod(0o755)
    yield str(path)


async def test_keep_alive_clients_lose_nothing_while_slots_grow(tmp_path: Path) -> None:
    async with backends(6) as ports, running(Bench(tmp_path)) as bench:
        bench.put(instance("i0", ports[0]))
        await bench.answers("web.localhost", 200)
        before = await bench.reloads()
        with load(bench.port, clients=8) as traffic:
            for n in range(1, 17):  # 4 slots become 8, then 16, then 32
                bench.put(instance(f"i{n}", ports[n % 6]))
                await until(lambda members=n + 1: bench.live() == members)  # type: ignore[misc]
                await asyncio.sleep(0.05)
            bench.put(instance("n", ports[0], "new"))
            await bench.answers("new.localhost", 200)
            await asyncio.sleep(0.1)
        assert traffic.failures == []
        assert traffic.total > 100
        assert await bench.reloads() - before == 4


@contextlib.contextmanager
def load(port: int, clients: int) -> Iterator[Load]:
    """Run the load without holding the loop while its threads end."""
    traffic = Load(port, "web.localhost", clients=clients, pause=0.002)
    traffic.__enter__()
    try:
        yield traffic
    finally:
        traffic._stop.set()
        for thread in traffic._threads:
            thread.join(15)


async def test_replacing_endpoints_under_load_loses_nothing(tmp_path: Path) -> None:
    async with backends(6) as ports, running(Bench(tmp_path)) as bench:
        bench.put(*(instance(f"i{n}", ports[n]) for n in range(4)))
        await bench.answers("web.localhost", 200)
        with load(bench.port, clients=8) as traffic:
            for n in range(4, 24):
                old = instance(f"i{n - 4}", ports[(n - 4) % 6], draining=True)
                bench.put(instance(f"i{n}", ports[n % 6]), old)
                await asyncio.sleep(0.05)
                bench.drop(old.id)
                await asyncio.sleep(0.02)
        assert traffic.failures == []
        assert traffic.total > 100


@pytest.mark.parametrize("which", ["master", "worker"])
async def test_killed_haproxy_serves_again_within_two_seconds(tmp_path: Path, which: str) -> None:
    async with backends(2) as ports, running(Bench(tmp_path)) as bench:
        bench.put(instance("a", ports[0]))
        await bench.answers("web.localhost", 200)
        bench.put(instance("b", ports[1], weight=3))
        await bench.applied("runtime")
        master, worker = await bench.pids()
        os.kill(master if which == "master" else worker, signal.SIGKILL)
        began = time.monotonic()
        await until(lambda: bench.last["kind"] == "start")
        assert time.monotonic() - began < allowed(2)
        assert await bench.served(40) == {str(ports[0]): 10, str(ports[1]): 30}
        assert {master, worker}.isdisjoint(await bench.pids())
        assert bench.lb.trouble() is None


async def test_frozen_haproxy_is_replaced(tmp_path: Path) -> None:
    async with backends(2) as ports, running(Bench(tmp_path)) as bench:
        bench.put(instance("a", ports[0]))
        await bench.applied("reload")
        for pid in await bench.pids():
            os.kill(pid, signal.SIGSTOP)
        bench.put(instance("b", ports[1]))
        async with asyncio.timeout(8):
            await until(lambda: bench.last["kind"] == "start", 8)
        assert set(await bench.served(10)) == {str(port) for port in ports}


async def test_what_was_changed_by_hand_is_repaired(tmp_path: Path) -> None:
    async with backends(2) as ports, running(Bench(tmp_path)) as bench:
        bench.put(instance("a", ports[0]), instance("b", ports[1]))
        await bench.answers("web.localhost", 200)
        await bench.ask("set server http.web/s1 state maint")
        await bench.ask("set server http.web/s2 weight 100")
        await bench.ask("set map hosts.map web.localhost http.nope")
        await bench.ask("add map hosts.map hand.localhost http.web")
        assert await bench.get() == (404, "")
        bench.put(instance("a", ports[0], weight=2))
        await bench.applied("runtime")
        bench.put(instance("x", ports[0], "other"))  # a reload compares everything
        await bench.answers("other.localhost", 200)
        await bench.answers("web.localhost", 200)
        assert await bench.served(30) == {str(ports[0]): 20, str(ports[1]): 10}
        assert await bench.get("hand.localhost") == (404, "")


async def test_refused_file_leaves_the_old_one_serving(tmp_path: Path) -> None:
    refuse = tmp_path / "refuse"
    script = f'[ "$1" = -c ] && [ -e {refuse} ] && echo "[ALERT] (1) : no luck" >&2 && exit 1'
    with stand_in(tmp_path, script) as program:
        async with backends(1) as (web,), running(Bench(tmp_path, program=program)) as bench:
            bench.put(instance("a", web))
            await bench.answers("web.localhost", 200)
            config = (bench.dir / "haproxy.cfg").read_text()
            before = failures()
            refuse.touch()
            bench.put(instance("b", web, "other"))
            await until(lambda: failures() > before)
            assert await bench.get() == (200, str(web))
            assert await bench.get("other.localhost") == (404, "")
            assert (bench.dir / "haproxy.cfg").read_text() == config
            assert "no luck" in str(bench.lb.trouble())
            refuse.unlink()
            await bench.answers("other.localhost", 200)
            await until(lambda: bench.lb.trouble() is None)


def failures() -> float:
    return REGISTRY.get_sample_value("pinnace_templater_reload_failures_total") or 0.0


async def test_failed_reload_keeps_the_old_worker_and_is_tried_again(tmp_path: Path) -> None:
    spoil = tmp_path / "spoil"
    # The check passes, then the file is spoiled before the master reads it.
    script = f'[ "$1" = -c ] && [ -e {spoil} ] && exit 0'
    with stand_in(tmp_path, script) as program:
        async with backends(1) as (web,), running(Bench(tmp_path, program=program)) as bench:
            bench.put(instance("a", web))
            await bench.answers("web.localhost", 200)
            config = bench.dir / "haproxy.cfg"
            before, text = failures(), config.read_text()
            spoil.touch()
            with spoiled_backends():
                bench.put(instance("b", web, "other"))
                await until(lambda: failures() > before)
            assert await bench.get() == (200, str(web))
            assert config.read_text() == text
            assert "unknown keyword" in str(bench.lb.trouble())
            await bench.answers("other.localhost", 200)
            await until(lambda: bench.lb.trouble() is None)


@contextlib.contextmanager
def spoiled_backends() -> Iterator[None]:
    """Make every newly rendered backend section end in nonsense."""
    real = Renderer._section

    def section(self: Renderer, backend: Backend) -> str:
        text = real(self, backend)
        return text if backend.upstream.service == "web" else text + "nonsense\n"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Renderer, "_section", section)
        yield


async def test_unsynced_source_does_not_empty_the_proxy(tmp_path: Path) -> None:
    async with backends(1) as (web,), running(Bench(tmp_path)) as bench:
        bench.put(*(instance(f"i{n}", web) for n in range(6)))
        await bench.answers("web.localhost", 200)
        bench.drop(*(f"i{n}" for n in range(6)))
        await asyncio.sleep(0.2)
        assert await bench.get() == (200, str(web))
        bench.catalog.mark_synced()
        await bench.answers("web.localhost", 404)


async def test_missing_program_says_what_to_do(tmp_path: Path) -> None:
    bench = Bench(tmp_path, program="/nowhere/haproxy")
    with pytest.raises(PermanentError, match=r"install it .* --lb none"):
        await bench.lb.run(lambda: None)


async def test_taken_port_names_the_option(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    taken = pytest.raises(AddressInUse, match=f"{bench.port}.*--lb-listen")
    with socket.create_server(("127.0.0.1", bench.port)), taken:
        await bench.lb.run(lambda: None)
    assert not bench.dir.exists()


async def test_directory_of_a_running_one_is_not_taken_over(tmp_path: Path) -> None:
    async with running(Bench(tmp_path)) as first:
        second = Bench(tmp_path)
        with pytest.raises(AddressInUse, match="in use by another pinnace"):
            await second.lb.run(lambda: None)
        assert await first.get() == (404, "")


async def test_cancel_lets_requests_finish_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with backends(1) as (web,):
        async with contextlib.AsyncExitStack() as stack:
            bench = await stack.enter_async_context(running(Bench(tmp_path, drain=8.0)))
            bench.put(instance("a", web))
            await bench.answers("web.localhost", 200)
            pids = await bench.pids()
            ask = await stack.enter_async_context(client(bench.port))
            async with asyncio.TaskGroup() as group:
                task = group.create_task(ask("web.localhost", "/?500"))
                await asyncio.sleep(0.1)
                began = time.monotonic()
                bench.stop()
            assert task.result() == (200, str(web))
        assert time.monotonic() - began < allowed(3)
        assert not any(alive(pid) for pid in pids)
        assert not bench.dir.exists()


async def test_second_cancel_ends_haproxy_at_once(tmp_path: Path) -> None:
    async with backends(1) as (web,):
        async with contextlib.AsyncExitStack() as stack:
            bench = await stack.enter_async_context(running(Bench(tmp_path, drain=30.0)))
            bench.put(instance("a", web))
            await bench.answers("web.localhost", 200)
            pids = await bench.pids()
            ask = await stack.enter_async_context(client(bench.port))
            began = time.monotonic()
            bench.stop(after=0.1)
            bench.stop(after=0.3)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await ask("web.localhost", "/hold")
        assert 0.3 < time.monotonic() - began < allowed(3)
        assert not any(alive(pid) for pid in pids)


async def test_endless_requests_do_not_hold_the_stop_for_ever(tmp_path: Path) -> None:
    async with backends(1) as (web,):
        async with contextlib.AsyncExitStack() as stack:
            bench = await stack.enter_async_context(running(Bench(tmp_path, drain=0.3)))
            bench.put(instance("a", web))
            await bench.answers("web.localhost", 200)
            ask = await stack.enter_async_context(client(bench.port))
            began = time.monotonic()
            bench.stop(after=0.1)
            with pytest.raises(asyncio.IncompleteReadError):
                await ask("web.localhost", "/hold")
        assert 0.3 < time.monotonic() - began < allowed(3)


@pytest.mark.parametrize("place", ["given", "private"])
async def test_no_haproxy_outlives_a_killed_parent(tmp_path: Path, place: str) -> None:
    given = str(tmp_path / "lb") if place == "given" else ""
    bench = Bench(tmp_path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "parent.py"), str(bench.port), given,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert process.stdout is not None
    directory = Directory(Path((await process.stdout.readline()).decode().strip()))
    pids = await asyncio.to_thread(directory.processes)
    assert len(pids) >= 2
    process.kill()
    await process.communicate()
    await until(lambda: not any(alive(pid) for pid in pids))


async def test_haproxy_left_by_an_earlier_run_is_ended(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.dir.mkdir()
    (bench.dir / "haproxy.cfg.tmp").write_text("half")
    config = bench.dir / "haproxy.cfg"
    config.write_text(
        f"defaults\n mode http\n timeout client 1s\nfrontend f\n bind 127.0.0.1:{bench.port}\n"
    )
    orphan = await asyncio.create_subprocess_exec(
        shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") or "", "-W", "-f", config,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await asyncio.sleep(0.2)
    async with running(bench):
        assert orphan.returncode is not None
        assert await bench.get() == (404, "")
        assert not (bench.dir / "haproxy.cfg.tmp").exists()
    await orphan.wait()


def alive(pid: int) -> bool:
    """Say whether a process runs (one that only waits to be reaped does not)."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
