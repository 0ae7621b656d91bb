"""The lock of one host."""

import asyncio
from math import inf
from pathlib import Path

import pytest

from sidecar.errors import StoreCorrupt, StoreDenied
from sidecar.runtime.clock import SystemClock
from sidecar.scheduler.election.file import FileLock
from sidecar.scheduler.election.lock import Lost


def lock(path: Path, name: str = "a") -> FileLock:
    return FileLock(path, name, clock=SystemClock())


async def test_a_second_one_waits_until_the_first_lets_go(tmp_path: Path) -> None:
    one, two = lock(tmp_path / "run" / "lock"), lock(tmp_path / "run" / "lock", "b")
    first = await one.take()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(two.take())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert await one.renew() == inf
        await one.release()
    assert (first.epoch, waiting.result().epoch) == (1, 2)
    assert (tmp_path / "run" / "lock").read_text().startswith("b ")
    await two.release()
    await two.release()


async def test_numbers_grow_over_restarts(tmp_path: Path) -> None:
    epochs = []
    for _ in range(3):
        each = lock(tmp_path / "lock")
        epochs.append((await each.take()).epoch)
        await each.release()
        await each.close()
    assert epochs == [1, 2, 3]
    assert (tmp_path / "lock.epoch").read_text() == "3\n"


async def test_a_replaced_file_is_a_lost_lock(tmp_path: Path) -> None:
    each = lock(tmp_path / "lock")
    await each.take()
    (tmp_path / "lock").unlink()
    with pytest.raises(Lost, match="removed or replaced"):
        await each.renew()
    other = lock(tmp_path / "lock")
    assert (await other.take()).epoch == 2
    for held in (each, other):
        await held.release()


@pytest.mark.parametrize("content", [b"seven\n", b"\xff", b""], ids=["word", "bytes", "empty"])
async def test_a_count_that_cannot_be_read_is_not_begun_anew(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "lock.epoch").write_bytes(content)
    with pytest.raises(StoreCorrupt, match="epoch"):
        await lock(tmp_path / "lock").take()
    (tmp_path / "lock.epoch").write_text("41\n")
    each = lock(tmp_path / "lock")
    assert (await each.take()).epoch == 42
    await each.release()


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreDenied, match="file/lock"):
        await lock(tmp_path / "file" / "lock").take()


async def test_a_lock_taken_while_it_was_closed_is_let_go(tmp_path: Path) -> None:
    each = lock(tmp_path / "lock")
    await each.close()
    await asyncio.to_thread(each._try)
    other = lock(tmp_path / "lock")
    assert (await other.take()).epoch == 2
    await other.release()
