"""What the kernel knows of nginx's processes and their connections. Everything here blocks.

nginx itself says neither which of its workers are old nor to which endpoint one still talks.
"""

import contextlib
import ipaddress
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from templater.names import Address, Port

__all__ = [
    "Worker",
    "connections",
    "counted",
    "is_frozen",
    "remote_key",
    "socket_inodes",
    "workers",
]

_PROC: Final = Path("/proc")
_OLD: Final = b"nginx: worker process is shutting down"
_WORKER: Final = b"nginx: worker process"


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker; an old one finishes what it has and takes nothing new."""

    pid: int
    is_old: bool
    is_frozen: bool


def workers(master: int) -> list[Worker]:
    """Return the workers of a master process."""
    found = []
    for pid in _children(master):
        try:
            title = (_PROC / str(pid) / "cmdline").read_bytes()
        except OSError:
            continue
        if title.startswith(_WORKER):
            found.append(Worker(pid, title.startswith(_OLD), is_frozen(pid)))
    return found


def is_frozen(pid: int) -> bool:
    """Say whether a process was stopped by a signal (proc(5): state T)."""
    return _stat(pid)[:1] == ["T"]


def connections(pids: Iterable[int], address: Address, port: Port) -> int:
    """Return how many connections to an address these processes have."""
    owners = list(pids)
    table = "tcp6" if ":" in address else "tcp"
    inodes: set[str] = set()
    for pid in owners[:1]:  # all are in one network namespace
        try:
            text = (_PROC / str(pid) / "net" / table).read_text("ascii")
        except OSError:
            return connections(owners[1:], address, port)
        inodes = set(socket_inodes(text, remote_key(address, port)))
    return sum(_held(pid, inodes) for pid in owners) if inodes else 0


def counted(pids: Iterable[int]) -> Counter[str]:
    """Return how many connections these processes have, by remote address (``remote_key``)."""
    owners = list(pids)
    remotes: dict[str, str] = {}
    for table in ("tcp", "tcp6"):
        for pid in owners:  # all are in one network namespace
            with contextlib.suppress(OSError):
                remotes |= _remotes((_PROC / str(pid) / "net" / table).read_text("ascii"))
                break
    return Counter(remotes[inode] for pid in owners for inode in _sockets(pid) if inode in remotes)


def _remotes(table: str) -> dict[str, str]:
    rows = (line.split(None, 10) for line in table.splitlines()[1:])
    return {row[9]: row[2] for row in rows if len(row) > 9 and row[9] != "0"}


def remote_key(address: Address, port: Port) -> str:
    """Return an address as the tables in /proc/net write it: words in the machine's order."""
    packed = ipaddress.ip_address(str(address)).packed
    numbers = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{number:08X}" for number in numbers) + f":{port:04X}"


def socket_inodes(table: str, remote: str) -> Iterator[str]:
    """Return the inodes of the sockets in a table that are connected to ``remote``."""
    for line in table.splitlines():
        words = line.split(None, 10)
        if len(words) > 9 and words[2] == remote and words[9] != "0":
            yield words[9]


def _held(pid: int, inodes: set[str]) -> int:
    return sum(inode in inodes for inode in _sockets(pid))


def _sockets(pid: int) -> Iterator[str]:
    """Yield the inodes of a process's sockets; one that ends meanwhile has none."""
    with contextlib.suppress(OSError):
        for entry in (_PROC / str(pid) / "fd").iterdir():
            try:
                kind, _, inode = str(entry.readlink()).partition(":")
            except OSError:
                continue
            if kind == "socket":
                yield inode.strip("[]")


def _children(master: int) -> list[int]:
    try:
        return [
            int(word) for word in Path(f"/proc/{master}/task/{master}/children").read_text().split()
        ]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN, or the master has gone
        pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
        return [pid for pid in pids if _stat(pid)[1:2] == [str(master)]]


def _stat(pid: int) -> list[str]:
    """Return state, parent and what follows (proc(5)); empty when it has gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text("ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
