"""The file into which nginx writes what it has done. Everything here blocks."""

import os
from pathlib import Path
from typing import Final

__all__ = ["CountsFile"]

_AT_ONCE: Final = 4 << 20
_MOST: Final = 1 << 20


class CountsFile:
    """Read to its end time and again, and emptied before it is large.

    nginx appends whole lines, so what it writes after that stands at the beginning. What it
    writes between our last read and the emptying is not counted; that is microseconds.
    """

    def __init__(self, path: Path) -> None:
        """Begin at the start of a file that need not exist."""
        self._path = path
        self._at = 0

    def read(self) -> bytes | None:
        """Return whole lines that are new, at most 4 MB; None when there is no such file."""
        try:
            with self._path.open("r+b", buffering=0) as file:
                return self._read(file.fileno())
        except OSError:
            return None

    def _read(self, handle: int) -> bytes:
        if os.fstat(handle).st_size < self._at:
            self._at = 0  # somebody else emptied it
        found = os.pread(handle, _AT_ONCE, self._at)
        end = found.rfind(b"\n") + 1
        if end == 0 and len(found) == _AT_ONCE:
            end = len(found)  # no line of ours
        self._at += end
        if self._at > _MOST and end == len(found) < _AT_ONCE:
            os.ftruncate(handle, 0)
            self._at = 0
        return found[:end]
