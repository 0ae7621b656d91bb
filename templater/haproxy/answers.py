"""What HAProxy answers on its sockets, as values. Pure.

Columns are found by their headings, because later versions add some. Facts measured on 2.6 and
3.0: a success may come with text, so replies are judged by content.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.errors import ProtocolError
from templater.names import Address

__all__ = [
    "Processes",
    "Server",
    "columns",
    "complaints",
    "fingerprints",
    "map_of",
    "pid_of",
    "processes",
    "servers",
    "sessions",
]

# HAProxy's include/haproxy/server-t.h: forced, inherited and resolution maintenance; drains.
_MAINTENANCE: Final = 0x01 | 0x02 | 0x20
_DRAINING: Final = 0x08 | 0x10

_SUCCESS: Final = re.compile(
    r"no need to change |nothing changed|(IP|port) changed from |New version created: ", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Server:
    """One line of ``show servers state``."""

    address: str
    port: int
    weight: int
    admin: int

    @property
    def in_maintenance(self) -> bool:
        """Say whether it takes nothing at all."""
        return bool(self.admin & _MAINTENANCE)

    @property
    def is_draining(self) -> bool:
        """Say whether it takes nothing new."""
        return bool(self.admin & _DRAINING)


@dataclass(frozen=True, slots=True)
class Processes:
    """``show proc``: the master's count of reloads and the workers' process ids."""

    reloads: int
    failed: int
    workers: tuple[int, ...]
    old_workers: tuple[int, ...]


def complaints(reply: str) -> list[str]:
    """Return the lines of a reply to changes that do not mean success."""
    lines = (line.strip() for line in reply.splitlines())
    return [line for line in lines if line and not _SUCCESS.match(line)]


def servers(reply: str) -> Mapping[tuple[str, str], Server]:
    """Return (backend, server) -> what runs, from ``show servers state``."""
    found: dict[tuple[str, str], Server] = {}
    columns: dict[str, int] = {}
    for line in reply.splitlines():
        words = line.split(" ")
        if words[0] == "#":
            columns = {word: index for index, word in enumerate(words[1:])}
        elif columns and len(words) >= len(columns):
            key = words[columns["be_name"]], words[columns["srv_name"]]
            found[key] = Server(
                _address(words[columns["srv_addr"]]),
                int(words[columns["srv_port"]]),
                int(words[columns["srv_uweight"]]),
                int(words[columns["srv_admin_state"]]),
            )
    if not columns:
        raise ProtocolError(f"show servers state answered {reply[:80]!r}")
    return found


def _address(text: str) -> str:
    try:
        return Address(text)
    except ValueError:
        return text


def map_of(reply: str) -> list[tuple[str, str]]:
    """Return (key, value) pairs in order, from ``show map``."""
    pairs: list[tuple[str, str]] = []
    for line in reply.splitlines():
        words = line.split(" ", 2)
        if len(words) == 3 and words[0].startswith("0x"):
            pairs.append((words[1], words[2]))
        elif line.strip():
            raise ProtocolError(f"show map answered {line[:80]!r}")
    return pairs


def fingerprints(reply: str) -> dict[str, str]:
    """Return the SHA-1 of each file's first certificate in lower case, from ``show ssl cert``."""
    found: dict[str, str] = {}
    file = ""
    for line in reply.splitlines():
        key, _, value = line.partition(": ")
        if key == "Filename":
            file = value
        elif key == "SHA1 FingerPrint":
            found[file] = value.lower()
    return found


def pid_of(reply: str) -> int:
    """Return the process id in ``show info``."""
    match = re.search(r"^Pid: (\d+)", reply, re.MULTILINE | re.ASCII)
    if match is None:
        raise ProtocolError(f"show info answered {reply[:80]!r}")
    return int(match[1])


def processes(reply: str) -> Processes:
    """Return what ``show proc`` on the master socket says."""
    reloads, failed = -1, 0
    found: dict[str, list[int]] = {"# workers": [], "# old workers": []}
    section = ""
    for line in reply.splitlines():
        words = line.split()
        if line.startswith("#"):
            section = line.strip()
        elif len(words) > 2 and words[1] == "master":
            reloads = int(words[2])
            match = re.search(r"\[failed: (\d+)\]", line)
            failed = int(match[1]) if match else 0
        elif len(words) > 2 and words[1] == "worker" and section in found:
            found[section].append(int(words[0]))
    if reloads < 0:
        raise ProtocolError(f"show proc answered {reply[:80]!r}")
    return Processes(reloads, failed, tuple(found["# workers"]), tuple(found["# old workers"]))


def sessions(reply: str) -> Iterator[tuple[str, int]]:
    """Yield (``address:port``, sessions running and queued) of each server in ``show stat``."""
    if reply.lstrip().startswith("No such proxy"):  # a worker older than the backend
        return
    for address, running, queued in columns(reply, "addr", "scur", "qcur"):
        yield address, int(running or 0) + int(queued or 0)


def columns(reply: str, *names: str) -> list[tuple[str, ...]]:
    """Return some columns of each row of ``show stat``; what is not there is empty."""
    lines = [line for line in reply.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("# pxname"):
        raise ProtocolError(f"show stat answered {reply[:80]!r}")
    rows = csv.DictReader([lines[0].removeprefix("# "), *lines[1:]])
    return [tuple(row.get(name) or "" for name in names) for row in rows]
