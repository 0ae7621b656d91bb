"""Skip what is long and complete: one match per header, one addition per body. Pure; hot.

What is cut, stranger or against a limit is left to the walks, which give the same and find out why.
"""

from typing import TYPE_CHECKING, Final

from ambassador.redis.patterns import LONG_COMMAND, LONG_REPLY, tail_of

if TYPE_CHECKING:
    import re

    from ambassador.redis.framing import Found

__all__ = ["alike", "over_commands", "over_replies"]

_DIGIT_0: Final = 0x30
_LF: Final = 0x0A


def over_commands(data: bytes, at: int, most: int, found: "list[Found]") -> int:
    """Add the commands from there on with one longer argument, of at most so many bytes.

    Return where they end. As in Redis nobody looks at the two bytes behind that argument.
    """
    size, scan = len(data), LONG_COMMAND.match
    while at < size and (match := scan(data, at)) is not None:
        end = _end(match, data, at, most)
        if end < 0:
            break
        found.append((match[1], at, end))
        at = end
    return at


def _end(match: "re.Match[bytes]", data: bytes, at: int, most: int) -> int:
    """Return where a command ends of which the header of the longer argument is found, or -1."""
    place = match.lastindex or 0
    length = int(match[place])
    end = match.end() + length + 2
    if end > len(data) or length > most:
        return -1
    behind = data[at + 1] - _DIGIT_0 - place  # arguments after the longer one
    if behind == 0:
        return end
    tail = tail_of(behind).match(data, end) if behind > 0 else None
    return -1 if tail is None else tail.end()


def alike(data: bytes, most: int) -> tuple[bytes, int]:
    """Return word and number of commands that differ only in their first and longer arguments.

    Only in their bytes, not in their lengths; an empty word if there is anything else.
    """
    match = LONG_COMMAND.match(data)
    stride = 0 if match is None else _end(match, data, 0, most)
    if match is None or stride <= 0 or len(data) % stride:
        return b"", 0
    word, count = match[1], len(data) // stride
    if count == 1:
        return word, 1
    body = match.end()
    tail = body + int(match[match.lastindex or 0]) + 2
    first = len(word) + 6  # where the first argument's header begins, which may be the longer one
    begin = data.index(b"\n", first) + 1
    end = body if begin == body else begin + int(data[first + 1 : begin - 2])
    head, middle, last = data[:begin], data[end:body], data[tail:stride]
    starts = data.startswith
    for at in range(stride, len(data), stride):
        if not (
            starts(head, at) and starts(middle, at + end) and (not last or starts(last, at + tail))
        ):
            return b"", 0
    return word, count


def over_replies(data: bytes, at: int, count: int) -> tuple[int, int]:
    """Return where at most so many longer bulk strings end, and how many they are."""
    done, size, scan = 0, len(data), LONG_REPLY.match
    while done < count and (match := scan(data, at)) is not None:
        behind = match.end()
        head, stride = data[at:behind], behind - at + int(match[1]) + 2
        while at + stride <= size and data[at + stride - 1] == _LF:
            at += stride
            done += 1
            if done == count or not data.startswith(head, at):
                break
        else:
            break
    return at, done
