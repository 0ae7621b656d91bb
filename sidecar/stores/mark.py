"""The mark: which commit was acknowledged last, in a few bytes beside the state file.

SQLite ends its log at the first record that does not fit, which is right after a power cut and
wrong when the record was damaged later: acknowledged commits would be gone without a word. The
mark is written after each commit, so it is never ahead of a file that is whole. It is not synced:
it must survive our end, and after a power cut an older one does no harm. Blocking; call in a
thread.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from sidecar.stores.codec import Progress, checksum, decode_progress, pack

__all__ = ["Mark", "read_mark"]

_SIZE: Final = 256  # one write, inside one sector; never grows, so that a full disk takes it
_HEAD: Final = 6  # checksum and length


class Mark:
    """The open mark of one run."""

    def __init__(self, path: Path) -> None:
        """Open or create it; raises OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, progress: Progress) -> None:
        """Take this as the last acknowledged commit; the old one stays if the disk refuses."""
        body = pack(progress)
        head = checksum(body).to_bytes(4, "big") + len(body).to_bytes(2, "big")
        with suppress(OSError):
            os.pwrite(self._file, (head + body).ljust(_SIZE, b"\0"), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def read_mark(path: Path) -> Progress | None:
    """Return what was acknowledged last, or None when there is no readable mark."""
    try:
        data = path.read_bytes()[:_SIZE]
    except OSError:
        return None
    body = data[_HEAD : _HEAD + int.from_bytes(data[4:_HEAD], "big")]
    if len(data) < _HEAD or checksum(body) != int.from_bytes(data[:4], "big"):
        return None
    try:
        return decode_progress(body)
    except ValueError:
        return None
