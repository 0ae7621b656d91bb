"""Count replies in what an upstream sends, over any split of the bytes. Pure; the hot path.

Nesting is one number, the elements still needed, so that its depth costs nothing.
"""

from typing import Final

from ambassador.redis.numbers import number_of
from ambassador.redis.patterns import REPLY, replies_of
from sidecar.errors import ProtocolError

__all__ = ["Replies", "elements"]

_COUNT_LIMIT: Final = 2**31 - 1
_HEADER_LIMIT: Final = 32
_MINUS: Final = 0x2D
_CR: Final = 0x0D
_LF: Final = 0x0A
_PUSH: Final = 0x3E
_LINES: Final = frozenset(b"+-:_,#(")
_BULKS: Final = frozenset(b"$!=")
_AGGREGATES: Final = {0x2A: 1, 0x7E: 1, 0x3E: 1, 0x25: 2, 0x7C: 2}
"""First byte to how many elements each counted one has: ``* ~ > % |``."""
_ATTRIBUTE: Final = 0x7C


def elements(reply: bytes) -> list[bytes]:
    """Return the header of a complete array and its elements."""
    at = reply.index(b"\n") + 1
    parts, walk = [reply[:at]], Replies(takes_pushes=True)
    while at < len(reply):
        end, _ = walk.take_one(reply, at)
        parts.append(reply[at:end])
        at = end
    return parts


class Replies:
    """Counts the replies in what one upstream sends; stops and goes on at any byte.

    ``take`` says how far the wanted replies go. It sets ``has_error`` when one of them is an error
    itself (not inside another), and ``is_inside`` while one has begun and not ended. ``pushes``
    counts those of RESP3, which are no replies, where they are allowed.
    """

    def __init__(self, *, takes_pushes: bool = False) -> None:
        """Start between replies."""
        self.takes_pushes = takes_pushes
        self.has_error = False
        self.pushes = 0
        self._needed = 0  # elements until the present reply is complete
        self._skip = 0  # bytes of a bulk string still to come, its end included
        self._header = b""  # a header that was cut
        self._in_line = False
        self._saw_cr = False
        self._is_push = False
        self._is_top = False  # what comes is not inside another

    @property
    def is_inside(self) -> bool:
        """Whether a reply has begun and not ended."""
        return bool(self._needed or self._header)

    def take(self, data: bytes, at: int, count: int) -> tuple[int, int]:
        """Go over at most ``count`` replies; return where they end and how many ended.

        Raises ProtocolError.
        """
        done = 0
        if not self._needed and not self._header:
            at, done = _short(data, at, count)
        size = len(data)
        while done < count and at < size:
            at = self._step(data, at)
            if not self._needed and not self._header:
                if self._is_push:
                    self._is_push = False
                    self.pushes += 1
                else:
                    done += 1
        return at, done

    def take_one(self, data: bytes, at: int) -> tuple[int, int]:
        """Go over one reply or push at most; return where it ends and how many replies ended."""
        pushes, size = self.pushes, len(data)
        while at < size:
            at = self._step(data, at)
            if not self._needed and not self._header:
                if not self._is_push:
                    return at, 1
                self._is_push = False
                self.pushes = pushes + 1
                break
        return at, 0

    def _step(self, data: bytes, at: int) -> int:
        """Go on by one element, or to the end of the data."""
        if self._skip:
            return self._over_bulk(data, at)
        if self._in_line:
            return self._over_line(data, at)
        if not self._needed:
            self._needed, self._is_top = 1, True
        return self._over_header(data, at)

    def _over_bulk(self, data: bytes, at: int) -> int:
        here = min(self._skip, len(data) - at)
        self._skip -= here
        if not self._skip:
            if data[at + here - 1] != _LF:
                raise ProtocolError("a bulk string does not end where it says")
            self._needed -= 1
        return at + here

    def _over_line(self, data: bytes, at: int) -> int:
        if self._saw_cr and data[at] == _LF:
            self._saw_cr = self._in_line = False
            self._needed -= 1
            return at + 1
        end = data.find(b"\r\n", at)
        if end < 0:
            self._saw_cr = data[-1] == _CR
            return len(data)
        self._saw_cr = self._in_line = False
        self._needed -= 1
        return end + 2

    def _over_header(self, data: bytes, at: int) -> int:
        kind = self._header[0] if self._header else data[at]
        if kind in _LINES:
            if kind == _MINUS and self._is_top:
                self.has_error = True
            self._in_line, self._is_top = True, False
            return at + 1
        end = data.find(b"\n", at)
        header = self._header + data[at : end + 1 if end >= 0 else len(data)]
        if len(header) > _HEADER_LIMIT:
            raise ProtocolError("a header is too long")
        if end < 0:
            self._header = header
            if kind not in _BULKS and kind not in _AGGREGATES:
                raise ProtocolError(f"no reply begins with {chr(kind)!r}")
            return len(data)
        self._header = b""
        self._begin(kind, _length_of(header))
        return end + 1

    def _begin(self, kind: int, length: int) -> None:
        is_top, self._is_top = self._is_top, kind == _ATTRIBUTE and self._is_top
        if kind in _BULKS:
            if length < 0:
                self._needed -= 1
            else:
                self._skip = length + 2
            return
        each = _AGGREGATES.get(kind)
        if each is None:
            raise ProtocolError(f"no reply begins with {chr(kind)!r}")
        if kind == _PUSH:
            if not is_top or not self.takes_pushes:
                raise ProtocolError("a push where none may be")
            self._is_push = True
        if kind == _ATTRIBUTE:
            self._needed += max(length, 0) * each  # and the reply itself is still to come
            return
        self._needed += max(length, 0) * each - 1


def _short(data: bytes, at: int, count: int) -> tuple[int, int]:
    """Go over short replies as far as the patterns do."""
    done = 0
    size = 1 << (count.bit_length() - 1)
    while size > 1:
        if count - done >= size:
            match = replies_of(size).match(data, at)
            if match is not None:
                at = match.end()
                done += size
                continue
        size >>= 1
        size = min(size, 64)
    match_one = REPLY.match
    while done < count:
        match = match_one(data, at)
        if match is None:
            break
        at = match.end()
        done += 1
    return at, done


def _length_of(header: bytes) -> int:
    # Compiled, an empty slice that ends before it begins is an error: at least one digit.
    is_line = len(header) > 3 and header.endswith(b"\r\n")
    number = number_of(header[1:-2]) if is_line else None
    if number is None or not -1 <= number <= _COUNT_LIMIT:
        raise ProtocolError("a length is no number")
    return number
