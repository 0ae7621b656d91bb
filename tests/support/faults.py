"""Faults of the real kind: system calls that fail, file systems that are full, another time."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "FAKETIME",
    "bound",
    "killing_at_the_rename",
    "mounted",
    "syscalls_failing",
    "wall_clock",
]

FAKETIME = next(
    Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), Path("/usr/lib/libfaketime.so.1")
)


_RENAMES = "renameat,renameat2"


@contextmanager
def syscalls_failing(pid: int, calls: str, error: str) -> Iterator[None]:
    """Let these system calls of a process, all its threads, fail."""
    with subprocess.Popen(
        [
            "strace", "-f", "-p", str(pid), "-o", "/dev/null",
            "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}",
        ],
        stderr=subprocess.PIPE,
    ) as strace:  # fmt: skip
        try:
            assert strace.stderr is not None
            line = strace.stderr.readline()
            assert b"attached" in line, line
            _until_traced(pid)
            yield
        finally:
            strace.terminate()
            strace.wait(10)


def killing_at_the_rename(moment: str) -> tuple[str, ...]:
    """Return the words before a command whose renames strace disturbs (``signal=KILL``)."""
    return (
        "strace", "-f", "-o", "/dev/null",
        "-e", f"trace={_RENAMES}", "-e", f"inject={_RENAMES}:{moment}",
    )  # fmt: skip


def _until_traced(pid: int) -> None:
    """Wait until each thread is; strace says so after the first."""
    deadline = time.monotonic() + 10
    while any("TracerPid:\t0" in _status(task) for task in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _status(task: Path) -> str:
    try:
        return (task / "status").read_text()
    except OSError:
        return ""  # it ended


@contextmanager
def mounted(target: Path, *options: str) -> Iterator[Path]:
    """Mount a file system there for a while."""
    target.mkdir(exist_ok=True)
    subprocess.run(["mount", *options, str(target)], check=True, capture_output=True)
    try:
        yield target
    finally:
        subprocess.run(["umount", "-l", str(target)], check=True, capture_output=True)


@contextmanager
def bound(source: Path, target: Path) -> Iterator[None]:
    """Mount a file over another for a while."""
    subprocess.run(["mount", "--bind", str(source), str(target)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(target)], check=True, capture_output=True)


class wall_clock:  # noqa: N801 - reads as a verb in the tests
    """The wall clock of a process, set through a file; monotonic time goes on as it is."""

    def __init__(self, directory: Path) -> None:
        """Start at the true time."""
        self._file = directory / "faketime"
        self.set("+0")
        self.env = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, offset: str) -> None:
        """Turn the clock: ``+1d``, ``-1d``, ``+0``."""
        self._file.write_text(f"{offset}\n")
