"""Killed while it writes: what was acknowledged is there, and no index went back (F7)."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from sidecar.stores.journal import Journal
from tests.support import writer

ROUNDS = 20
SEED = 7


def _killed_run(directory: Path, after: float) -> list[tuple[str, int, int, int]]:
    """Return what one run acknowledged before it was killed."""
    with subprocess.Popen(
        [sys.executable, "-m", writer.__name__, str(directory)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        text = (first + process.stdout.read()).decode()
    whole = text[: text.rfind("\n") + 1].splitlines()
    found = [line.split() for line in whole]
    return [(name, int(count), int(index), int(table)) for name, count, index, table in found]


def test_no_acknowledged_write_is_lost_and_no_index_goes_back(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    counts: dict[str, int] = {}
    indexes: dict[str, int] = {}
    table = 0
    for number in range(ROUNDS):
        acknowledged = _killed_run(tmp_path, chance.uniform(0, 0.12))
        assert acknowledged, f"round {number} wrote nothing"
        for name, count, index, table_index in acknowledged:
            assert index > indexes.get(name, 0), (number, name)
            assert table_index >= table, number
            indexes[name], table = index, table_index
            if count:
                counts[name] = count
        journal = Journal(tmp_path)
        snapshot, state = journal.load()
        last, kv = snapshot.index, state.kv
        journal._database.close()  # as kill -9 leaves it
        assert last >= table
        assert kv.index >= table
        for name, count in counts.items():
            entry = kv.get(name)
            assert entry is not None
            # One more may be on the disk whose acknowledgement the kill swallowed.
            assert count <= writer.counted(entry.value) <= count + 1, (number, name)
            assert entry.modify_index >= indexes[name]
            counts[name] = writer.counted(entry.value)
    assert sum(counts.values()) > ROUNDS
