"""Texts of scripts that clients have sent, so that a replica can be told of one it lacks. Pure.

A script that the primary knows by EVAL or SCRIPT LOAD is not known to its replicas.
"""

from collections import OrderedDict
from typing import Final

__all__ = ["Scripts"]

_MOST_BYTES: Final = 1 << 20
_LONGEST: Final = 1 << 16


class Scripts:
    """Keeps the texts that were used last."""

    def __init__(self) -> None:
        """Start without any."""
        self._texts: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0

    def saw(self, text: bytes) -> None:
        """Keep a text, and forget the oldest where there is no room."""
        if len(text) > _LONGEST:
            return
        from hashlib import sha1  # noqa: PLC0415 - memory

        digest = sha1(text, usedforsecurity=False).hexdigest().encode()
        if digest in self._texts:
            self._texts.move_to_end(digest)
            return
        self._texts[digest] = text
        self._bytes += len(text)
        while self._bytes > _MOST_BYTES:
            _, oldest = self._texts.popitem(last=False)
            self._bytes -= len(oldest)

    def text(self, digest: bytes) -> bytes | None:
        """Return the text of a digest, in any case of its letters."""
        return self._texts.get(digest.lower())
