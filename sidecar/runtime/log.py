"""Logging: an event and its fields, as text or as one JSON object per line.

``log = get_logger("registrar")``, then ``log.info("registered", service="web")``. Text lines are
``time level component: event key=value``; control characters are escaped in both formats, so a
label can forge neither a line nor a terminal sequence (reliability T18).
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TextIO

__all__ = ["FORMATS", "LEVELS", "Logger", "configure", "current", "escape", "get_logger", "go_line"]

Line = Callable[[Mapping[str, object]], str | None]

ROOT: Final = "pinnace"
FORMATS: Final = ("text", "json")
LEVELS: Final = ("debug", "info", "warning", "error")
_FIELDS: Final = "pinnace_fields"
_UNSAFE_SPACE: Final = frozenset("\x85\u2028\u2029")


def escape(text: str) -> str:
    """Return text with control characters, line separators and bidi marks as ``\\xNN``."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() and char not in _UNSAFE_SPACE else _escaped(char)
        for char in text
    )


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


class Logger:
    """Writes events of one component."""

    def __init__(self, name: str) -> None:
        """Name the component."""
        self._logger = logging.getLogger(f"{ROOT}.{name}")

    def debug(self, event: str, /, **fields: object) -> None:
        """Log what only a developer wants."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Log what changed."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log what a person should look at some day."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Log what a person should look at now."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, /, **fields: object) -> None:
        """Log an unexpected exception with its traceback."""
        self._write(logging.ERROR, event, fields, exc_info=True)

    def _write(
        self, level: int, event: str, fields: dict[str, object], *, exc_info: bool = False
    ) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", event, extra={_FIELDS: fields}, exc_info=exc_info)


def go_line(text: str, at: float | None = None) -> str:
    """Return a line as Go's package ``log`` writes it: local time, then the text."""
    moment = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    return f"{moment.astimezone():%Y/%m/%d %H:%M:%S} {text}"


def get_logger(name: str) -> Logger:
    """Return the logger of a component."""
    return Logger(name)


def configure(
    form: str = "text",
    level: str = "info",
    stream: TextIO | None = None,
    *,
    line: Line | None = None,
    more: Sequence[logging.Handler] = (),
) -> None:
    """Send all logs to ``stream`` (default stderr), and to ``more``; replaces what was set before.

    ``line`` gives an event of another program's log by its fields; then all lines look as there
    (Go's package ``log``), and such an event is shown whatever its level.
    """
    _current[:] = [form, level]
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    if line is not None:
        handler.setFormatter(_LineFormatter(line))
        least = logging.getLevelNamesMapping()[level.upper()]
        handler.addFilter(lambda r: r.levelno >= least or line(_parts(r)[2]) is not None)
        level = "debug"
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for one in (handler, *more):
        one.setFormatter(handler.formatter)
        root.addHandler(one)
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level.upper())


_current = ["text", "info"]


def current() -> tuple[str, str]:
    """Return the form and level in use, for a process that is to log alike."""
    form, level = _current
    return form, level


def _parts(record: logging.LogRecord) -> tuple[str, str, dict[str, object]]:
    fields: dict[str, object] = getattr(record, _FIELDS, {})
    return record.name.removeprefix(f"{ROOT}."), record.getMessage(), fields


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        component, event, fields = _parts(record)
        line = f"{_time(record)} {record.levelname.lower()} {component}: {escape(event)}"
        for key, value in fields.items():
            line += f" {key}={_quoted(str(value))}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class _LineFormatter(logging.Formatter):
    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def format(self, record: logging.LogRecord) -> str:
        _, event, fields = _parts(record)
        body = self._line(fields)
        if body is None:
            body = event + "".join(f" {key}={_quoted(str(v))}" for key, v in fields.items())
        text = go_line(escape(body), record.created)
        return text + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        component, event, fields = _parts(record)
        entry: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "component": component,
            "event": event,
        }
        for key, value in fields.items():
            entry[key] = value if isinstance(value, int | float | bool | None) else str(value)
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _quoted(text: str) -> str:
    if text and not set(text) & set(' "=') and text.isprintable():
        return text
    return '"' + escape(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
