"""A reload that is owed is written down beside the file, before the file is replaced.

A process killed between rename and reload finds the mark at its next start. The mark is a file of
its own in the destination's directory: that is writable when the destination is, and needs no
setting. Everything here blocks: call it through ``asyncio.to_thread``.
"""

import contextlib
import os
from pathlib import Path

__all__ = ["Owed"]


class Owed:
    """The mark that the readers of one file have not been told of its newest content."""

    def __init__(self, destination: Path) -> None:
        """Keep the mark beside this file."""
        self.path = destination.parent / f".{destination.name}.reload-owed"

    def is_set(self) -> bool:
        """Say whether the mark is there."""
        return os.path.lexists(self.path)

    def set(self) -> bool:
        """Leave the mark; False when that is impossible (a full disk)."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            os.close(os.open(self.path, flags, 0o600))
        except OSError:
            return False
        return True

    def clear(self) -> None:
        """Remove the mark, if it is there."""
        with contextlib.suppress(OSError):
            self.path.unlink()
