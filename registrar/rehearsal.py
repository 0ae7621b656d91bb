"""One look at everything, and what the stores would be told of it (``--dry-run``)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from registrar.docker import Docker, look, owner_of
from registrar.holdings import Holdings
from registrar.ports import Place
from registrar.problems import Problem
from sidecar.catalog.model import Instance, Key
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Edge, Holder

__all__ = ["Rehearsal", "rehearsed"]

_log = get_logger("registrar")


class Rehearsal(NamedTuple):
    """What each store would be told to hold, what is wrong with labels, and what would go."""

    by_store: Mapping[str, tuple[Instance, ...]]
    problems: tuple[Problem, ...]
    removed: Mapping[str, tuple[Key, ...]]


async def rehearsed(
    engine: Docker,
    edges: Sequence[Edge],
    place: Place,
    *,
    adopts: bool = False,
    removes: bool = True,
) -> Rehearsal:
    """Write nothing. Raises EngineUnavailable or EngineDenied.

    What a store holds already is left out; of one that does not answer it is not known.
    ``adopts``: leftovers that nobody marked count too; ``removes``: leftovers are removed at all.
    """
    owner = owner_of(await engine.info(), place.node)
    holdings = Holdings(replace(place, owner=owner))
    problems: list[Problem] = []
    for id_ in await engine.running():
        seen = await look(engine, id_)
        holdings.see(id_, seen.container, seen.peer)
        problems += holdings.new_problems(id_)
    desired = holdings.claims.desired()
    found: dict[str, tuple[Instance, ...]] = {}
    removed: dict[str, tuple[Key, ...]] = {}
    for edge in edges:
        try:
            keys = await edge.audit(desired, Holder(owner, place.node if adopts else ""))
        except (StoreUnavailable, StoreDenied) as error:
            _log.warning("store not compared", store=edge.url, reason=error)
            keys = frozenset(desired)
        found[edge.url] = tuple(desired[key] for key in sorted(keys) if key in desired)
        left = (key._replace(node=key.node or place.node) for key in keys if removes)
        removed[edge.url] = tuple(sorted(key for key in left if key not in desired))
    return Rehearsal(found, tuple(problems), removed)
