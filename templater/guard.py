"""When not to believe that almost everything is gone (reliability F14). Pure."""

from collections.abc import Set as AbstractSet
from typing import Final

from templater.routes import Routes

__all__ = ["loses_most", "most_gone"]

_SHARE: Final = 0.5
_FEW: Final = 4  # fewer than this may go at once: a small host's whole service


def loses_most(old: Routes, new: Routes) -> bool:
    """Say whether more than half of the endpoints, and at least four, would go at once."""
    changed = {
        upstream.service
        for upstream, members in old.upstreams.items()
        if new.upstreams.get(upstream) is not members
    }
    # Most changes are of one service: all the others need not be looked through.
    if len(_of(old, changed) - _of(new, changed)) < _FEW:
        return False
    return most_gone(old.endpoints(), new.endpoints())


def _of(routes: Routes, services: AbstractSet[str]) -> set[tuple[str, object]]:
    return {
        (upstream.service, one.key)
        for upstream, members in routes.upstreams.items()
        if upstream.service in services
        for one in members
    }


def most_gone(before: AbstractSet[object], after: AbstractSet[object]) -> bool:
    """Say whether more than half, and at least four, are gone."""
    gone = len(before - after)
    return gone >= _FEW and gone > _SHARE * len(before)
