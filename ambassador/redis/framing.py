"""Find where commands begin and end, over any split of the bytes. Pure; the hot path.

A command is known by its *word*, the name with its length as sent (``$3\\r\\nGET``), and where it
begins and ends; nothing else of it is looked at here. Two ways lead there: a regular expression
that matches a whole short command at once (``patterns``), and a walk from header to header that can
stop anywhere and goes on where it stopped. Both give the same (the tests compare them), so a byte
is looked at once however the bytes are cut, and a value of 512 MiB is neither searched nor copied
per segment.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ambassador.redis.inline import UnbalancedQuotes, command_of
from ambassador.redis.numbers import number_of
from ambassador.redis.passing import LONG, Remainder
from ambassador.redis.patterns import COMMAND

__all__ = ["DEFAULT_LIMITS", "Batch", "CommandLimits", "Found", "Requests", "word_of"]

Found = tuple[bytes, int, int]
"""Word, begin and end of a command in its buffer."""
Batch = tuple[bytes, list[Found]]

_LINE_LIMIT: Final = 65536  # PROTO_INLINE_MAX_SIZE, for inline commands and headers alike
_COUNT_LIMIT: Final = 2**31 - 1
_STRANGER_COUNT: Final = 10  # what Redis takes of a client that is not authenticated
_STRANGER_BULK: Final = 16384
_HTTP: Final = frozenset({b"post", b"host:"})
_STAR: Final = 0x2A
_DOLLAR: Final = 0x24


class CommandLimits(NamedTuple):
    """What a client may send. The defaults are Redis' own."""

    bulk: int = 512 << 20
    buffer: int = 1 << 30


DEFAULT_LIMITS: Final = CommandLimits()


def word_of(name: bytes) -> bytes:
    """Return a name as it is sent, its length before it."""
    return b"$%d\r\n%b" % (len(name), name)


class Requests:
    """Splits what one client sends into commands.

    ``failure`` is set when the client breaks the protocol: what Redis would answer, without
    ``ERR Protocol error: ``, or empty for what Redis ends without a word. It takes nothing then.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_bulk",
        "_left",
        "_need",
        "_word",
        "failure",
        "is_begun",
        "is_stranger",
        "limits",
    )

    def __init__(self, limits: CommandLimits = DEFAULT_LIMITS) -> None:
        """Start between commands; ``is_stranger`` asks for the limits of the unauthenticated."""
        self.limits = limits
        self.is_stranger = False
        self.failure: str | None = None
        self.is_begun = False  # a command has come in part, or no more are taken
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

    @property
    def has_failed(self) -> bool:
        """Whether the client broke the protocol.

        A look that a type checker does not follow: it, and with it mypyc, takes what was None at
        the beginning of a method for None to its end.
        """
        return self.failure is not None

    @property
    def is_long(self) -> bool:
        """Whether what has come in part is a command with a long argument, known by its name."""
        return self._bulk >= LONG and bool(self._word) and bool(self._buffer)

    @property
    def word(self) -> bytes:
        """Return the word of the command that has come in part."""
        return self._word

    def release(self) -> tuple[bytes, Remainder]:
        """Give out what there is of a long command, and what finds its end; forget it."""
        begun = bytes(self._buffer)
        rest = self._at + self._bulk + 2 - len(begun)
        remainder = Remainder(rest, self._left - 1, self.limits.bulk)
        self._buffer.clear()
        self._need = self._at = 0
        self._left = self._bulk = -1
        self._word = b""
        self.is_begun = False
        return begun, remainder

    def refuse(self, why: str) -> None:
        """Take no more, as the client breaks the protocol."""
        self._fail(why)

    def split(self, data: bytes) -> Sequence[Batch]:
        """Return the commands complete now, by the buffers that they are in."""
        if self.has_failed:
            return ()
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._need:
                return ()
            data = b""
        batches: list[Batch] = []
        found: list[Found] = []
        at = 0
        scan = COMMAND.match
        while not self.has_failed:
            while (match := scan(data, at)) is not None and (word := match[1]):
                end = match.end()
                found.append((word, at, end))
                at = end
            if at >= len(data) and not self._buffer:
                break
            # Not a short command: walk it, in the kept bytes if there are any.
            begin = 0 if self._buffer else at
            self._at = max(self._at, begin)
            at = self._walk(self._buffer or data, begin)
            if at < 0:
                self._keep(data, begin)
                break
            if self._buffer:
                data = bytes(self._buffer)
                self._buffer.clear()
            found = self._note(data, begin, at, found, batches)
        if found:
            batches.append((data, found))
        self.is_begun = bool(self._buffer) or self.has_failed
        return batches

    def _note(
        self, data: bytes, begin: int, end: int, found: list[Found], batches: list[Batch]
    ) -> list[Found]:
        """Add the command that was walked; an inline one is in a buffer of its own."""
        self._need = self._at = 0
        if data[begin] == _STAR:
            if self._word:
                found.append((self._word, begin, end))
        elif line := self._inline(data, begin, end):
            if found:
                batches.append((data, found))
                found = []
            batches.append((line, [(self._word, 0, len(line))]))
        self._word = b""
        return found

    def _keep(self, data: bytes, begin: int) -> None:
        """Keep what is not complete, unless it is kept already."""
        if self.has_failed:
            self._buffer.clear()
            return
        if not self._buffer:
            self._buffer += memoryview(data)[begin:]
            self._at -= begin
            self._need -= begin
        if len(self._buffer) > self.limits.buffer:
            self._fail("")

    def _fail(self, why: str) -> int:
        self.failure = why
        self.is_begun = True
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
        count = number_of(data[begin + 1 : end])
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
        length = number_of(data[at + 1 : end])
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
        if name.lower() in _HTTP:
            self._fail("")  # a browser was told to talk to us: Redis ends that, too
            return b""
        self._word = word_of(name)
        return whole
