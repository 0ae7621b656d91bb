"""Find and end what an engine left behind: by its paths and control group, never by name."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_MNT_DETACH = 2


def processes_naming(text: str) -> list[int]:
    """Processes whose command line holds the text, such as an engine's own directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def cgroup_folders(name: str) -> list[Path]:
    """Folders of a control group in every hierarchy, the deepest first."""
    tops = [_CGROUPS / name, *(folder / name for folder in _CGROUPS.glob("*/"))]
    found = [
        folder
        for top in tops
        if top.is_dir()
        for folder in (top, *top.rglob("*"))
        if folder.is_dir()
    ]
    return sorted(found, key=lambda folder: -len(folder.parts))


def processes_in_cgroup(name: str) -> list[int]:
    """Processes in a control group or below it."""
    found: set[int] = set()
    for folder in cgroup_folders(name):
        with contextlib.suppress(OSError):
            found.update(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
    return sorted(found)


def remove_cgroup(name: str) -> None:
    """Remove the empty folders of a control group."""
    for folder in cgroup_folders(name):
        with contextlib.suppress(OSError):
            folder.rmdir()


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in {"Z", "X"}


def end(pids: Iterable[int], *, patience: float = 5.0) -> None:
    """Ask processes to end, then make them."""
    wanted = [pid for pid in pids if is_alive(pid)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in wanted:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience
        while wanted and time.monotonic() < deadline:
            time.sleep(0.02)
            wanted = [pid for pid in wanted if is_alive(pid)]


def unmount_below(folder: Path) -> None:
    """Detach everything mounted below a folder, the deepest first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in lines]
    libc = ctypes.CDLL(None, use_errno=True)
    for point in sorted(points, key=len, reverse=True):
        if Path(point).is_relative_to(folder):
            libc.umount2(os.fsencode(point), _MNT_DETACH)
