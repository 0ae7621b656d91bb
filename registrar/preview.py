"""What would be written, without writing it (``--dry-run``)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from registrar.docker import Docker, look, owner_of
from registrar.holdings import Holdings
from registrar.ports import Place
from sidecar.catalog.model import Instance, Key
from sidecar.runtime.log import escape
from sidecar.stores.base import Edge, Holder

__all__ = ["Intent", "as_json", "as_text", "intents"]


class Intent(NamedTuple):
    """What would become of one entry at one store; None: it would go."""

    store: str
    key: Key
    instance: Instance | None


async def intents(engine: Docker, edges: Sequence[Edge], place: Place) -> tuple[Intent, ...]:
    """Look once at everything and return what each store would be told.

    Raises EngineUnavailable, EngineDenied, StoreUnavailable or StoreDenied.
    """
    info = await engine.info()
    owner = owner_of(info, place.node)
    holdings = Holdings(replace(place, owner=owner))
    for id_ in await engine.running():
        seen = await look(engine, id_)
        holdings.see(id_, seen.container, seen.peer)
    desired = holdings.claims.desired()
    found: list[Intent] = []
    for edge in edges:
        keys = await edge.audit(desired, Holder(owner, place.node))
        found += [Intent(edge.url, key, desired.get(key)) for key in sorted(keys)]
    return tuple(found)


def as_text(found: Iterable[Intent]) -> str:
    """Return a line per entry."""
    return "".join(escape(_line(intent)) + "\n" for intent in found)


def as_json(found: Iterable[Intent]) -> str:
    """Return a list of objects."""
    return json.dumps([_object(intent) for intent in found], indent=2) + "\n"


def _line(intent: Intent) -> str:
    store, key, instance = intent
    if instance is None:
        return f"{store}: remove {key.service} {key.id}"
    tags = f" tags={','.join(instance.tags)}" if instance.tags else ""
    return f"{store}: write {key.service} {key.id} {instance.address}:{instance.port}{tags}"


def _object(intent: Intent) -> dict[str, object]:
    store, key, instance = intent
    found: dict[str, object] = {"store": store, "service": key.service, "id": key.id}
    if instance is None:
        return found | {"action": "remove"}
    return found | {
        "action": "write",
        "address": instance.address,
        "port": instance.port,
        "tags": list(instance.tags),
        "meta": dict(instance.meta),
        "status": str(instance.status),
        "checks": [json.loads(c.definition) for c in instance.checks if c.definition],
    }
