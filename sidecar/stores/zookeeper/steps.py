"""The next request that brings one node to what it should be. Pure.

What a node holds is known, or in doubt: before the first request, or after one without an answer.
Asking costs a round trip, so a node never seen is simply created; most often that is all.

An entry of another session is not safe: it goes when that session ends, which is at most seconds
away when it is of our own dead predecessor. It is replaced by one of ours in one transaction, so
no reader sees a gap. But a node that we made once and that somebody else has replaced by the same
data is left to him: two registrars of one host must not take it from each other for ever.
"""

import enum
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["Actual", "Doubt", "Held", "Step", "is_right", "next_step"]


@dataclass(frozen=True, slots=True)
class Held:
    """A node as it was read; ``session`` is 0 for one that lasts."""

    data: bytes
    session: int
    version: int


class Doubt(enum.Enum):
    """Why it is not known what a node holds."""

    UNSEEN = "never asked, or no answer"
    PRESENT = "something is there"


Actual = Held | Doubt | None
"""What is known of a node; None: it is not there."""


class Step(enum.Enum):
    """One request."""

    CREATE = "create"
    READ = "read"
    SET = "set"
    REPLACE = "replace"
    DELETE = "delete"


def is_right(wanted: bytes | None, actual: Actual, session: int, *, was_ours: bool) -> bool:
    """Say whether the node can stay as it is. ``was_ours``: this process made it once."""
    if wanted is None:
        return actual is None
    if not isinstance(actual, Held):
        return False
    return actual.data == wanted and (actual.session == session or was_ours)


def next_step(
    wanted: bytes | None,
    actual: Actual,
    session: int,
    *,
    was_ours: bool,
    earlier: Collection[int] = (),
) -> Step | None:
    """Return the next request, None when nothing is left to do.

    ``earlier`` are the sessions of our predecessors: what they left may be deleted.
    """
    if isinstance(actual, Doubt):
        is_first = actual is Doubt.UNSEEN and wanted is not None
        return Step.CREATE if is_first else Step.READ
    if is_right(wanted, actual, session, was_ours=was_ours):
        return None
    if actual is None:
        return Step.CREATE
    if wanted is None:
        is_ours = actual.session == session or actual.session in earlier
        return Step.DELETE if is_ours else None
    return Step.SET if actual.session == session else Step.REPLACE
