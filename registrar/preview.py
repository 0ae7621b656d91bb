"""What would be written, for a person or a program to read. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from registrar.problems import Problem
from sidecar.catalog.model import Instance, Key

__all__ = ["as_json", "as_text"]

Removed = Mapping[str, Iterable[Key]]
_NOTHING: Final[Removed] = {}


def as_text(
    by_store: Mapping[str, Iterable[Instance]],
    problems: Iterable[Problem] = (),
    removed: Removed = _NOTHING,
) -> str:
    """Return a block per store (its address without secrets), then what is wrong with labels."""
    return "\n".join(_text(by_store, problems, removed))


def as_json(
    by_store: Mapping[str, Iterable[Instance]],
    problems: Iterable[Problem] = (),
    removed: Removed = _NOTHING,
) -> str:
    """Return an object: ``stores`` with the instances of each, ``removed``, and ``problems``."""
    told = {
        "stores": {url: [_object(one) for one in _ordered(all_)] for url, all_ in by_store.items()},
        "removed": {
            url: [{"service": key.service, "id": key.id} for key in removed.get(url, ())]
            for url in by_store
        },
        "problems": [problem._asdict() for problem in problems],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _text(
    by_store: Mapping[str, Iterable[Instance]], problems: Iterable[Problem], removed: Removed
) -> Iterator[str]:
    for url, found in by_store.items():
        instances, gone = _ordered(found), [*removed.get(url, ())]
        tail = f", {len(gone)} removed" if gone else ""
        yield f"{url}: {len(instances)} instance{'s' * (len(instances) != 1)}{tail}"
        yield from (f"  removed: {key.service} {key.id}" for key in gone)
        for instance in instances:
            at = f"[{instance.address}]" if ":" in instance.address else instance.address
            yield f"  {instance.service} {instance.id} {at}:{instance.port}"
            yield from (f"    {line}" for line in _details(instance))
    for problem in problems:
        yield f"{problem.container}: {problem.label}: {problem.text}"


def _details(instance: Instance) -> Iterator[str]:
    if instance.tags:
        yield f"tags: {json.dumps(instance.tags, ensure_ascii=False)}"
    for key, value in sorted(instance.meta.items()):
        yield f"meta: {json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}"
    for kind, (address, port) in sorted(instance.tagged.items()):
        yield f"address: {kind} = {address} {port}"
    for check in instance.checks:
        yield f"check: {check.id} {check.status} {check.definition or check.type}"


def _object(instance: Instance) -> dict[str, object]:
    found: dict[str, object] = {
        "service": instance.service,
        "id": instance.id,
        "node": instance.node,
        "address": instance.address,
        "port": instance.port,
        "tags": list(instance.tags),
        "meta": dict(instance.meta),
        "checks": [
            {
                "id": check.id,
                "status": check.status,
                "type": check.type,
                "definition": json.loads(check.definition) if check.definition else None,
            }
            for check in instance.checks
        ],
    }
    if instance.tagged:
        found["tagged"] = {kind: list(place) for kind, place in instance.tagged.items()}
    return found


def _ordered(instances: Iterable[Instance]) -> list[Instance]:
    return sorted(instances, key=lambda each: (each.service, each.id))
