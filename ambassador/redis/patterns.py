"""Regular expressions that know whole commands and replies, lengths included. Pure.

A bulk string is ``$3\\r\\nabc\\r\\n``: its length stands before it, which a regular expression
cannot use, but it can name each short length in turn (``3\\r\\n.{3}\\r\\n|4\\r\\n.{4}\\r\\n|...``,
as a tree of digits). So one call of the engine, which is compiled code, frames and checks what
would take a loop per argument. What is longer or stranger is walked (``framing``).
"""

import re
from functools import cache
from typing import Final

__all__ = ["COMMAND", "REPLY", "replies_of"]

_SHORT: Final = 99
_MEDIUM: Final = 999
_MOST_ARGUMENTS: Final = 6


def _sized(longest: int, byte: str = ".", end: str = r"\r\n") -> str:
    """Return a pattern of a length of at most so much, and as many bytes as it says."""

    def after(prefix: str) -> list[str]:
        found = []
        for digit in range(10):
            text = f"{prefix}{digit}"
            if int(text) > longest or (digit == 0 and not prefix):
                continue
            here = rf"\r\n{byte}{{{int(text)}}}{end}"
            longer = after(text) if int(text) * 10 <= longest else []
            found.append(f"{digit}(?:{'|'.join([here, *longer])})" if longer else f"{digit}{here}")
        return found

    return "|".join(after(""))


_EMPTY: Final = r"0\r\n\r\n"
_SHORT_BULK: Final = rf"\$(?:{_EMPTY}|{_sized(_SHORT)})"
_MEDIUM_BULK: Final = rf"\$(?:{_EMPTY}|{_sized(_MEDIUM)})"
_WORD: Final = rf"\$(?:{_sized(19, chr(92) + 'w', '')})"
_NAME: Final = rf"{_WORD}\r\n"


def _command() -> str:
    """Return a pattern of a command of up to some arguments, or of what is left.

    The one group is the command's word, the name with its length before it (``$3\\r\\nGET``). It
    is looked at ahead, so that it is the same group for each number of arguments; that makes
    ``findall`` return the words of all commands, and an empty one last for what is none.
    """
    shapes = [
        rf"1\r\n{_NAME}",
        rf"2\r\n{_NAME}{_SHORT_BULK}",
        rf"3\r\n{_NAME}{_SHORT_BULK}{_MEDIUM_BULK}",
        *(
            rf"{count}\r\n{_NAME}(?>{_SHORT_BULK}){{{count - 1}}}"
            for count in range(4, _MOST_ARGUMENTS + 1)
        ),
    ]
    return rf"\*(?=.\r\n({_WORD})\r\n)(?:{'|'.join(shapes)})|.+"


COMMAND: Final = re.compile(_command().encode(), re.DOTALL)
_LINE: Final = r"[+:][^\r\n]*+\r\n|\$-1\r\n"
REPLY: Final = re.compile(f"{_LINE}|{_MEDIUM_BULK}".encode(), re.DOTALL)
"""One short reply that is no error and no aggregate."""


@cache
def replies_of(count: int) -> re.Pattern[bytes]:
    """Return a pattern of exactly so many short replies."""
    return re.compile(rf"(?>{_LINE}|{_SHORT_BULK}){{{count}}}+".encode(), re.DOTALL)
