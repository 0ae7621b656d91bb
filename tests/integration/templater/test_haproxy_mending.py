"""What others do to a real HAProxy, its sockets and its files is made good, without a loss."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.metrics import REGISTRY
from templater import component
from templater.haproxy.driver import Driver
from templater.haproxy.master import Master
from templater.proxy import ProxyUnavailable
from tests.integration.templater.harness import (
    Bench,
    backends,
    eventually_served,
    fill,
    instance,
    running,
    steady,
    until,
)
from tests.support.faults import mounted
from tests.support.pace import allowed

pytestmark = pytest.mark.haproxy


@contextlib.asynccontextmanager
async def serving(
    tmp_path: Path, count: int = 2, **settings: object
) -> AsyncIterator[tuple[Bench, list[int]]]:
    """Run with the service web, whose instances are i0, i1, ..., already served."""
    async with backends(count) as ports, running(Bench(tmp_path, **settings)) as bench:
        bench.put(*(instance(f"i{n}", port) for n, port in enumerate(ports)))
        await bench.answers("web.localhost", 200)
        await until(lambda: bench.lb.trouble() is None)
        yield bench, ports


def sample(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


def repairs() -> float:
    return sample("pinnace_templater_repairs_total")


def failures() -> float:
    return sample("pinnace_templater_reload_failures_total")


async def applied_again(bench: Bench, kind: str) -> None:
    before = bench.lb.status()["last"]
    assert isinstance(before, dict)
    await until(lambda: bench.last["kind"] == kind and bench.last["ago"] < before["ago"])


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare often."""
    monkeypatch.setattr(Driver, "audit", 0.2)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("names", [["admin.sock"], ["master.sock"], ["admin.sock", "master.sock"]])
async def test_a_deleted_socket_costs_no_request_and_no_restart(
    tmp_path: Path, names: list[str]
) -> None:
    async with serving(tmp_path) as (bench, ports):
        master, _ = await bench.pids()
        with steady(bench.port) as traffic:
            for name in names:
                (bench.dir / name).unlink()
            if "master.sock" in names:
                await until((bench.dir / "master.sock").exists)
            bench.drop("i0")
            await until(lambda: bench.live() == 1)
            await eventually_served(bench, 6, {str(ports[1]): 6})
            bench.put(instance("x", ports[0], "other"))
            await bench.answers("other.localhost", 200)
        assert traffic.failures == []
        assert (await bench.pids())[0] == master
        assert bench.lb.trouble() is None


