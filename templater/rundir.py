"""The directory a proxy runs in: its files, its sockets, and a lock that says who uses it.

Everything here blocks: call it through ``asyncio.to_thread``. The kernel drops the lock when its
holder dies, so whoever gets it may end a proxy that an earlier holder left behind.
"""

import abc
import fcntl
import os
import select
import signal
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sidecar.errors import AddressInUse, PermanentError, ReloadFailed
from sidecar.runtime.log import get_logger

__all__ = ["RunDirectory", "private_directory"]

_LOCK: Final = "lock"
_DEAD: Final = 2.0  # seconds; only a process stuck in the kernel takes longer
_TEMPORARY: Final = ".tmp"

_log = get_logger("lb")


def private_directory(port: int) -> Path:
    """Return where the load balancer on a port keeps its files when the user names no place.

    The same after each start, so that what a killed run left is found again.
    """
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"pinnace-{os.geteuid()}-lb-{port}"


class RunDirectory(abc.ABC):
    """One run directory, between ``open`` and ``close``.

    A kind of proxy says which ``names`` of files are its own and how long a socket's name is.
    """

    names: Sequence[str]
    longest_socket: str
    max_socket_path = 107  # sun_path

    def __init__(self, path: Path, *, is_shared: bool = False) -> None:
        """Use ``path``, which need not exist; ``is_shared``: with a proxy that is not ours."""
        self.path = path
        self._is_shared = is_shared
        self._lock = -1

    @abc.abstractmethod
    def processes(self) -> list[int]:
        """Return the proxy's processes that belong to this directory."""

    def open(self) -> None:
        """Make the directory, lock it, end what an earlier run left, remove its files.

        Raises PermanentError or AddressInUse.
        """
        if len(os.fsencode(self.path / self.longest_socket)) > self.max_socket_path:
            raise PermanentError(f"lb.dir is too long for a socket: {self.path}")
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.path.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                raise PermanentError(
                    f"{self.path} is not a directory of ours; choose another lb.dir"
                )
            self.path.chmod(0o700)
            self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._release()
            message = (
                f"{self.path} is in use by another pinnace; choose another --lb-listen or lb.dir"
            )
            raise AddressInUse(message) from error
        except OSError as error:
            self._release()
            raise PermanentError(f"cannot use {self.path}: {error.strerror or error}") from error
        if not self._is_shared:
            for pid in self.end_all():
                _log.warning("ended a proxy of an earlier run", pid=pid)
        self._remove()

    def close(self) -> None:
        """Remove our files and the directory if it is empty then; give the lock back.

        What somebody else's proxy was started with stays.
        """
        self._remove()
        if self._is_shared:
            self._release()
            return
        (self.path / _LOCK).unlink(missing_ok=True)
        try:
            self.path.rmdir()
        except OSError as error:
            _log.debug("run directory stays", path=self.path, error=error)
        self._release()

    def end_all(self) -> list[int]:
        """Kill every process of the proxy, return which."""
        found = self.processes()
        for pid in found:
            _end(pid)
        return found

    def replace(self, name: str, text: str, *, sync: bool) -> None:
        """Write a file by one rename; ``sync`` waits for the disk. Raises ReloadFailed."""
        temporary = self.path / (name + _TEMPORARY)
        try:
            with temporary.open("w", encoding="ascii", newline="\n") as file:
                file.write(text)
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(self.path / name)
        except OSError as error:
            raise ReloadFailed(f"cannot write {temporary}: {error.strerror or error}") from error

    def _remove(self) -> None:
        for name in self.names:
            if not self._is_shared:
                (self.path / name).unlink(missing_ok=True)
            (self.path / (name + _TEMPORARY)).unlink(missing_ok=True)

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _end(pid: int) -> None:
    """Kill a process and wait until it is dead; no error when it has gone already."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        dead = select.poll()
        dead.register(handle, select.POLLIN)
        dead.poll(_DEAD * 1000)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
