"""Inline commands: a line split like a shell's, as Redis' ``sdssplitargs`` does. Pure."""

import re
from typing import Final

__all__ = ["UnbalancedQuotes", "command_of", "packed", "words_of"]

_BLANKS: Final = b" \n\r\t\v\f\0"
_ESCAPES: Final = {0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x62: 0x08, 0x61: 0x07}
_HEX: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")
_DOUBLE: Final = 0x22
_SINGLE: Final = 0x27
_BACKSLASH: Final = 0x5C


class UnbalancedQuotes(Exception):
    """A quote does not end, or something other than a blank follows it."""


def packed(*words: bytes) -> bytes:
    """Return a command in array form."""
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


def command_of(line: bytes) -> tuple[bytes, bytes]:
    """Return the name and the array form of an inline command; both empty for an empty line.

    Raises UnbalancedQuotes.
    """
    words = words_of(line)
    return (words[0], packed(*words)) if words else (b"", b"")


def words_of(line: bytes) -> list[bytes]:
    """Return the words of a line. Raises UnbalancedQuotes."""
    words: list[bytes] = []
    at, size = 0, len(line)
    while True:
        while at < size and line[at] in _BLANKS:
            at += 1
        if at >= size or line[at] == 0:
            return words
        word, at = _word(line, at)
        words.append(word)


def _word(line: bytes, at: int) -> tuple[bytes, int]:
    word = bytearray()
    size = len(line)
    while at < size:
        here = line[at]
        if here == _DOUBLE:
            at = _double_quoted(line, at + 1, word)
        elif here == _SINGLE:
            at = _single_quoted(line, at + 1, word)
        elif here in _BLANKS:
            break
        else:
            word.append(here)
            at += 1
            continue
        if at < size and line[at] not in _BLANKS:
            raise UnbalancedQuotes
        break
    return bytes(word), at


def _double_quoted(line: bytes, at: int, word: bytearray) -> int:
    size = len(line)
    while at < size:
        here = line[at]
        if here == _DOUBLE:
            return at + 1
        if here == _BACKSLASH and at + 1 < size:
            if match := _HEX.match(line, at):
                word.append(int(match[1], 16))
                at += 4
                continue
            word.append(_ESCAPES.get(line[at + 1], line[at + 1]))
            at += 2
            continue
        word.append(here)
        at += 1
    raise UnbalancedQuotes


def _single_quoted(line: bytes, at: int, word: bytearray) -> int:
    size = len(line)
    while at < size:
        here = line[at]
        if here == _BACKSLASH and at + 1 < size and line[at + 1] == _SINGLE:
            word.append(_SINGLE)
            at += 2
            continue
        if here == _SINGLE:
            return at + 1
        word.append(here)
        at += 1
    raise UnbalancedQuotes