async def test_a_reload_by_hand_after_changes_at_run_time_is_compared_at_once(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as (bench, ports):
        bench.put(instance("i0", ports[0], weight=3))
        await bench.applied("runtime")
        master, worker = await bench.pids()
        # The file is put back to an older state before the reload, as an editor's undo does.
        config = bench.dir / "haproxy.cfg"
        text = config.read_text()
        config.write_text(text.replace("weight 3", "weight 200"))
        os.kill(master, signal.SIGUSR2)
        async with asyncio.timeout(allowed(10)):
            while (await bench.pids())[1] == worker:
                await asyncio.sleep(0.01)
        await until(lambda: config.read_text() == text)
        await eventually_served(bench, 8, {str(ports[0]): 6, str(ports[1]): 2})
        assert (await bench.pids())[0] == master


async def test_a_reload_whose_end_is_not_seen_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Master.reload

    async def unseen(self: Master, *words: Any, **options: Any) -> None:
        await real(self, *words, **options)
        monkeypatch.setattr(Master, "reload", real)
        raise ProxyUnavailable("the socket was deleted in that moment")

    async with serving(tmp_path) as (bench, ports):
        with steady(bench.port) as traffic:
            monkeypatch.setattr(Master, "reload", unseen)
            before, known = repairs(), await bench.reloads()
            bench.put(instance("x", ports[0], "other"))
            await bench.answers("other.localhost", 200)
            for _ in range(60):  # it is compared within this second
                assert (await bench.get("other.localhost"))[0] == 200
                await asyncio.sleep(0.02)
            assert Master.reload is real
        assert traffic.failures == []
        assert (repairs(), await bench.reloads()) == (before, known + 1)


async def test_changes_survive_reloads_by_hand_in_quick_succession(tmp_path: Path) -> None:
    async with serving(tmp_path) as (bench, ports):
        master, _ = await bench.pids()
        with steady(bench.port) as traffic:
            for n in range(12):
                os.kill(master, signal.SIGUSR2)
                bench.put(instance("x", ports[n % 2], weight=n + 1))
                await asyncio.sleep(0.1)
            bench.drop("i0", "i1")
            await until(lambda: bench.live() == 1)
            await eventually_served(bench, 6, {str(ports[1]): 6})
        assert traffic.failures == []
        assert (await bench.pids())[0] == master
        await until(lambda: bench.lb.trouble() is None)


async def test_a_haproxy_that_somebody_else_started_in_its_place_is_replaced(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as (bench, ports):
        bench.drop("i0")
        await until(lambda: bench.live() == 1)
        master, worker = await bench.pids()
        program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") or ""
        os.kill(master, signal.SIGSTOP)  # so that ours is not there first
        os.kill(worker, signal.SIGKILL)
        other = await asyncio.create_subprocess_exec(
            program, "-W", "-f", str(bench.dir / "haproxy.cfg"),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        os.kill(master, signal.SIGKILL)
        await applied_again(bench, "start")
        assert await asyncio.wait_for(other.wait(), 10) != 0
        await eventually_served(bench, 6, {str(ports[1]): 6})


async def test_a_full_disk_keeps_no_endpoint_that_has_gone(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=64k", "tmpfs") as folder:
        async with serving(tmp_path, dir=str(folder)) as (bench, ports):
            bench.dir = folder
            before, filler = failures(), folder / "filler"
            await asyncio.to_thread(fill, filler)
            bench.drop("i0")
            await until(lambda: bench.live() == 1)
            await eventually_served(bench, 6, {str(ports[1]): 6})
            await until(lambda: failures() > before)
            assert "No space left on device" in str(bench.lb.trouble())
            bench.put(instance("i2", ports[0], weight=3))  # and what comes while it is owed
            await eventually_served(bench, 4, {str(ports[0]): 3, str(ports[1]): 1})
            bench.drop("i2")
            await eventually_served(bench, 4, {str(ports[1]): 4})
            assert f":{ports[0]} weight 1\n" in (folder / "haproxy.cfg").read_text()
            filler.unlink()
            await until(lambda: bench.lb.trouble() is None)
            assert f":{ports[0]} weight 1\n" not in (folder / "haproxy.cfg").read_text()


async def test_a_catalogue_emptied_at_once_is_looked_at_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(component, "_LOOK", 0.4)
    async with serving(tmp_path, 5) as (bench, ports):
        bench.catalog.mark_synced()
        every = [instance(f"i{n}", port) for n, port in enumerate(ports)]
        before = sample("pinnace_templater_guarded_total")
        bench.drop(*(one.id for one in every))
        await until(lambda: sample("pinnace_templater_guarded_total") > before)
        bench.put(*every)  # a store that was empty for a moment
        await asyncio.sleep(0.6)
        assert (await bench.get())[0] == 200
        assert bench.live() == 5
        bench.drop(*(one.id for one in every))
        await bench.answers("web.localhost", 404)


async def test_a_refused_file_names_service_and_label(tmp_path: Path) -> None:
    path, refuse = tmp_path / "haproxy", tmp_path / "refuse"
    real = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = -c ] && [ -e {refuse} ]; then '
        "line=$(grep -n 'balance source' \"$3\" | cut -d: -f1); "
        'echo "[ALERT]    (1) : config : parsing [$3:$line] : no luck." >&2; exit 1; fi\n'
        f'exec {real} "$@"\n'
    )
    path.chmod(0o755)
    async with serving(tmp_path, program=str(path)) as (bench, ports):
        before = failures()
        refuse.touch()
        meta = {"pinnace-http-balance": "source"}
        bench.put(instance("b", ports[0], "other", meta=meta))
        await until(lambda: failures() > before)
        trouble = str(bench.lb.trouble())
        assert "parsing haproxy.cfg.new:" in trouble
        assert "(service 'other', pinnace-http-balance)" in trouble
        assert (await bench.get())[0] == 200
        refuse.unlink()
        await bench.answers("other.localhost", 200)
