"""What would change in a file, as ``diff -u`` shows it. Pure."""

import difflib
from typing import Final

__all__ = ["unified"]

_RED: Final = "\x1b[31m"
_GREEN: Final = "\x1b[32m"
_CYAN: Final = "\x1b[36m"
_PLAIN: Final = "\x1b[0m"
_COLORS: Final = (("+++", ""), ("---", ""), ("+", _GREEN), ("-", _RED), ("@@", _CYAN), ("", ""))


def unified(path: str, old: bytes | None, new: bytes, context: int = 3, *, color: bool) -> str:
    """Return the difference, empty when there is none; None: there is no file yet."""
    before = _lines(old or b"")
    source = path if old is not None else "/dev/null"
    lines = difflib.unified_diff(before, _lines(new), source, path, n=context)
    text = ""
    for line in lines:
        body = line.removesuffix("\n")
        text += _colored(body) if color else body
        text += "\n"
        if body == line:
            text += "\\ No newline at end of file\n"
    return text


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").splitlines(keepends=True)


def _colored(line: str) -> str:
    color = next(color for start, color in _COLORS if line.startswith(start))
    return f"{color}{line}{_PLAIN}" if color else line
