"""Regular expressions that know whole commands and replies, lengths included. Pure.

A bulk string is ``$3\\r\\nabc\\r\\n``: its length stands before it, which a regular expression
cannot use, but it can name each short length in turn (``3\\r\\n.{3}\\r\\n|4\\r\\n.{4}\\r\\n|...``,
as a tree of digits). So one call of the engine, which is compiled code, frames and checks what
would take a loop per argument. Of a command with one longer argument, and of a longer reply, the
header is matched and the bytes that it announces are skipped by whoever asked. What is stranger is
walked (``framing``).

Every repetition is possessive (``.{3}+``), as a length leaves nothing to try again; that is also
what the engine does fastest. Several commands or replies in one match cost a third of as many
matches.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Final

__all__ = [
    "COMMAND",
    "LONG_COMMAND",
    "LONG_REPLY",
    "REPLY",
    "alike_of",
    "form_of",
    "replies_of",
    "tail_of",
]

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
            here = rf"\r\n{byte}{{{int(text)}}}+{end}"
            longer = after(text) if int(text) * 10 <= longest else []
            found.append(f"{digit}(?:{'|'.join([here, *longer])})" if longer else f"{digit}{here}")
        return found

    return "|".join(after(""))


_EMPTY: Final = r"0\r\n\r\n"
_SHORT_BULK: Final = rf"\$(?:{_EMPTY}|{_sized(_SHORT)})"
_MEDIUM_BULK: Final = rf"\$(?:{_EMPTY}|{_sized(_MEDIUM)})"
_WORD: Final = rf"\$(?:{_sized(19, chr(92) + 'w', '')})"
_KNOWN: Final = r"\1\r\n"  # the word that was found ahead


def _shapes(last_bulk: str) -> str:
    """Return a pattern of a command of up to some arguments, behind its star."""
    shapes = [
        rf"1\r\n{_KNOWN}",
        rf"2\r\n{_KNOWN}{_SHORT_BULK}",
        rf"3\r\n{_KNOWN}{_SHORT_BULK}{last_bulk}",
        *(
            rf"{count}\r\n{_KNOWN}(?>{_SHORT_BULK}){{{count - 1}}}+"
            for count in range(4, _MOST_ARGUMENTS + 1)
        ),
    ]
    return "|".join(shapes)


COMMAND: Final = re.compile(
    rf"\*(?=.\r\n({_WORD})\r\n)(?:{_shapes(_MEDIUM_BULK)})|.+".encode(), re.DOTALL
)
"""A command of up to some arguments, or what is left.

The one group is the command's word, the name with its length before it (``$3\r\nGET``). It is
looked at ahead, so that it is the same group for each number of arguments; that makes ``findall``
return the words of all commands, and an empty one last for what is none.
"""


_LONG: Final = r"\$([1-9]\d{2,8})\r\n"


def _up_to_long(most: int) -> str:
    """Return a pattern of at most so many short arguments and the header of a longer one."""
    return rf"{_LONG}|{_SHORT_BULK}(?:{_up_to_long(most - 1)})" if most else _LONG


LONG_COMMAND: Final = re.compile(
    rf"\*[2-9]\r\n({_WORD})\r\n(?:{_up_to_long(3)})".encode(), re.DOTALL
)
"""A command up to and with the header of its first longer argument.

The groups are the word and then the length: the second group if that argument is the first after
the word, the third if it is the second, and so on (``lastindex``).
"""


@cache
def tail_of(count: int) -> re.Pattern[bytes]:
    """Return a pattern of so many short arguments, behind a longer one."""
    return re.compile(rf"(?>{_SHORT_BULK}){{{count}}}+".encode(), re.DOTALL)


@cache
def alike_of(count: int) -> re.Pattern[bytes]:
    """Return a pattern of exactly so many commands with short arguments and the same word."""
    return re.compile(
        rf"(?=\*.\r\n({_WORD})\r\n)(?:\*(?:{_shapes(_SHORT_BULK)})){{{count}}}+".encode(), re.DOTALL
    )


def form_of(data: bytes, count: int) -> re.Pattern[bytes]:
    """Return a pattern of exactly so many commands that have the word and lengths of the first."""
    sizes: list[int] = []
    fixed: list[bytes] = []  # what is before each value, and behind the last
    begun, at = 0, data.index(b"\n") + 1
    for place in range(int(data[1 : at - 2])):
        begin = data.index(b"\n", at) + 1
        end = begin + int(data[at + 1 : begin - 2])
        if place:
            sizes.append(end - begin)
            fixed.append(data[begun:begin])
            begun = end
        at = end + 2
    return _form(tuple(sizes), (*fixed, data[begun:at]), count)


@lru_cache(256)
def _form(sizes: tuple[int, ...], fixed: tuple[bytes, ...], count: int) -> re.Pattern[bytes]:
    """Return the pattern; what is fixed is text once, then a group, which is compared faster."""
    values = [b".{%d}+" % size for size in sizes]
    if not values or count == 1:
        once = re.escape(fixed[0]) + _joined(values, [*map(re.escape, fixed[1:])])
        return re.compile(b"(?:%b){%d}+" % (once, count), re.DOTALL)
    head, *between, last = fixed
    parts = [
        b"(?P<t%d>%b)" % (place, re.escape(text))
        for place, text in enumerate((*between, last + head))
    ]
    again = [b"(?P=t%d)" % place for place in range(len(parts))]
    first, rest = _joined(values, parts), _joined(values, again)
    # The last of all has no head behind it.
    end = _joined(values, [*again[:-1], re.escape(last)])
    source = re.escape(head) + first + b"(?:%b){%d}+" % (rest, count - 2) + end
    return re.compile(source, re.DOTALL)


def _joined(values: Sequence[bytes], texts: Sequence[bytes]) -> bytes:
    return b"".join(value + text for value, text in zip(values, texts, strict=True))


def _reply(sizes: str) -> str:
    return rf"\$(?:{_EMPTY}|-1\r\n|{sizes})|\+OK\r\n|[+:][^\r\n]*+\r\n"


REPLY: Final = re.compile(_reply(_sized(_MEDIUM)).encode(), re.DOTALL)
"""One short reply that is no error and no aggregate."""


LONG_REPLY: Final = re.compile(_LONG.encode())
"""The header of a longer bulk string; the group is its length."""


@cache
def replies_of(count: int) -> re.Pattern[bytes]:
    """Return a pattern of exactly so many short replies."""
    if count == 1:
        return REPLY
    return re.compile(rf"(?:{_reply(_sized(_SHORT))}){{{count}}}+".encode(), re.DOTALL)
