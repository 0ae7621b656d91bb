"""The mark gives back what was written, or nothing."""

from contextlib import closing
from pathlib import Path

import pytest

from sidecar.stores.codec import Progress, checksum
from sidecar.stores.mark import Mark, read_mark

PROGRESS = Progress(index=2**62, kv=7, session=8, run="f" * 32, commits=2**40, clean=False)


def _written(path: Path) -> bytes:
    with closing(Mark(path)) as mark:
        mark.write(Progress(run="older"))
        mark.write(PROGRESS)
    return path.read_bytes()


def test_it_gives_back_the_last_and_never_grows(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    assert len(_written(path)) == 256
    assert read_mark(path) == PROGRESS


def test_no_mark_is_none(tmp_path: Path) -> None:
    assert read_mark(tmp_path / "mark") is None


def test_a_changed_byte_gives_none_or_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    whole = _written(path)
    found = set()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        found.add(read_mark(path))
    assert found == {None, PROGRESS}


@pytest.mark.parametrize("size", [0, 3, 6, 40])
def test_a_short_mark_is_none(tmp_path: Path, size: int) -> None:
    path = tmp_path / "mark"
    path.write_bytes(_written(path)[:size])
    assert read_mark(path) is None


def test_what_is_no_progress_is_none(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    path.write_bytes(checksum(b"\xc1").to_bytes(4, "big") + b"\0\x01\xc1")
    assert read_mark(path) is None
