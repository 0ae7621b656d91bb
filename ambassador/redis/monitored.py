"""Lines of MONITOR: whose command each one tells. Pure.

A server tells its commands by connection, and many clients share one, with commands of our own in
between. What goes out on a connection is executed in that order, so a log of it says whose line is
whose. What is not executed (a refusal, a queued command of a transaction that is dropped) has no
line: the log is searched from its oldest command on, and what is before the one found is forgotten.
"""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from ambassador.redis.framing import Requests
from ambassador.redis.resp import arguments

__all__ = ["LINE", "Log", "Sent", "line_of", "redacted"]

LINE: Final = re.compile(rb"(\+\d+\.\d+ \[\d+ )([^ ]+)\] (.*)\r\n", re.DOTALL)
"""Time and database, place, command."""
_ESCAPED: Final = re.compile(rb"[^ !#-\[\]-~]")
_SPECIAL: Final = {
    b"\\": b"\\\\", b'"': b'\\"', b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t", b"\a": b"\\a",
    b"\b": b"\\b",
}  # fmt: skip
_REDACTED: Final = b"(redacted)"
_MOST: Final = 20_000  # commands that no line has told
_FAR: Final = 2_000  # of them are looked at for one line
_ENOUGH: Final = 512  # bytes of a command that tell it from another


class Sent(NamedTuple):
    """A command that went out."""

    line: bytes  # as MONITOR shows it, or its beginning
    is_whole: bool
    place: bytes | None  # of the client whose it is; None: it is ours
    shown: bytes | None = None  # what is told instead


def line_of(words: Iterable[bytes]) -> bytes:
    """Return a command as MONITOR shows it (sdscatrepr)."""
    return b" ".join(b'"%b"' % _ESCAPED.sub(_escape, word) for word in words)


def _escape(found: re.Match[bytes]) -> bytes:
    byte = found[0]
    return _SPECIAL.get(byte) or b"\\x%02x" % byte[0]


def redacted(name: str, words: Sequence[bytes]) -> list[bytes]:
    """Return AUTH and HELLO without what nobody else is to see."""
    if name == "auth":
        return [words[0], *[_REDACTED] * (len(words) - 1)]
    shown = list(words)
    options = [word.upper() for word in words]
    if name == "hello" and b"AUTH" in options[2:]:
        place = options.index(b"AUTH", 2)
        shown[place + 1 : place + 3] = [_REDACTED] * len(words[place + 1 : place + 3])
    return shown


class Log:
    """What went out on one connection and may still be told."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._sent: deque[Sent] = deque(maxlen=_MOST)

    def add(self, data: bytes, place: bytes | None, shown: bytes | None = None) -> None:
        """Take complete commands that go out."""
        for buffer, found in Requests().split(data):
            for _, begin, end in found:
                line, is_whole = _beginning(arguments(buffer[begin:end]))
                self._sent.append(Sent(line, is_whole, place, shown))

    def find(self, told: bytes) -> Sent | None:
        """Return whose command a line tells; None: nobody's here."""
        name = told.partition(b" ")[0] if _REDACTED in told else b""
        for place, sent in enumerate(islice(self._sent, _FAR)):
            if _is_told(sent, told, name):
                for _ in range(place + 1):
                    self._sent.popleft()
                return sent
        return None


def _beginning(words: list[bytes]) -> tuple[bytes, bool]:
    size, some = 0, []
    for word in words:
        if size > _ENOUGH:
            break
        some.append(word[:_ENOUGH])
        size += len(word)
    is_whole = len(some) == len(words) and all(len(word) <= _ENOUGH for word in words)
    line = line_of(some)
    return (line, True) if is_whole else (line[:_ENOUGH], False)


def _is_told(sent: Sent, told: bytes, name: bytes) -> bool:
    if name:  # what is hidden of it cannot be compared
        return sent.line.partition(b" ")[0] == name
    return sent.line == told if sent.is_whole else told.startswith(sent.line)
