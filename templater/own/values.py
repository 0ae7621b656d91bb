"""Values from outside, as templates see them: plain text, or a Suspect that refuses. Pure.

Text that holds a control character or a line separator could start another line of whatever is
rendered, so it never becomes text by itself: whatever would turn it into some raises RenderError
naming service and field (reliability T1). What is for addresses and names is held to their own
alphabets. A quoting filter may take a Suspect, as its target can hold such a value safely.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final, NoReturn

from sidecar.errors import RenderError
from templater.names import shown

__all__ = ["UNSAFE", "Suspect", "fitting", "text_of", "wrapped"]

UNSAFE: Final = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
"""What is never written as it is: controls, line separators, what is no character at all."""


class Suspect:
    """Foreign text that raises RenderError when it is to become output."""

    __slots__ = ("_text", "_why")

    go_methods: ClassVar[Mapping[str, str]] = {"String": "refuse"}

    def __init__(self, text: str, why: str) -> None:
        """``why`` says in one line whose value this is and what is wrong with it."""
        self._text = text
        self._why = why

    def refuse(self) -> str:
        """Raise RenderError."""
        return self._refused()

    def _refused(self, *_: object) -> NoReturn:
        raise RenderError(self._why)

    def __eq__(self, other: object) -> bool:
        """Compare as text: that writes nothing."""
        return isinstance(other, Suspect) and other._text == self._text

    def __hash__(self) -> int:
        """Hash as text."""
        return hash(self._text)

    def __bool__(self) -> bool:
        """Say that there is something."""
        return bool(self._text)

    def __iter__(self) -> Iterator[str]:
        """Refuse."""
        self._refused()

    def __str__(self) -> str:
        """Refuse."""
        return self.refuse()

    def __format__(self, _form: str) -> str:
        """Refuse."""
        self._refused()

    def __html__(self) -> str:
        """Refuse."""
        self._refused()

    def __repr__(self) -> str:
        """Refuse: a list that holds it is written by this."""
        self._refused()

    def __getitem__(self, _at: object) -> str:
        """Refuse."""
        self._refused()

    def __contains__(self, _part: object) -> bool:
        """Refuse."""
        self._refused()

    __len__: ClassVar[Callable[..., int]] = _refused
    __add__ = __radd__ = __mod__ = __rmod__ = __mul__ = __rmul__ = _refused
    __lt__ = __le__ = __gt__ = __ge__ = _refused


def wrapped(text: str, owner: str, place: str) -> Any:
    """Return text as it is, or a Suspect; ``owner`` and ``place`` are for its message.

    Typed Any, as templates treat both alike.
    """
    found = UNSAFE.search(text)
    if found is None:
        return text
    return Suspect(
        text,
        f"{owner}: {place} holds the character U+{ord(found[0]):04X}: {shown(text)};"
        " a quoting filter can write it",
    )


def fitting(text: str, alphabet: re.Pattern[str], owner: str, place: str) -> Any:
    """Return text of an alphabet as it is, other text as a Suspect."""
    if alphabet.fullmatch(text):
        return text
    return Suspect(text, f"{owner}: {place} {shown(text)} may not be written without quoting")


def text_of(value: object) -> str:
    """Return the text of a value for a quoting filter, which may take what is suspect."""
    if isinstance(value, Suspect):
        return value._text  # noqa: SLF001  (the one door, for those who quote)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, bool):
        return str(value).lower()
    raise RenderError(f"a {type(value).__name__} cannot be quoted as text")
