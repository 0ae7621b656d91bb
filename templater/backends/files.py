"""Values from YAML and JSON files; directories are walked, later files override earlier ones.

Changes are found by looking at names, times and sizes, which works on every file system, through
links, and for the whole-directory switch that a cluster's configuration volumes make.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from sidecar.errors import ProtocolError, StoreUnavailable
from sidecar.runtime.clock import Clock, SystemClock
from templater.backends.base import Values
from templater.backends.documents import values_of

__all__ = ["FileBackend", "Signature", "signature"]

_LOOK: Final = 0.25  # seconds between two looks
Signature = tuple[tuple[str, int, int, int], ...]


class FileBackend:
    """Reads files each time it is asked; a file that cannot be read fails the whole read."""

    def __init__(
        self,
        paths: Sequence[str],
        pattern: str = "*",
        *,
        clock: Clock | None = None,
        look: float = _LOOK,
    ) -> None:
        """Take files and directories; in directories, files whose name matches ``pattern``."""
        self._paths = tuple(Path(path) for path in paths)
        self._pattern = pattern
        self._clock = clock if clock is not None else SystemClock()
        self._look = look
        self.address = ", ".join(map(str, self._paths))

    async def read(self, keys: Sequence[str]) -> Values:
        """Return the values whose key begins with one of these, as text."""
        values = await asyncio.to_thread(self._values)
        starts = tuple(keys)
        return {key: value for key, value in values.items() if key.startswith(starts)}

    async def watch(self, key: str) -> AsyncGenerator[Values]:
        """Yield the values again when a file has changed."""
        seen: Signature | None = None
        while True:
            now = await asyncio.to_thread(self._signature)
            if now != seen:
                seen = now
                yield await self.read([key])
            await self._clock.sleep(self._look)

    async def close(self) -> None:
        """Do nothing."""

    def _files(self) -> list[Path]:
        found = []
        for path in self._paths:
            if path.is_dir():
                found += _walked(path, self._pattern)
            else:
                found.append(path)
        return found

    def _signature(self) -> Signature:
        return signature(self._files())

    def _values(self) -> dict[str, str]:
        values: dict[str, str] = {}
        for path in self._files():
            try:
                values.update(values_of(path.read_bytes(), str(path)))
            except OSError as error:
                raise StoreUnavailable(f"{path}: {error.strerror or error}") from error
            except ProtocolError as error:
                raise StoreUnavailable(str(error)) from error
        return values


def _walked(folder: Path, pattern: str) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        found += [Path(place, name) for name in sorted(names) if fnmatchcase(name, pattern)]
    return found


def signature(paths: Sequence[Path]) -> Signature:
    """Return what tells whether one of these files was changed. Blocks."""
    found = []
    for path in paths:
        try:
            at = path.stat()
        except OSError:
            found.append((str(path), -1, -1, -1))
        else:
            found.append((str(path), at.st_mtime_ns, at.st_size, at.st_ino))
    return tuple(found)
