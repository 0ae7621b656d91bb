"""The agent of a node on a real engine and a real store: what is fenced ends in time."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from deploy.tools.etcd import Etcd
from deploy.tools.freezing import freeze, thaw
from sidecar.runtime.clock import LeaseClock
from sidecar.scheduler.fencer import Fencer
from sidecar.scheduler.fencing import Fencing
from sidecar.stores.opening import open_keyvalue
from tests.support.containers import Containers
from tests.support.pace import allowed
from tests.support.relay import TcpRelay

pytestmark = [pytest.mark.engine, pytest.mark.etcd]

_TTL, _MARGIN = 2.0, 0.5
_NODE = "n1"


@asynccontextmanager
async def agent(folder: Path, docker: str, store: str) -> AsyncIterator[Path]:
    """Run ``pinnace agent``; yield its log."""
    log = folder / "agent.log"
    words = [
        str(Path(sys.executable).with_name("pinnace")), "agent", "--node", _NODE, "--ttl",
        f"{_TTL:g}", "--store", store, "--docker", docker, "--log-format", "json",
    ]  # fmt: skip
    with log.open("wb") as file:
        process = subprocess.Popen(words, stdout=file, stderr=file)
    try:
        yield log
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0, log.read_text()


@asynccontextmanager
async def leader(etcd: Etcd) -> AsyncIterator[Fencer]:
    """Run the leader's side."""
    clock = LeaseClock()
    keys = open_keyvalue(f"etcd://127.0.0.1:{etcd.port}", clock=clock)
    fencer = Fencer(keys, margin=_MARGIN, clock=clock)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(fencer.run())
        try:
            yield fencer
        finally:
            task.cancel()
    await keys.close()


async def _until(is_so: "object", limit: float = 20.0) -> float:
    assert callable(is_so)
    begun = time.monotonic()
    while not await asyncio.to_thread(is_so):
        assert time.monotonic() - begun < allowed(limit)
        await asyncio.sleep(0.02)
    return time.monotonic() - begun


def _pid(engine: PrivateEngine, name: str) -> int:
    return int(json.loads(engine.docker("inspect", name))[0]["State"]["Pid"])


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def test_what_is_fenced_ends_within_its_lease_and_nothing_else_does(
    containers: Containers, etcd: Etcd, tmp_path: Path
) -> None:
    engine, relay = containers.engine, TcpRelay(etcd.port)
    await relay.open()
    label = ("-l", "pinnace.fencing=self")
    free = await asyncio.to_thread(containers.run, "free")
    async with (
        agent(tmp_path, engine.url, f"etcd://127.0.0.1:{relay.port}") as log,
        leader(etcd) as fencer,
    ):
        await _until(lambda: _NODE in fencer.fences(0.0).leased)
        await asyncio.sleep(0)
        fenced = await asyncio.to_thread(containers.run, "fenced", *label)
        pid, other = _pid(engine, fenced), _pid(engine, free)
        # Cut off: the agent cannot know what the leader does.
        relay.freeze()
        cut = await _until(lambda: not _runs(pid))
        assert cut + 0.2 >= _TTL - _MARGIN - _TTL / 5
        relay.thaw()
        await _until(lambda: "held again" in log.read_text().rpartition("ended")[2])
        # The engine is frozen too: the agent ends the process itself.
        await asyncio.to_thread(engine.docker, "start", fenced)
        pid = _pid(engine, fenced)
        await asyncio.sleep(1.2)  # the agent looks once a second
        daemon = engine.pid
        assert daemon is not None
        freeze(daemon)
        try:
            await fencer.fence(_NODE, Fencing.SELF, 9)
            assert _NODE in fencer.fences(0.0).denied
            denied = await _until(lambda: not _runs(pid))
            assert _runs(other)
        finally:
            thaw(daemon)
        print(f"gone {cut:.2f} s after a cut, {denied:.2f} s after a denial with a frozen engine")
        assert max(cut, denied) <= allowed(2 * _TTL)
        # What the engine starts while the lease is denied is stopped as well.
        await _until(lambda: "Exited" in engine.docker("ps", "-a", "--filter", f"name={fenced}"))
        await asyncio.to_thread(engine.docker, "start", fenced)
        await _until(lambda: engine.docker("ps", "-q", "--filter", f"name={fenced}") == "")
        await fencer.unfence(_NODE, Fencing.SELF, 9)
        await _until(lambda: _NODE in fencer.fences(0.0).leased)
    relay.shut()
