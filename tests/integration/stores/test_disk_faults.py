"""The disk fails under a running program (F8): refused is refused, reads go on, it heals itself."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.faults import mounted, syscalls_failing
from tests.support.history import answer
from tests.support.pinnace import Pinnace, until

FILES = "pwrite64,pwritev,ftruncate,fallocate"


def _started(state: Path, *extra: str) -> Pinnace:
    return Pinnace("unix:///nowhere", *extra, wait=False, lb=False, state_dir=state)


@pytest.fixture
def pinnace(tmp_path: Path) -> Iterator[Pinnace]:
    with _started(tmp_path / "state") as running:
        until(lambda: running.get("/healthz")[0] == 200)
        yield running


def _put(pinnace: Pinnace, key: str, value: bytes = b"v") -> int:
    return answer(pinnace.http_port, "PUT", f"/v1/kv/{key}", value)[0]


def _value(pinnace: Pinnace, key: str) -> bytes | None:
    status, _, body = answer(pinnace.http_port, "GET", f"/v1/kv/{key}?raw")
    return body if status == 200 else None


def _store_trouble(pinnace: Pinnace) -> str | None:
    status, body = pinnace.get("/readyz")
    assert status == 503, "Docker is away in these tests, so it is never ready"
    trouble: str | None = json.loads(body)["components"]["store"]["trouble"]
    return trouble


def _heals(pinnace: Pinnace) -> None:
    """Nobody writes meanwhile: it must find out by itself."""
    until(lambda: _store_trouble(pinnace) is None, limit=5)
    assert len(pinnace.log("state is written again")) == len(pinnace.log("state cannot be written"))


@pytest.mark.strace
@pytest.mark.parametrize(
    ("calls", "error", "said"),
    [
        ("fsync,fdatasync", "EIO", "disk I/O error"),
        (FILES, "ENOSPC", "full"),
        (FILES, "EROFS", "disk I/O error"),
        (FILES, "EIO", "disk I/O error"),
    ],
)
def test_a_failing_disk_refuses_writes_and_only_those(
    pinnace: Pinnace, calls: str, error: str, said: str
) -> None:
    assert _put(pinnace, "kept", b"1") == 200
    assert _store_trouble(pinnace) is None
    # Sockets are written by sendmsg and friends, which are not made to fail.
    with syscalls_failing(pinnace.pid, calls, error):
        for number in range(3):
            assert _put(pinnace, "kept", b"2") == 500, number
            assert _put(pinnace, "new", b"2") == 500
        assert _value(pinnace, "kept") == b"1"
        assert _value(pinnace, "new") is None
        trouble = _store_trouble(pinnace)
        assert trouble is not None
        assert said in trouble
        time.sleep(1.5)  # a look at the disk by itself does not call it well
        assert _store_trouble(pinnace) is not None
    _heals(pinnace)
    assert _put(pinnace, "kept", b"3") == 200
    pinnace.kill()
    pinnace.start()
    until(lambda: pinnace.get("/healthz")[0] == 200)
    assert _value(pinnace, "kept") == b"3"


@pytest.mark.strace
def test_killed_while_the_disk_fails_it_keeps_all_that_was_acknowledged(pinnace: Pinnace) -> None:
    for number in range(20):
        assert _put(pinnace, f"k/{number}", b"1") == 200
    with syscalls_failing(pinnace.pid, "fsync,fdatasync", "EIO"):
        for number in range(20):
            assert _put(pinnace, f"k/{number}", b"2") == 500
        pinnace.kill()
    pinnace.start()
    until(lambda: pinnace.get("/healthz")[0] == 200)
    # What was refused may have reached the disk or not; what was acknowledged is never gone.
    assert {_value(pinnace, f"k/{number}") for number in range(20)} <= {b"1", b"2"}


@pytest.mark.mounts
def test_a_full_disk_refuses_writes_until_there_is_room(tmp_path: Path) -> None:
    with ExitStack() as stack:
        small = stack.enter_context(
            mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "tmpfs")
        )
        pinnace = stack.enter_context(_started(small / "state"))
        until(lambda: pinnace.get("/healthz")[0] == 200)
        assert _put(pinnace, "kept", b"1" * 1000) == 200
        ballast = small / "ballast"
        _fill(ballast)
        statuses = [_put(pinnace, f"large/{number}", b"x" * 100_000) for number in range(3)]
        assert statuses == [500, 500, 500]
        assert _value(pinnace, "kept") == b"1" * 1000
        assert _value(pinnace, "large/0") is None
        assert "full" in (_store_trouble(pinnace) or "")
        time.sleep(2.5)
        assert _store_trouble(pinnace) is not None, "a small write may pass, but there is no room"
        ballast.unlink()
        _heals(pinnace)
        assert _put(pinnace, "large/0", b"x" * 100_000) == 200
        pinnace.kill()
        pinnace.start()
        until(lambda: pinnace.get("/healthz")[0] == 200)
        assert _value(pinnace, "kept") == b"1" * 1000
        assert _value(pinnace, "large/0") == b"x" * 100_000


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 512):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


@pytest.mark.mounts
def test_rewriting_one_key_never_fills_a_small_disk(tmp_path: Path) -> None:
    with ExitStack() as stack:
        small = stack.enter_context(
            mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "tmpfs")
        )
        pinnace = stack.enter_context(_started(small / "state"))
        until(lambda: pinnace.get("/healthz")[0] == 200)
        for number in range(200):
            assert _put(pinnace, "k", f"{number} ".encode() + b"x" * 20_000) == 200, number


@pytest.mark.mounts
def test_a_read_only_disk_at_the_start_is_one_clear_line(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with _started(state) as pinnace:
        until(lambda: pinnace.get("/healthz")[0] == 200)
        assert _put(pinnace, "k") == 200
    before = {path.name: path.read_bytes() for path in state.iterdir()}
    with ExitStack() as stack:
        stack.enter_context(mounted(state, "--bind", "-o", "bind", str(state)))
        os.system(f"mount -o remount,bind,ro {state}")
        pinnace = stack.enter_context(_started(state, "--recover"))
        assert pinnace.ended() == 1
        (line,) = [x for x in pinnace.log_text().splitlines() if not x.startswith("{")]
        assert str(state) in line
    assert {path.name: path.read_bytes() for path in state.iterdir()} == before
