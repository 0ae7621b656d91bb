"""Know at one look what a client sends again and again. Pure; the hot path.

Who sends sixteen commands of one name at once often does so again, so as many as came last are
looked for in one match. Who sends the same lengths again and again, too, gets a pattern of just
these, which takes half the time. To make that one costs as much as some dozen commands, so it is
for who has sent them a few times, and after each one twice as often.
"""

from typing import Final

from ambassador.redis.patterns import COMMAND, alike_of, form_of

__all__ = ["Habit"]

_COUNTS: Final = frozenset({1, 2, 4, 8, 16, 32, 64})
"""Of how many commands there are patterns, which take long to make."""
_MOST: Final = 64
_FIRST: Final = 8


class Habit:
    """What one client sent last: ``count`` commands of the name ``word`` (see ``word_of``)."""

    __slots__ = ("_expected", "_find", "_is_narrow", "_left", "_patience", "_size", "count", "word")

    def __init__(self) -> None:
        """Expect one short command at a time."""
        self.count = self._expected = 1
        self.word = b""
        self._find = COMMAND.fullmatch
        self._is_narrow = False  # it is a pattern of some lengths only
        self._size = 0  # bytes of what came last
        self._left = self._patience = _FIRST  # how often these may still come before it is

    def knows(self, data: bytes) -> bool:
        """Say whether all is like what came before, but for its values."""
        match = self._find(data)
        if self._is_narrow:
            if match is not None:
                return True
            self._widen()
            match = self._find(data)
        word = match[1] if match is not None else None
        if word:
            self.repeats(data, word, self.count)
        return bool(word)

    def expect(self, count: int) -> None:
        """Look for so many short commands from now on, if there is a pattern of them."""
        if count in _COUNTS:
            self._expected = count
            self._widen()

    def _widen(self) -> None:
        self._find = (alike_of(self._expected) if self._expected > 1 else COMMAND).fullmatch
        self._is_narrow = False
        self.count = self._expected

    def repeats(self, data: bytes, word: bytes, count: int) -> None:
        """Hear of so many commands with one word; look for these lengths if they come often."""
        self.word = word
        if len(data) != self._size:
            self._size, self._left = len(data), self._patience
            return
        self._left -= 1
        if self._left == 0 and count <= _MOST:
            self._left = self._patience = self._patience * 2
            find = form_of(data, count).fullmatch
            if find(data) is not None:
                self._find, self._is_narrow, self.count = find, True, count
