"""Where a drop-in's log goes: standard error, and a file that is rotated and syslog when asked.

As in the original the file's name gets the time of its making: ``name-NANOSECONDS.log``. What
cannot be written there later is not told twice: standard error has every line.
"""

import contextlib
import logging
import os
import re
import socket
from collections.abc import Sequence
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Final, TextIO

from sidecar.errors import ConfigError
from sidecar.runtime import log
from templater.consul_template.log_settings import LogFileSettings, LogSettings, SyslogSettings

__all__ = ["LEVELS", "RotatedFile", "Syslog", "configure"]

LEVELS: Final = {
    "TRACE": "debug", "DEBUG": "debug", "INFO": "info", "WARN": "warning", "WARNING": "warning",
    "ERR": "error", "ERROR": "error",
}  # fmt: skip
_SOCKETS: Final = tuple(map(Path, ("/dev/log", "/var/run/syslog", "/var/run/log")))
_MODE: Final = 0o640
_PRIORITIES: Final = {
    "CRITICAL": "crit", "DEBUG": "info", "ERROR": "err", "INFO": "notice", "WARNING": "warning",
}  # fmt: skip


def configure(settings: LogSettings, now: float) -> None:
    """Log as the settings say; ``now`` is the wall clock's. Raises ConfigError. Blocks."""
    level = LEVELS.get(settings.level.upper())
    if level is None:
        raise ConfigError([f"log_level: {settings.level!r} is not one of {', '.join(LEVELS)}"])
    more: list[logging.Handler] = []
    if settings.file is not None:
        more.append(RotatedFile(settings.file, now))
    if settings.syslog is not None:
        more.append(Syslog(settings.syslog))
    log.configure("text", level, more=more)


class RotatedFile(logging.Handler):
    """Writes to one file, then to another: after so many bytes, and after so long."""

    def __init__(self, settings: LogFileSettings, now: float) -> None:
        """Begin a file. Raises ConfigError."""
        super().__init__()
        self._settings = settings
        self._folder = Path(settings.path).parent
        name = Path(settings.path).name
        self._suffix = Path(name).suffix or ".log"
        self._stem = name.removesuffix(self._suffix)
        self._stream: TextIO | None = None
        self._begun = now
        self._written = 0
        try:
            self._prune()
            self._begin(now)
        except OSError as error:
            raise ConfigError([f"log_file: {settings.path}: {error.strerror or error}"]) from error

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, to a new file when it is time for one."""
        line = self.format(record) + "\n"
        with contextlib.suppress(OSError):
            if self._is_due(record.created):
                self._end()
                self._prune()
                self._begin(record.created)
            if self._stream is not None:
                self._stream.write(line)
                self._stream.flush()
                self._written += len(line.encode("utf-8", "replace"))

    def close(self) -> None:
        """Close the file."""
        self._end()
        super().close()

    def _is_due(self, now: float) -> bool:
        most = self._settings.most_bytes
        is_full = 0 < most <= self._written
        return self._stream is None or is_full or now - self._begun >= self._settings.longest

    def _begin(self, now: float) -> None:
        """Make a file that was not there: neither a link nor one of two in a moment is taken."""
        moment = int(now * 1e9)
        while True:
            path = self._folder / f"{self._stem}-{moment}{self._suffix}"
            try:
                made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, _MODE)
            except FileExistsError:
                moment += 1
                continue
            break
        self._stream = os.fdopen(made, "w", encoding="utf-8", errors="backslashreplace")
        self._begun, self._written = now, 0

    def _end(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.close()
            self._stream = None

    def _prune(self) -> None:
        """Remove the oldest files beyond what is kept: 0 all are, below 0 none is."""
        kept = self._settings.most_files
        if kept == 0:
            return
        ours = re.compile(rf"{re.escape(self._stem)}-[0-9]+{re.escape(self._suffix)}", re.ASCII)
        found = [path for path in self._folder.iterdir() if ours.fullmatch(path.name)]
        found.sort(key=lambda path: (len(path.name), path.name))  # the numbers grow
        for path in found[: max(len(found) - max(kept, 0), 0)]:
            path.unlink(missing_ok=True)


class Syslog(SysLogHandler):
    """Sends lines to the machine's own log."""

    append_nul = False

    def __init__(self, settings: SyslogSettings, places: Sequence[Path] = _SOCKETS) -> None:
        """Connect. Raises ConfigError."""
        facility = self.facility_names.get(settings.facility.lower())
        if facility is None:
            raise ConfigError([f"syslog: invalid syslog facility: {settings.facility}"])
        place = next((path for path in places if path.is_socket()), None)
        if place is None:
            raise ConfigError(["syslog: there is no syslog on this machine (no /dev/log)"])
        try:
            super().__init__(str(place), facility, socket.SOCK_DGRAM)
        except OSError as error:
            raise ConfigError([f"syslog: {place}: {error.strerror or error}"]) from error
        self.ident = f"{settings.name}[{os.getpid()}]: "

    def mapPriority(self, levelName: str) -> str:  # noqa: N802, N803  (its names)
        """Return the priority of a level, as the original has them."""
        return _PRIORITIES.get(levelName, "notice")

    def handleError(self, _record: logging.LogRecord) -> None:  # noqa: N802  (its name)
        """Go on: the line is on standard error too."""
