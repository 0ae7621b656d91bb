"""What the loop knows of the disk: whether it takes writes, and that something was written."""

from sidecar.runtime.log import get_logger
from sidecar.runtime.signal import Signal

__all__ = ["Disk"]

_log = get_logger("store")


class Disk:
    """Shared by those who write; said once when it turns bad and once when it is well again."""

    def __init__(self) -> None:
        """Start without trouble."""
        self.trouble: str | None = None
        self.troubled = Signal()
        self.written = Signal()

    def note(self, error: Exception | None) -> None:
        """Take the outcome of a write."""
        if error is None:
            if self.trouble is not None:
                _log.info("state is written again")
            self.trouble = None
            self.written.fire()
            return
        if self.trouble is None:
            _log.error("state cannot be written", error=error)
        self.trouble = str(error)
        self.troubled.fire()
