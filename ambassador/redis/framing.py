"""Find where commands and replies end, over any split of the bytes. Pure; the hot path.

A command is known by its *word*, the name with its length as sent (``$3\\r\\nGET``), and where it
begins and ends; nothing else of it is looked at here. Two ways lead there: a regular expression
that matches a whole short command or some replies at once (``patterns``), and a walk from header
to header that can stop anywhere and goes on where it stopped. Both give the same (the tests
compare them), so a byte is looked at once however the bytes are cut, and a value of 512 MiB is
neither searched nor copied per segment.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ambassador.redis.inline import UnbalancedQuotes, command_of
from ambassador.redis.patterns import COMMAND, REPLY, replies_of
from sidecar.errors import ProtocolError

__all__ = ["CommandLimits", "Replies", "Requests", "word_of"]

Found = tuple[bytes, int, int]
"""Word, begin and end of a command in its buffer."""
Batch = tuple[bytes, list[Found]]

_LINE_LIMIT: Final = 65536  # PROTO_INLINE_MAX_SIZE, for inline commands and headers alike
_COUNT_LIMIT: Final = 2**31 - 1
_STRANGER_COUNT: Final = 10  # what Redis takes of a client that is not authenticated
_STRANGER_BULK: Final = 16384
_HEADER_LIMIT: Final = 32
_STAR: Final = 0x2A
_DOLLAR: Final = 0x24
_MINUS: Final = 0x2D
_CR: Final = 0x0D
_LF: Final = 0x0A
_PUSH: Final = 0x3E
_LINES: Final = frozenset(b"+-:_,#(")
_BULKS: Final = frozenset(b"$!=")
_AGGREGATES: Final = {0x2A: 1, 0x7E: 1, 0x3E: 1, 0x25: 2, 0x7C: 2}
"""First byte to how many elements each counted one has: ``* ~ > % |``."""
_ATTRIBUTE: Final = 0x7C


class CommandLimits(NamedTuple):
    """What a client may send. The defaults are Redis' own."""

    bulk: int = 512 << 20
    buffer: int = 1 << 30


def word_of(name: bytes) -> bytes:
    """Return a name as it is sent, its length before it."""
    return b"$%d\r\n%b" % (len(name), name)


