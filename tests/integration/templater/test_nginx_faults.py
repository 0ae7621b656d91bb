"""What a real nginx must survive, and what is said when it cannot."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sidecar.errors import AddressInUse, PermanentError
from sidecar.metrics import REGISTRY
from templater.nginx import plan
from templater.nginx.directory import NginxDirectory
from templater.nginx.driver import NginxDriver
from templater.nginx.render import Config, Renderer
from templater.nginx.workers import Worker, workers
from templater.routes import Routes
from tests.integration.templater.harness import (
    HERE,
    Bench,
    backends,
    client,
    fill,
    instance,
    running,
    steady,
    until,
)
from tests.support.faults import mounted
from tests.support.pace import allowed

pytestmark = pytest.mark.nginx


@pytest.fixture(autouse=True)
def _reloads_in_quick_succession(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "churn" not in request.node.name:
        monkeypatch.setattr(plan, "_GAP", 0.1)


class NginxBench(Bench):
    """A component that runs nginx, and what the kernel says of that."""

    def __init__(self, tmp_path: Path, **settings: object) -> None:
        super().__init__(tmp_path, kind="nginx", **settings)

    async def processes(self) -> tuple[int, list[int]]:
        """Return the master's process id and those of the workers that serve."""
        text = await asyncio.to_thread((self.dir / "nginx.pid").read_text)
        found = await asyncio.to_thread(workers, int(text))
        return int(text), [worker.pid for worker in found if not worker.is_old]

    @property
    def config(self) -> Path:
        return self.dir / "nginx.conf"


@contextlib.asynccontextmanager
async def serving(
    tmp_path: Path, count: int = 1, **settings: object
) -> AsyncIterator[tuple[NginxBench, list[int]]]:
    """Run with the service web, whose instances are i0, i1, ..., already served."""
    async with backends(count) as ports, running(NginxBench(tmp_path, **settings)) as bench:
        bench.put(*(instance(f"i{n}", port) for n, port in enumerate(ports)))
        await bench.applied("reload")
        yield bench, ports  # type: ignore[misc]


@contextlib.contextmanager
def stand_in(tmp_path: Path, script: str) -> Iterator[str]:
    """Yield a program that does ``script``, then is the real nginx."""
    path = tmp_path / "nginx"
    path.write_text(f'#!/bin/sh\n{script}\nexec /usr/sbin/nginx "$@"\n')
    path.chmod(0o755)
    yield str(path)


