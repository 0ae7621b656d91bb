"""The directory HAProxy runs in: its files, its sockets, and a lock that says who uses it.

Everything here blocks: call it through ``asyncio.to_thread``. The kernel drops the lock when its
holder dies, so whoever gets it may end a HAProxy that an earlier holder left behind.
"""

import fcntl
import os
import select
import signal
import stat
import tempfile
from pathlib import Path
from typing import Final

from sidecar.errors import AddressInUse, PermanentError, ReloadFailed
from sidecar.runtime.log import get_logger
from templater.haproxy.model import HOSTS_MAP, PATHS_MAP, SITES_MAP, WILDCARDS_MAP
from templater.haproxy.render import Files

__all__ = ["ADMIN_SOCKET", "CONFIG", "MASTER_SOCKET", "Directory", "private_directory"]

CONFIG: Final = "haproxy.cfg"
CANDIDATE: Final = "haproxy.cfg.new"
ADMIN_SOCKET: Final = "admin.sock"
MASTER_SOCKET: Final = "master.sock"
_LOCK: Final = "lock"
_DEAD: Final = 2.0  # seconds; only a process stuck in the kernel takes longer
_TEMPORARY: Final = ".tmp"
_MAPS: Final = (HOSTS_MAP, WILDCARDS_MAP, PATHS_MAP, SITES_MAP)
_OURS: Final = (CONFIG, CANDIDATE, ADMIN_SOCKET, MASTER_SOCKET, *_MAPS)
_MAX_SOCKET_PATH: Final = 107 - len(".12345678.tmp")  # sun_path; HAProxy binds a temporary name

_log = get_logger("lb")


def private_directory(port: int) -> Path:
    """Return where the load balancer on a port keeps its files when the user names no place.

    The same after each start, so that what a killed run left is found again.
    """
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"pinnace-{os.geteuid()}-lb-{port}"


class Directory:
    """One run directory, between ``open`` and ``close``."""

    def __init__(self, path: Path) -> None:
        """Use ``path``, which need not exist."""
        self.path = path
        self._lock = -1
        self._written: Files | None = None

    def open(self) -> None:
        """Make the directory, lock it, end what an earlier run left, remove its files.

        Raises PermanentError or AddressInUse.
        """
        if len(os.fsencode(self.path / MASTER_SOCKET)) > _MAX_SOCKET_PATH:
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
        for pid in self.end_all():
            _log.warning("ended a haproxy of an earlier run", pid=pid)
        self._remove()

    def close(self) -> None:
        """Remove our files and the directory if it is empty then; give the lock back."""
        self._remove()
        (self.path / _LOCK).unlink(missing_ok=True)
        try:
            self.path.rmdir()
        except OSError as error:
            _log.debug("run directory stays", path=self.path, error=error)
        self._release()

    def write(self, files: Files, *, config_from: str | None = None, sync: bool = False) -> None:
        """Replace the files, each by one rename; ``sync`` waits for the disk.

        ``config_from`` names an already written configuration to take instead of writing it.
        """
        last, self._written = self._written, None
        before = _maps(last) if last is not None else {}
        for name, text in _maps(files).items():
            if before.get(name) != text:
                self._replace(name, text, sync=sync)
        if config_from is None:
            self._replace(CONFIG, files.config, sync=sync)
        else:
            (self.path / config_from).replace(self.path / CONFIG)
        self._written = files

    def write_candidate(self, files: Files) -> None:
        """Write a configuration to be checked; the maps it names exist after this."""
        for name in _MAPS:
            if not (self.path / name).exists():
                self._replace(name, "", sync=False)
        self._replace(CANDIDATE, files.config, sync=True)

    def end_all(self) -> list[int]:
        """Kill every HAProxy of this directory, return which."""
        found = self.processes()
        for pid in found:
            _end(pid)
        return found

    def processes(self) -> list[int]:
        """Return the HAProxy processes that were started with our configuration file."""
        wanted = os.fsencode(self.path / CONFIG)
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if wanted in words and int(entry.name) != os.getpid():
                    found.append(int(entry.name))
        return found

    def _replace(self, name: str, text: str, *, sync: bool) -> None:
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
        for name in _OURS:
            (self.path / name).unlink(missing_ok=True)
            (self.path / (name + _TEMPORARY)).unlink(missing_ok=True)

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _maps(files: Files) -> dict[str, str]:
    return {
        HOSTS_MAP: files.hosts,
        WILDCARDS_MAP: files.wildcards,
        PATHS_MAP: files.paths,
        SITES_MAP: files.sites,
    }


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
