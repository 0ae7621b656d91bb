"""What our registrar makes of inspect documents, in the form in which Consul is told of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from registrar.flags import FLAGS, options_of
from registrar.labels import is_template
from registrar.mapping import instances_of
from registrar.ports import place_of
from registrar.tags import TagTemplate
from sidecar.catalog.model import Instance
from sidecar.config.goflags import parse
from sidecar.config.model import Settings
from sidecar.engine.facts import Container, container_of

__all__ = ["Bodies", "differences", "registered"]

Bodies = dict[str, dict[str, Any]]


def registered(
    documents: Mapping[str, Any], flags: Sequence[str], *, node: str, address: str
) -> Bodies:
    """Return what the command line with these flags registers, by id and name."""
    parsed = parse(FLAGS, [*flags, "consul:"])
    settings = options_of(parsed, Settings(), frozenset(), drop_in=True).settings
    place = place_of(settings, node=node, address=address, owner="x", is_ours=False)
    tags = settings.tags
    template = TagTemplate(tags, lambda _: b"") if is_template(tags) else None
    boxes: dict[str, Container] = {}
    for document in documents.values():
        box = container_of(document)
        if template is not None:
            box = replace(box, extra_tags=template.of(document))
        boxes[box.id] = box
    found: Bodies = {}
    for box in boxes.values():
        peer = boxes.get(box.peer) if box.peer is not None else None
        for instance in instances_of(box, place, peer).instances:
            found[f"{instance.id} {instance.service}"] = body_of(instance)
    return found


def body_of(instance: Instance) -> dict[str, Any]:
    """Return an instance as Consul is told of it."""
    defined = [json.loads(check.definition) for check in instance.checks if check.definition]
    body: dict[str, Any] = {
        "ID": instance.id,
        "Name": instance.service,
        "Check": defined[0] if defined else None,
        "Checks": None,
    }
    optional = {
        "Tags": list(instance.tags),
        "Port": instance.port,
        "Address": instance.address,
        "Meta": dict(instance.meta),
    }
    return body | {key: value for key, value in optional.items() if value}


def differences(theirs: Bodies, own: Bodies) -> Iterator[str]:
    """Yield a line per difference."""
    for key in sorted(theirs.keys() | own.keys()):
        left, right = theirs.get(key), own.get(key)
        if left is None or right is None:
            yield f"{key}: only {'ours' if left is None else 'theirs'}"
            continue
        for field in sorted(left.keys() | right.keys()):
            if left.get(field) != right.get(field):
                yield f"{key}: {field}: {left.get(field)!r} -> {right.get(field)!r}"
