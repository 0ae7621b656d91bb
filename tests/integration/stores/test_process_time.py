"""Pauses and jumps of the wall clock end no session; a restored file answers its own index."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.support.faults import wall_clock
from tests.support.history import answer
from tests.support.pinnace import Pinnace, until

TTL = 10  # the shortest there is; a session lives for twice as long without a renewal
BEFORE, PAUSE = 9.0, 13.0
"""Seconds without renewal: more than 2 * TTL in all, more than half of them in the pause."""


def _session(pinnace: Pinnace) -> str:
    status, _, body = answer(
        pinnace.http_port, "PUT", "/v1/session/create", json.dumps({"TTL": f"{TTL}s"}).encode()
    )
    assert status == 200, body
    id_: str = json.loads(body)["ID"]
    return id_


def _sessions(pinnace: Pinnace) -> set[str]:
    _, _, body = answer(pinnace.http_port, "GET", "/v1/session/list")
    return {each["ID"] for each in json.loads(body)}


def test_a_long_pause_of_the_process_ends_no_session(tmp_path: Path) -> None:
    with Pinnace("unix:///nowhere", wait=False, lb=False, state_dir=tmp_path) as pinnace:
        until(lambda: pinnace.get("/healthz")[0] == 200)
        ours = {_session(pinnace) for _ in range(50)}
        begun = time.monotonic()
        time.sleep(BEFORE)
        os.kill(pinnace.pid, signal.SIGSTOP)
        time.sleep(PAUSE)
        os.kill(pinnace.pid, signal.SIGCONT)
        assert time.monotonic() - begun > 2 * TTL + 1
        assert _sessions(pinnace) == ours
        time.sleep(3)  # time to notice what it thinks is over
        assert _sessions(pinnace) == ours
        renewed = min(ours)
        assert answer(pinnace.http_port, "PUT", f"/v1/session/renew/{renewed}")[0] == 200
        # Time goes on: those that nobody renews end, in a bit less than what they had left.
        until(lambda: _sessions(pinnace) == {renewed}, limit=2 * TTL - BEFORE + 2)


@pytest.mark.faketime
def test_jumps_of_the_wall_clock_end_no_session(tmp_path: Path) -> None:
    clock = wall_clock(tmp_path)
    with Pinnace(
        "unix:///nowhere", wait=False, lb=False, state_dir=tmp_path / "state", env=clock.env
    ) as pinnace:
        until(lambda: pinnace.get("/healthz")[0] == 200)
        ours = {_session(pinnace) for _ in range(5)}
        for jump in ("+1d", "-1d", "+30d", "+0"):
            clock.set(jump)
            time.sleep(2.5)
            assert _sessions(pinnace) == ours, jump
            assert answer(pinnace.http_port, "PUT", "/v1/kv/k", jump.encode())[0] == 200
        times = [entry["time"][:10] for entry in pinnace.log()]
        assert times, "the program's own clock is the one that was turned"
        until(lambda: not _sessions(pinnace), limit=2 * TTL)


@pytest.mark.faketime
def test_the_clock_that_is_turned_is_the_programs(tmp_path: Path) -> None:
    clock = wall_clock(tmp_path)
    clock.set("+3d")
    with Pinnace("unix:///nowhere", wait=False, lb=False, env=clock.env) as pinnace:
        until(lambda: pinnace.get("/healthz")[0] == 200)
        told = pinnace.log_time("starting")
        assert told is not None
        assert 2.9 < (told - time.time()) / 86_400 < 3.1


def test_a_watcher_from_the_future_gets_the_index_of_the_restored_file(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Pinnace("unix:///nowhere", wait=False, lb=False, state_dir=state) as pinnace:
        until(lambda: pinnace.get("/healthz")[0] == 200)
        assert answer(pinnace.http_port, "PUT", "/v1/kv/k", b"old")[0] == 200
        _, old, _ = answer(pinnace.http_port, "GET", "/v1/kv/k")
        pinnace.stop()
        shutil.copytree(state, tmp_path / "backup")
        pinnace.start()
        until(lambda: pinnace.get("/healthz")[0] == 200)
        for number in range(20):
            assert answer(pinnace.http_port, "PUT", "/v1/kv/k", str(number).encode())[0] == 200
        _, future, _ = answer(pinnace.http_port, "GET", "/v1/kv/k")
        assert future > old
        pinnace.stop()
        shutil.copy(tmp_path / "backup" / "catalog.sqlite3", state / "catalog.sqlite3")
        pinnace.start()
        until(lambda: pinnace.get("/healthz")[0] == 200)
        for path in ("/v1/kv/k?", "/v1/kv/?recurse&", "/v1/kv/absent?"):
            _, index, _ = answer(pinnace.http_port, "GET", f"{path}wait=1s&index={future}")
            assert index == old, path
        _, _, body = answer(pinnace.http_port, "GET", "/v1/kv/k?raw")
        assert body == b"old"
        # From there the watcher goes on as any other.
        assert answer(pinnace.http_port, "PUT", "/v1/kv/k", b"new")[0] == 200
        _, index, _ = answer(pinnace.http_port, "GET", f"/v1/kv/k?wait=1s&index={old}")
        assert old < index < future
