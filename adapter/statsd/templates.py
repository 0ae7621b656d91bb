"""Names and labels of a mapping rule, filled with what its pattern captured. Pure."""

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["GlobTemplate"]

_REFERENCE: Final = re.compile(r"\$\{?([a-zA-Z0-9_$]+)\}?")


class GlobTemplate:
    """Text with ``$1`` and ``${1}``; a reference that leads nowhere is no text.

    As in statsd_exporter ``$1_a`` is one reference, to a capture of that name, hence to nothing.
    """

    __slots__ = ("_numbers", "_texts")

    def __init__(self, template: str, captures: int) -> None:
        """Prepare for a pattern with so many captures."""
        pieces = _REFERENCE.split(template)
        self._texts = [pieces[0]]
        self._numbers: list[int] = []
        for reference, text in zip(pieces[1::2], pieces[2::2], strict=True):
            number = int(reference) if reference.isdigit() and len(reference) < 5 else 0
            if 1 <= number <= captures:
                self._numbers.append(number - 1)
                self._texts.append(text)
            else:
                self._texts[-1] += text

    def filled(self, captures: Sequence[str]) -> str:
        """Return the text."""
        if not self._numbers:
            return self._texts[0]
        found = [self._texts[0]]
        for number, text in zip(self._numbers, self._texts[1:], strict=True):
            found += (captures[number], text)
        return "".join(found)
