"""A file is made beside its destination, compared, and renamed over it: old or new, never half.

Everything here blocks: call it through ``asyncio.to_thread``.

* The stage file is created in the destination's directory, which is opened once: whoever moves
  or links the directory elsewhere meanwhile does not move the write (reliability T2).
* A destination that is a symbolic link is compared through the link and *replaced*, never written
  through. A destination that is a mount point cannot be replaced (EBUSY): it is written in place.
* A stage file is locked while it is in use. The kernel drops the lock of a killed process, so
  ``remove_leftovers`` can tell its files from those of another one at work.

* A stage may be discarded while another thread places it, when whoever waited for that thread was
  cancelled: the one waits for the other, and nothing is closed twice.

There is no fsync: the file is compared at each start, so what a power cut damages is written again.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import threading
from pathlib import Path
from typing import Final, Self

from sidecar.errors import PermanentError, TransientError
from templater.files.compare import Look, differences

__all__ = ["Stage", "remove_leftovers"]

_DEFAULT_MODE: Final = 0o644
_RANDOM: Final = re.compile(r"pn[0-9a-f]{12}")
_NO_LINK: Final = os.O_NOFOLLOW | os.O_CLOEXEC


class Stage:
    """New content beside its destination; a context manager that leaves no file behind."""

    def __init__(self, destination: Path, directory: int, name: str, file: int) -> None:
        """Use ``Stage.make``."""
        self.destination = destination
        self.path = destination.parent / name
        self._directory = directory
        self._name = name
        self._file = file
        self._lock = threading.Lock()
        self._placed = False
        self.keep = False
        self.changes: tuple[str, ...] = ()
        self.is_new = False

    @classmethod
    def make(
        cls, destination: Path, content: bytes, *, mode: int | None, uid: int, gid: int
    ) -> Self:
        """Write ``content`` beside the destination and find out what would change.

        ``mode`` None: as the destination has it but for set-id bits, else 0644. A uid or gid of
        -1: our own; one that may not be set is left, as confd does. Raises TransientError when it
        cannot be written.
        """
        directory = -1
        try:
            directory = os.open(destination.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            name = f".{destination.name}pn{secrets.token_hex(6)}"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK
            file = os.open(name, flags, 0o600, dir_fd=directory)
        except OSError as error:
            if directory >= 0:
                os.close(directory)
            raise _failed(destination, error) from error
        stage = cls(destination, directory, name, file)
        try:
            stage._fill(content, mode, uid, gid)
        except OSError as error:
            stage.discard()
            raise _failed(destination, error) from error
        return stage

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the stage file, unless it was placed or is kept."""
        self.discard()

    @property
    def before(self) -> bytes | None:
        """The destination's content, or None when there is none. Reads it."""
        with contextlib.suppress(FileNotFoundError):
            return self.destination.read_bytes()
        return None

    def place(self) -> None:
        """Rename over the destination. Raises TransientError; the destination is as it was then.

        A directory that was exchanged meanwhile (a link that now leads elsewhere) is such an error.
        """
        with self._lock:
            if self._file < 0:
                raise TransientError(f"{self.destination} was given up before it was placed")
            self._place()

    def _place(self) -> None:
        name = self.destination.name
        try:
            os.rename(self._name, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            self._placed = True
            self._check_directory()
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise _failed(self.destination, error) from error
            self._write_in_place()

    @property
    def is_open(self) -> bool:
        """Whether it has yet to be discarded."""
        return self._file >= 0

    def discard(self) -> None:
        """Remove the stage file, unless it was placed or is kept, and close what is open."""
        with self._lock:
            if self._file < 0:
                return
            if not (self._placed or self.keep):
                with contextlib.suppress(OSError):
                    os.unlink(self._name, dir_fd=self._directory)
            os.close(self._file)
            os.close(self._directory)
            self._file = -1

    def _check_directory(self) -> None:
        """Raise TransientError when the destination's directory is not the one we wrote into."""
        now, ours = self.destination.parent.stat(), os.fstat(self._directory)
        if (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino):
            raise TransientError(f"{self.destination.parent} was exchanged while it was written to")

    def _fill(self, content: bytes, mode: int | None, uid: int, gid: int) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        _write_all(self._file, content)
        have = _look(self.destination)
        wanted = mode if mode is not None else have.mode & 0o777 if have else _DEFAULT_MODE
        owner = os.geteuid() if uid < 0 else uid
        group = os.getegid() if gid < 0 else gid
        # The owner first: a change of owner clears the set-id bits of the mode.
        with contextlib.suppress(PermissionError):
            os.fchown(self._file, owner, group)
        os.fchmod(self._file, wanted)
        found = os.fstat(self._file)
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        want = Look(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode), len(content), digest)
        self.is_new = have is None
        self.changes = differences(str(self.destination), have, want)

    def _write_in_place(self) -> None:
        """Write a destination that is a mount point; on failure put back what was there."""
        name = self.destination.name
        content = _read_all(self._file)
        file = -1
        try:
            file = os.open(name, os.O_RDWR | _NO_LINK, dir_fd=self._directory)
            before = _read_all(file)
            try:
                _overwrite(file, content)
            except OSError:
                with contextlib.suppress(OSError):
                    _overwrite(file, before)
                raise
            found = os.fstat(self._file)
            with contextlib.suppress(OSError):
                os.fchown(file, found.st_uid, found.st_gid)
                os.fchmod(file, stat.S_IMODE(found.st_mode))
        except OSError as error:
            raise _failed(self.destination, error) from error
        finally:
            if file >= 0:
                os.close(file)


def remove_leftovers(destination: Path) -> list[Path]:
    """Remove stage files that a killed process left; return them."""
    removed = []
    start = f".{destination.name}"
    with contextlib.suppress(OSError):
        for path in destination.parent.iterdir():
            name = path.name
            if name.startswith(start) and _RANDOM.fullmatch(name[len(start) :]) and _is_left(path):
                path.unlink()
                removed.append(path)
    return removed


def _is_left(path: Path) -> bool:
    """Say whether nobody has the file locked."""
    try:
        file = os.open(path, os.O_RDWR | _NO_LINK)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def _look(path: Path) -> Look | None:
    """Look at what stands at a path; through a link, as its readers do."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise PermanentError(f"{path} is not a regular file")
        digest = hashlib.md5(_read_all(file), usedforsecurity=False).hexdigest()
    finally:
        os.close(file)
    mode = stat.S_IMODE(found.st_mode)
    return Look(found.st_uid, found.st_gid, mode, found.st_size, digest)


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


def _read_all(file: int) -> bytes:
    os.lseek(file, 0, os.SEEK_SET)
    parts = []
    while part := os.read(file, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _overwrite(file: int, content: bytes) -> None:
    """Write from the start and cut after it: never empty in between."""
    os.lseek(file, 0, os.SEEK_SET)
    _write_all(file, content)
    os.ftruncate(file, len(content))


def _failed(destination: Path, error: OSError) -> TransientError:
    return TransientError(f"cannot write {destination}: {error.strerror or error}")
