"""Log lines as confd writes them: ``<RFC 3339> <host> <program>[<pid>]: LEVEL message``."""

import logging
import os
import socket
from datetime import UTC, datetime
from typing import Final

from sidecar.runtime import log

__all__ = ["configure", "fatal"]

_LEVELS: Final = {
    "panic": "critical",
    "fatal": "critical",
    "error": "error",
    "warn": "warning",
    "warning": "warning",
    "info": "info",
    "debug": "debug",
}
_NAMES: Final = {"CRITICAL": "FATAL"}
_NAME: Final = f"{log.ROOT}.confd"


def configure(program: str, level: str, form: str = "text") -> None:
    """Send logs to stderr in confd's form, or as JSON objects."""
    log.configure(form, _LEVELS[level])
    if form == "text":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(_Lines(program))


def fatal(message: str) -> None:
    """Log what ends the program."""
    logging.getLogger(_NAME).critical("%s", message)


class _Lines(logging.Formatter):
    def __init__(self, program: str) -> None:
        super().__init__()
        self._tag = f"{socket.gethostname()} {program}[{os.getpid()}]"

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        text = at.isoformat(timespec="seconds").replace("+00:00", "Z")
        level = _NAMES.get(record.levelname, record.levelname)
        line = f"{text} {self._tag}: {level} {log.escape(record.getMessage())}"
        fields = getattr(record, "pinnace_fields", {})
        line += "".join(f" {key}={log.escape(str(value))}" for key, value in fields.items())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line