class Requests:
    """Splits what one client sends into commands.

    ``failure`` is set when the client breaks the protocol: what Redis would answer, without
    ``ERR Protocol error: ``, or empty for what Redis ends without a word. It takes nothing then.
    """

    def __init__(self, limits: CommandLimits = CommandLimits()) -> None:  # noqa: B008 - immutable
        """Start between commands; ``is_stranger`` asks for the limits of the unauthenticated."""
        self.limits = limits
        self.is_stranger = False
        self.failure: str | None = None
        self._buffer = bytearray()  # begins with the command that is not complete
        self._need = 0  # bytes in the buffer before it is worth looking again
        self._at = 0  # where the walk goes on
        self._left = -1  # arguments still to come; -1: not even their number is known
        self._bulk = -1  # bytes of the argument that is walked over
        self._word = b""

    @property
    def pending(self) -> int:
        """Return how many bytes of a command that is not complete are kept."""
        return len(self._buffer)

    def split(self, data: bytes) -> Sequence[Batch]:
        """Return the commands complete now, by the buffers that they are in."""
        if self.failure is not None:
            return ()
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._need:
                return ()
            data = b""
        batches: list[Batch] = []
        found: list[Found] = []
        at, size = 0, len(data)
        scan = COMMAND.match
        while True:
            while (match := scan(data, at)) is not None:
                end = match.end()
                found.append((match[match.lastindex or 0], at, end))
                at = end
            if at >= size and not self._buffer:
                break
            # Not a short command: walk it, in the kept bytes if there are any.
            source: bytes | bytearray = self._buffer or data
            begin = 0 if self._buffer else at
            self._at = max(self._at, begin)
            end = self._walk(source, begin)
            if end < 0:
                self._keep(source, begin)
                break
            if self._buffer:
                data, size = bytes(self._buffer), len(self._buffer)
                self._buffer.clear()
            self._need = self._at = 0
            at = end
            if data[begin] == _STAR:
                if self._word:
                    found.append((self._word, begin, end))
            elif line := self._inline(data, begin, end):
                if found:
                    batches.append((data, found))
                    found = []
                batches.append((line, [(self._word, 0, len(line))]))
            self._word = b""
            if self.failure is not None:
                break
        if found:
            batches.append((data, found))
        return batches

    def _keep(self, source: bytes | bytearray, begin: int) -> None:
        if self.failure is not None:
            self._buffer.clear()
            return
        if source is not self._buffer:
            self._buffer += memoryview(source)[begin:]
            self._at -= begin
            self._need -= begin
        if len(self._buffer) > self.limits.buffer:
            self._fail("")

    def _fail(self, why: str) -> int:
        self.failure = why
        self._buffer.clear()
        return -1

    def _walk(self, data: bytes | bytearray, begin: int) -> int:
        """Go on over the command that begins there; return its end, -1 when it is not complete."""
        if data[begin] != _STAR:
            return self._walk_line(data, begin)
        if self._left < 0 and not self._has_count(data, begin):
            return -1
        while self._left > 0:
            if self._bulk < 0 and not self._has_length(data):
                return -1
            end = self._at + self._bulk + 2
            if len(data) < end:
                self._need = end
                return -1
            if not self._word:
                self._word = word_of(bytes(data[self._at : end - 2]))
            self._at, self._bulk = end, -1
            self._left -= 1
        self._left = -1
        return self._at

    def _has_count(self, data: bytes | bytearray, begin: int) -> bool:
        end = self._line_end(data, begin + 1, "too big mbulk count string")
        if end < 0:
            return False
        count = _number(data[begin + 1 : end])
        if count is None or count > _COUNT_LIMIT:
            self._fail("invalid multibulk length")
            return False
        if count > _STRANGER_COUNT and self.is_stranger:
            self._fail("unauthenticated multibulk length")
            return False
        self._left, self._at = max(count, 0), end + 2
        return True

    def _has_length(self, data: bytes | bytearray) -> bool:
        at = self._at
        if at >= len(data):
            self._need = at + 1
            return False
        if data[at] != _DOLLAR:
            # As Redis finds out: only with the whole line there.
            if self._line_end(data, at, "too big bulk count string") >= 0:
                self._fail(f"expected '$', got '{chr(data[at])}'")
            return False
        end = self._line_end(data, at + 1, "too big bulk count string")
        if end < 0:
            return False
        length = _number(data[at + 1 : end])
        if length is None or not 0 <= length <= self.limits.bulk:
            self._fail("invalid bulk length")
            return False
        if length > _STRANGER_BULK and self.is_stranger:
            self._fail("unauthenticated bulk length")
            return False
        self._bulk, self._at = length, end + 2
        return True

    def _line_end(self, data: bytes | bytearray, begin: int, failure: str) -> int:
        """Return where a line's CR is, -1 when the CR and the byte after it are not there yet."""
        end = data.find(b"\r", begin)
        if end < 0:
            if len(data) - begin > _LINE_LIMIT:
                self._fail(failure)
            self._need = len(data) + 1
            return -1
        if end + 1 >= len(data):
            self._need = end + 2
            return -1
        return end

    def _walk_line(self, data: bytes | bytearray, begin: int) -> int:
        end = data.find(b"\n", self._at)
        if end < 0:
            if len(data) - begin > _LINE_LIMIT:
                return self._fail("too big inline request")
            self._at = len(data)
            self._need = len(data) + 1
            return -1
        return end + 1

    def _inline(self, data: bytes, begin: int, end: int) -> bytes:
        """Return an inline command in array form, empty when there is none."""
        line = data[begin : end - 1]
        try:
            name, whole = command_of(line[:-1] if line.endswith(b"\r") else line)
        except UnbalancedQuotes:
            self._fail("unbalanced quotes in request")
            return b""
        self._word = word_of(name)
        return whole


def _number(text: bytes | bytearray) -> int | None:
    """Return a number as Redis' string2ll takes it: no blanks, no plus, no leading zero."""
    if len(text) > 20 or not text.isascii():
        return None
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or (digits[:1] == b"0" and len(text) > 1):
        return None
    return int(text)


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
            self._needed = 1
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
            if kind == _MINUS and self._needed == 1 and not self._is_push:
                self.has_error = True
            self._in_line = True
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
            if self._needed != 1 or self._is_push or not self.takes_pushes:
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
    number = _number(header[1:-2]) if header.endswith(b"\r\n") else None
    if number is None or not -1 <= number <= _COUNT_LIMIT:
        raise ProtocolError("a length is no number")
    return number
