"""Freezes a process, all of it, before anything else is done."""

import os
import signal
import time
from pathlib import Path
from typing import Final

__all__ = ["freeze", "thaw"]

_LIMIT: Final = 5.0


def freeze(pid: int) -> None:
    """Stop each thread; one that runs on another processor would still answer for a moment."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + _LIMIT
    while any(state not in "TtZX" for state in _states(pid)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"process {pid} does not stop")
        time.sleep(0.001)


def thaw(pid: int) -> None:
    """Let it go on."""
    os.kill(pid, signal.SIGCONT)


def _states(pid: int) -> list[str]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found.append((task / "stat").read_text().rpartition(")")[2].split()[0])
        except OSError:  # a thread that has ended meanwhile
            continue
    return found
