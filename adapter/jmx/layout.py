"""Answers that differ only in their numbers: read by one unpacking. Pure.

A bean answers the same question with the same bytes, but for its numbers, and a number's bytes
never change how the rest is read. So from one answer we learn where its numbers stand, and the
next is taken apart by one ``struct``: if all that lies between the numbers is equal, it says what
the first one said. If not, it is read in full, as if nothing had been learnt.
"""

import struct
from collections.abc import Sequence
from typing import Final

__all__ = ["Layout"]

_HEAD: Final = 8  # before the 14 bytes of a number that grows with every answer
_UID: Final = 14


class Layout:
    """Where the numbers of an answer stand."""

    __slots__ = ("_between", "_packed", "size")

    def __init__(self, raw: bytes, slots: Sequence[tuple[int, str]]) -> None:
        """Take an answer and its numbers: offset and ``struct``'s code, in order."""
        shape, at = f">{_HEAD}s{_UID}x", _HEAD + _UID
        for offset, code in slots:
            shape += f"{offset - at}s{code}"
            at = offset + struct.calcsize(">" + code)
        self._packed = struct.Struct(f"{shape}{len(raw) - at}s")
        self.size = self._packed.size
        found = self._packed.unpack(raw)
        self._between = found[:1] + found[1::2]

    def numbers(self, data: bytes, at: int) -> tuple[float, ...] | None:
        """Return the numbers of the answer that begins at ``at``, or None if it is another."""
        found = self._packed.unpack_from(data, at)
        return found[2::2] if found[:1] + found[1::2] == self._between else None
