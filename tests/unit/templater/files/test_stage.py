"""A stage that one thread places while another gives it up, as after a cancellation."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import TransientError
from templater.files.stage import Stage


def _stage(path: Path) -> Stage:
    return Stage.make(path, b"new", mode=None, uid=-1, gid=-1)


def test_what_is_being_placed_is_given_up_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    rename = os.rename

    def slow(*words: Any, **more: Any) -> None:
        begun.set()
        assert go_on.wait(10)
        rename(*words, **more)

    monkeypatch.setattr("os.rename", slow)
    stage = _stage(tmp_path / "file")
    with ThreadPoolExecutor() as threads:
        placing = threads.submit(stage.place)
        assert begun.wait(10)
        discarding = threads.submit(stage.discard)
        go_on.set()
        placing.result(10)
        discarding.result(10)
    assert not stage.is_open
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_was_given_up_is_not_placed_and_nothing_is_closed_twice(tmp_path: Path) -> None:
    stage = _stage(tmp_path / "file")
    stage.discard()
    with (tmp_path / "other").open("w") as first, (tmp_path / "another").open("w") as second:
        stage.discard()  # the numbers of its descriptors belong to others now
        first.write("x")
        second.write("y")
    with pytest.raises(TransientError, match="given up"):
        stage.place()
    assert not (tmp_path / "file").exists()


def test_many_threads_may_give_it_up_at_once(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with ThreadPoolExecutor(8) as threads:
        for _ in range(50):
            stage = _stage(tmp_path / "file")
            for done in [threads.submit(stage.discard) for _ in range(8)]:
                done.result(10)
    assert set(os.listdir("/proc/self/fd")) <= before | {str(len(before))}
    assert not list(tmp_path.iterdir())
