"""Which requests are for canaries, as in ``header:X-Canary=1,cookie:beta=yes``. Pure.

Any of them is enough. Names and values are of few characters, none of which means anything to a
proxy: what comes from a label can never become configuration (reliability T1).
"""

import re
from typing import Final, NamedTuple

__all__ = ["COOKIE", "HEADER", "VALUE", "Lot", "Match", "matches_of"]

HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
COOKIE: Final = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
"""nginx has a cookie as a variable, whose name takes no other characters."""
VALUE: Final = re.compile(r"[A-Za-z0-9_.:/~+@-]{1,128}", re.ASCII)
_MOST: Final = 8
_LONGEST: Final = 512  # as long as Consul lets a value of meta be


class Match(NamedTuple):
    """One thing that a request may have; its whole value counts, and so does its case."""

    kind: str
    """``header`` or ``cookie``."""
    name: str
    value: str

    def __str__(self) -> str:
        """Return it as ``matches_of`` reads it."""
        return f"{self.kind}:{self.name}={self.value}"

    @classmethod
    def of(cls, kind: str, name: str, value: str) -> "Match":
        """Return what holds only characters that it may. Raises ValueError."""
        if kind not in _NAMES:
            raise ValueError(f"{kind!a:.60} is neither header nor cookie")
        pattern, letters = _NAMES[kind]
        if not pattern.fullmatch(name):
            raise ValueError(
                f"{name!a:.60} is not the name of a {kind}: letters, digits, {letters}"
            )
        if not VALUE.fullmatch(value):
            raise ValueError(
                f"{value!a:.60} cannot be asked for: letters, digits and _.:/~+@- only, 128 at most"
            )
        return cls(kind, name, value)


_NAMES: Final = {"header": (HEADER, "-"), "cookie": (COOKIE, "_")}


class Lot(NamedTuple):
    """What all canaries of a service get: a share of its requests, and those that match."""

    percent: float
    match: str = ""


def matches_of(text: str) -> tuple[Match, ...]:
    """Return what a text asks for, each once. Raises ValueError."""
    words = text.split(",")
    if len(text) > _LONGEST or len(words) > _MOST:
        raise ValueError(f"{len(words)} matches of {len(text)} characters are too many")
    found = []
    for word in words:
        kind, _, rest = word.partition(":")
        name, _, value = rest.partition("=")
        found.append(Match.of(kind, name, value))
    return tuple(dict.fromkeys(found))
