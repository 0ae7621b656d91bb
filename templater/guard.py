"""When not to believe that almost everything is gone (reliability F14). Pure."""

from collections.abc import Set as AbstractSet
from typing import Final

from templater.routes import Routes

__all__ = ["loses_most", "most_gone"]

_SHARE: Final = 0.5
_FEW: Final = 4  # fewer than this may go at once: a small host's whole service


def loses_most(old: Routes, new: Routes) -> bool:
    """Say whether more than half of the endpoints, and at least four, would go at once."""
    return most_gone(old.endpoints(), new.endpoints())


def most_gone(before: AbstractSet[object], after: AbstractSet[object]) -> bool:
    """Say whether more than half, and at least four, are gone."""
    gone = len(before - after)
    return gone >= _FEW and gone > _SHARE * len(before)
