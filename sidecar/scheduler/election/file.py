"""The lock of one host: a file that the kernel locks, and a count of grips beside it.

The kernel frees the lock with the process, however that ends: there is no lease to lose. A lock
file that was removed or replaced is noticed at a renewal, as another process may have locked the
new one.
"""

import asyncio
import fcntl
import os
from math import inf
from pathlib import Path
from typing import Final

from sidecar.errors import StoreCorrupt, StoreDenied, StoreUnavailable
from sidecar.runtime.clock import Clock
from sidecar.scheduler.election.lock import Grip, Lost

__all__ = ["FileLock"]

_PAUSE: Final = 0.25


class FileLock:
    """A Lock on a file; its count is in a file of the same name with ``.epoch``."""

    def __init__(self, path: Path, name: str, *, clock: Clock) -> None:
        """``name`` stands in the file while we hold it."""
        self.url = f"file://{path}"
        self._path = path
        self._count = path.with_name(f"{path.name}.epoch")
        self._name = name
        self._clock = clock
        self._held = -1
        self._is_closed = False

    async def take(self) -> Grip:
        """Return when the file is ours."""
        while True:
            begun = self._clock.monotonic()
            epoch = await asyncio.to_thread(self._try)
            if epoch is not None:
                return Grip(epoch, begun)
            await self._clock.sleep(_PAUSE)

    async def renew(self) -> float:
        """See that the file we locked is the one of that name."""
        if not await asyncio.to_thread(self._is_same, self._held):
            raise Lost(f"{self._path} was removed or replaced")
        return inf

    async def release(self) -> None:
        """Let the file go."""
        held, self._held = self._held, -1
        if held >= 0:
            await asyncio.to_thread(os.close, held)

    async def close(self) -> None:
        """Keep a lock that a thread takes meanwhile from being held for ever."""
        self._is_closed = True

    def _try(self) -> int | None:
        """Return the number of a new grip; None when another one holds the file."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            opened = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreDenied(f"{self._path}: {error.strerror}") from error
        try:
            epoch = self._locked(opened)
        except BaseException:
            os.close(opened)
            raise
        if epoch is None or self._is_closed:
            os.close(opened)
        else:
            self._held = opened
        return epoch

    def _locked(self, opened: int) -> int | None:
        try:
            # Of the open file, not of the process: two in one process exclude each other too.
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"{self._path}: {error.strerror}") from error
        if not self._is_same(opened):  # removed between our look and our lock
            return None
        epoch = self._counted()
        os.ftruncate(opened, 0)
        os.pwrite(opened, f"{self._name} {os.getpid()}\n".encode(), 0)
        return epoch

    def _is_same(self, opened: int) -> bool:
        try:
            return os.path.samestat(os.fstat(opened), self._path.stat())
        except OSError:
            return False

    def _counted(self) -> int:
        """Count one more, and have it on the disk before it is used."""
        try:
            text = self._count.read_text("ascii").strip()
        except FileNotFoundError:
            text = "0"
        except (OSError, UnicodeDecodeError) as error:
            raise StoreCorrupt(f"{self._count} cannot be read: {error}") from error
        if not text.isdigit():
            raise StoreCorrupt(f"{self._count} holds no number; write the last epoch into it")
        epoch = int(text) + 1
        try:
            self._replace(f"{epoch}\n")
        except OSError as error:
            raise StoreUnavailable(f"{self._count}: {error.strerror}") from error
        return epoch

    def _replace(self, text: str) -> None:
        beside = self._count.with_name(f"{self._count.name}.new")
        with beside.open("w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._count)
        folder = os.open(self._count.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