def sample(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


def failures() -> float:
    return sample("pinnace_templater_reload_failures_total")


def repairs() -> float:
    return sample("pinnace_templater_repairs_total")


def applied(kind: str) -> float:
    return REGISTRY.get_sample_value("pinnace_templater_applies_total", {"kind": kind}) or 0.0


def alive(pid: int) -> bool:
    """Say whether a process runs (one that only waits to be reaped does not)."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def test_replacing_endpoints_loses_no_request_of_its_own_connection(tmp_path: Path) -> None:
    async with serving(tmp_path, 6) as (bench, ports):
        with steady(bench.port, keep_alive=False) as traffic:
            for n in range(6, 12):
                old = f"i{n - 6}"
                bench.put(
                    instance(f"i{n}", ports[n % 6]), instance(old, ports[n % 6], draining=True)
                )
                await asyncio.sleep(0.2)
                bench.drop(old)
                await asyncio.sleep(0.4)
        assert traffic.failures == []
        assert traffic.total > 500


async def test_churn_is_one_reload_a_second_and_its_end_is_served(tmp_path: Path) -> None:
    async with serving(tmp_path, 4) as (bench, ports):
        bench.catalog.mark_synced()
        before, began = applied("reload"), time.monotonic()
        with steady(bench.port, keep_alive=False, clients=4) as traffic:
            for n in range(300):  # a hundred a second
                bench.put(instance("x", ports[n % 4], weight=n % 7 + 1))
                await asyncio.sleep(0.01)
            bench.drop("x", "i0", "i1", "i2")
            await until(lambda: bench.live() == 1)
        assert applied("reload") - before <= time.monotonic() - began + 1
        assert await bench.served(8) == {str(ports[3]): 8}
        assert traffic.failures == []
        master, _ = await bench.processes()
        async with asyncio.timeout(allowed(5)):
            while any(one.is_old for one in await asyncio.to_thread(workers, master)):
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("which", ["master", "worker", "all"])
async def test_killed_nginx_serves_again_within_two_seconds(tmp_path: Path, which: str) -> None:
    async with serving(tmp_path, 2) as (bench, ports):
        master, found = await bench.processes()
        before = applied("start")
        for pid in {"master": [master], "worker": found[:1], "all": [*found, master]}[which]:
            os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        if which == "worker":  # its master starts another
            async with asyncio.timeout(allowed(2)):
                while set(found) & set((await bench.processes())[1]) == set(found):
                    await asyncio.sleep(0.01)
        else:
            await until(lambda: applied("start") > before)
            assert not any(alive(pid) for pid in (master, *found))
        assert await bench.served(10) == dict.fromkeys(map(str, ports), 5)
        assert time.monotonic() - began < allowed(2)
        assert bench.lb.trouble() is None


@pytest.mark.parametrize("which", ["master", "worker"])
async def test_frozen_nginx_is_replaced(
    tmp_path: Path, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NginxDriver, "audit", 0.3)
    async with serving(tmp_path, 1) as (bench, _):
        master, found = await bench.processes()
        before = applied("start")
        os.kill(master if which == "master" else found[0], signal.SIGSTOP)
        await until(lambda: applied("start") > before)
        await bench.served(4)
        assert not any(alive(pid) for pid in (master, *found))


@pytest.mark.parametrize("what", ["file", "file and reload", "reload"])
async def test_what_was_done_by_hand_is_repaired(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NginxDriver, "audit", 0.3)
    async with serving(tmp_path, 1) as (bench, ports):
        master, _ = await bench.processes()
        text, before = bench.config.read_text(), repairs()
        other = text.replace(f":{ports[0]}", ":1") if "file" in what else text
        bench.config.write_text(other)
        if "reload" in what:
            os.kill(master, signal.SIGHUP)
        if what == "file and reload":
            await bench.answers("web.localhost", 502)
        await until(lambda: repairs() > before)
        await bench.answers("web.localhost", 200)
        await asyncio.sleep(0.7)
        assert bench.config.read_text() == text
        assert repairs() == before + 1
        assert sample("pinnace_templater_nginx_connections") == 0.0  # it is told by state
        states = {"state": "writing"}
        assert (REGISTRY.get_sample_value("pinnace_templater_nginx_connections", states) or 0) > 0


async def test_a_deleted_socket_is_no_reason_to_end_what_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NginxDriver, "audit", 0.2)
    async with serving(tmp_path, 2) as (bench, ports):
        master, _ = await bench.processes()
        with steady(bench.port, keep_alive=False) as traffic:
            (bench.dir / "status.sock").unlink()
            await asyncio.sleep(1.0)  # some comparisons
            bench.drop("i0")
            await until(lambda: bench.live() == 1)
            assert await bench.served(6) == {str(ports[1]): 6}
        assert traffic.failures == []
        assert (await bench.processes())[0] == master
        assert bench.lb.trouble() is None


async def test_a_full_disk_leaves_the_old_file_serving_until_there_is_room(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=64k", "tmpfs") as folder:
        async with serving(tmp_path, dir=str(folder)) as (bench, (web,)):
            bench.dir = folder
            before, filler = failures(), folder / "filler"
            await asyncio.to_thread(fill, filler)
            bench.put(instance("x", web, "other"))
            await until(lambda: failures() > before)
            assert "No space left on device" in str(bench.lb.trouble())
            assert await bench.get() == (200, str(web))
            filler.unlink()
            await bench.answers("other.localhost", 200)
            await until(lambda: bench.lb.trouble() is None)


async def test_refused_file_leaves_the_old_one_serving_and_names_the_service(
    tmp_path: Path,
) -> None:
    refuse = tmp_path / "refuse"
    script = (
        f'for last; do :; done; case "$*" in *" -t "*) [ -e {refuse} ] && '
        'line=$(grep -n "server_name .other.localhost" "$last" | cut -d: -f1) && '
        'echo "nginx: [emerg] no luck in $last:$line" >&2 && exit 1;; esac'
    )
    with stand_in(tmp_path, script) as program:
        async with serving(tmp_path, 1, program=program) as (bench, (web,)):
            config, before = bench.config.read_text(), failures()
            refuse.touch()
            bench.put(instance("b", web, "other"))
            await until(lambda: failures() > before)
            assert await bench.get() == (200, str(web))
            assert await bench.get("other.localhost") == (404, "")
            assert bench.config.read_text() == config
            assert "no luck" in str(bench.lb.trouble())
            assert "(service 'other', pinnace-http-host)" in str(bench.lb.trouble())
            refuse.unlink()
            await bench.answers("other.localhost", 200)
            await until(lambda: bench.lb.trouble() is None)


async def test_failed_reload_keeps_the_old_workers_and_is_tried_again(tmp_path: Path) -> None:
    # The check passes whatever it reads, so it is the master who refuses.
    with stand_in(tmp_path, 'case "$*" in *" -t "*) exit 0;; esac') as program:
        async with serving(tmp_path, 1, program=program) as (bench, (web,)):
            before, text = failures(), bench.config.read_text()
            _, found = await bench.processes()
            with spoiled():
                bench.put(instance("b", web, "other"))
                await until(lambda: failures() > before)
                assert await bench.get() == (200, str(web))
                assert (await bench.processes())[1] == found
                await until(lambda: bench.config.read_text() == text)  # it is tried again
                assert "unknown directive" in str(bench.lb.trouble())
            await bench.answers("other.localhost", 200)
            await until(lambda: bench.lb.trouble() is None)


@contextlib.contextmanager
def spoiled() -> Iterator[None]:
    """Make what is rendered end in nonsense."""
    real = Renderer.config

    def config(self: Renderer, routes: Routes) -> Config:
        found = real(self, routes)
        return Config(found.text + "nonsense;\n", found.digest, routes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Renderer, "config", config)
        yield


async def test_a_start_that_fails_says_why_and_is_tried_again(tmp_path: Path) -> None:
    refuse = tmp_path / "refuse"
    refuse.touch()
    script = (
        f'case "$*" in *-V*) ;; *) [ -e {refuse} ] && '
        'echo "2026/01/02 03:04:05 [emerg] 7#7: no luck today" >&2 && exit 1;; esac'
    )
    with stand_in(tmp_path, script) as program:
        bench = NginxBench(tmp_path, program=program)
        async with asyncio.TaskGroup() as group:
            ready = asyncio.Event()
            task = group.create_task(bench.lb.run(ready.set))
            await until(lambda: "no luck today" in str(bench.lb.trouble()))
            assert str(bench.lb.trouble()).startswith("nginx ended")
            assert not ready.is_set()
            refuse.unlink()
            await asyncio.wait_for(ready.wait(), 10)
            assert bench.lb.trouble() is None
            task.cancel()
    assert not bench.dir.exists()


async def test_hanging_check_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("templater.nginx.process._CHECK", 2.0)
    hang, pid = tmp_path / "hang", tmp_path / "pid"
    script = f'case "$*" in *" -t "*) [ -e {hang} ] && echo $$ > {pid} && exec sleep 60;; esac'
    with stand_in(tmp_path, script) as program:
        async with serving(tmp_path, 1, program=program) as (bench, (web,)):
            before = failures()
            hang.touch()
            bench.put(instance("b", web, "other"))
            await until(lambda: failures() > before)
            assert "killed after 2 s" in str(bench.lb.trouble())
            assert not alive(int(pid.read_text()))
            hang.unlink()
            await bench.answers("other.localhost", 200)


async def test_unsynced_source_does_not_empty_the_proxy(tmp_path: Path) -> None:
    async with serving(tmp_path, 6) as (bench, _):
        bench.drop(*(f"i{n}" for n in range(6)))
        await asyncio.sleep(0.3)
        assert (await bench.get())[0] == 200
        bench.catalog.mark_synced()
        await bench.answers("web.localhost", 404)


async def test_missing_program_says_what_to_do(tmp_path: Path) -> None:
    bench = NginxBench(tmp_path, program="/nowhere/nginx")
    with pytest.raises(PermanentError, match=r"install it \(package nginx\) .* --lb none"):
        await bench.lb.run(lambda: None)


async def test_a_program_that_is_not_nginx_is_refused(tmp_path: Path) -> None:
    bench = NginxBench(tmp_path, program="/bin/true")
    with pytest.raises(PermanentError, match="this is not nginx"):
        await bench.lb.run(lambda: None)
    assert not bench.dir.exists()


async def test_directory_of_a_running_one_is_not_taken_over(tmp_path: Path) -> None:
    async with running(NginxBench(tmp_path)) as first:
        second = NginxBench(tmp_path)
        with pytest.raises(AddressInUse, match="in use by another pinnace"):
            await second.lb.run(lambda: None)
        assert await first.get() == (404, "")


async def test_cancel_lets_requests_finish_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        bench, (web,) = await stack.enter_async_context(serving(tmp_path, 1, drain=8.0))
        master, found = await bench.processes()
        async with client(bench.port) as ask, asyncio.TaskGroup() as group:
            task = group.create_task(ask("web.localhost", "/?500"))
            await asyncio.sleep(0.1)
            began = time.monotonic()
            bench.stop()
            assert await task == (200, str(web))
    assert time.monotonic() - began < allowed(3)
    assert not any(alive(pid) for pid in (master, *found))
    assert not bench.dir.exists()


@pytest.mark.parametrize(("drain", "stops"), [(30.0, (0.1, 0.3)), (0.3, (0.0,))])
async def test_endless_requests_do_not_hold_the_stop_for_ever(
    tmp_path: Path, drain: float, stops: tuple[float, ...]
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        bench, _ = await stack.enter_async_context(serving(tmp_path, 1, drain=drain))
        master, found = await bench.processes()
        async with client(bench.port) as ask:
            began = time.monotonic()
            for after in stops:  # a second stop is at once
                bench.stop(after)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await ask("web.localhost", "/hold")
    assert 0.25 < time.monotonic() - began < allowed(3)
    assert not any(alive(pid) for pid in (master, *found))


async def test_no_nginx_outlives_a_killed_parent(tmp_path: Path) -> None:
    bench = NginxBench(tmp_path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "parent.py"), str(bench.port), str(bench.dir), "nginx",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await process.stdout.readline()
    pids = await asyncio.to_thread(NginxDirectory(bench.dir).processes)
    assert len(pids) >= 2
    process.kill()
    await process.communicate()
    await until(lambda: not any(alive(pid) for pid in pids))


async def test_workers_left_by_an_earlier_run_are_ended(tmp_path: Path) -> None:
    bench = NginxBench(tmp_path)
    bench.dir.mkdir()
    bench.config.write_text(
        "daemon off; pid nginx.pid; events {} "
        f"http {{ access_log off; server {{ listen 127.0.0.1:{bench.port}; }} }}\n"
    )
    orphan = await asyncio.create_subprocess_exec(
        "/usr/sbin/nginx", "-e", "stderr", "-p", f"{bench.dir}/", "-c", "nginx.conf",
        cwd=bench.dir, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    left: list[Worker] = []
    try:
        async with asyncio.timeout(allowed(5)):
            while not left:
                left = await asyncio.to_thread(workers, orphan.pid)
    finally:
        orphan.kill()
        await orphan.wait()
    assert all(alive(worker.pid) for worker in left)
    async with running(bench):
        assert not any(alive(worker.pid) for worker in left)
        assert await bench.get() == (404, "")
