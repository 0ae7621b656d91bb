"""``SERVICE_CHECK_*`` and Docker's own health -> the checks of an instance. Pure.

Docker's HEALTHCHECK, and that a container is paused, is a check without definition; what labels
define is in ``registrar.definitions``. Further checks are written ``check_<n>_...``.
"""

import json
import re
from collections.abc import Iterator
from typing import Final

from registrar.definitions import Definition, Given, Target, definition_of
from registrar.labels import Attributes, truth
from registrar.names import TAG_LIMIT, cleaned, cut, whole
from registrar.ports import Place
from registrar.problems import Complaints
from sidecar.catalog.model import Check, Status

__all__ = ["Target", "checks_of"]

_NUMBERED: Final = re.compile(r"check_(\d{1,2})_(.+)", re.ASCII | re.DOTALL)
_CHECKS_MOST: Final = 16
_DEFINITION_MOST: Final = 1 << 14
_TYPES: Final = {
    "HTTP": "http",
    "TCP": "tcp",
    "TTL": "ttl",
    "GRPC": "grpc",
    "ScriptArgs": "script",
}


def checks_of(
    target: Target, attributes: Attributes, place: Place, complain: Complaints
) -> tuple[Check, ...]:
    """Return the checks of an instance: those its labels define, then Docker's."""
    definitions = list(_definitions(target, attributes, place, complain))
    docker = () if place.compat else _docker(target, attributes)
    prefix = f"service:{target.id}"
    ids = (
        [prefix]
        if len(definitions) == 1
        else [f"{prefix}:{n + 1}" for n in range(len(definitions))]
    )
    return (
        *(_check(id_, target, found) for id_, found in zip(ids, definitions, strict=True)),
        *docker,
    )


def _check(id_: str, target: Target, definition: Definition) -> Check:
    status = definition.get("Status")
    return Check(
        id=id_,
        name=f"Service '{target.service}' check",
        status=Status(str(status)) if status in {*Status} else Status.CRITICAL,
        type=next(kind for field, kind in _TYPES.items() if field in definition),
        definition=json.dumps(definition, ensure_ascii=False),
    )


def _docker(target: Target, attributes: Attributes) -> tuple[Check, ...]:
    """Return what Docker knows: paused is critical, and so is a HEALTHCHECK that is not healthy."""
    container = target.container
    if container.paused:
        says = "paused"
    elif container.health in ("", "none") or truth(attributes.get("check_docker")) is False:
        return ()
    else:
        says = container.health
    status = Status.PASSING if says == "healthy" else Status.CRITICAL
    id_ = f"service:{target.id}:docker"
    output = cut(cleaned(says), TAG_LIMIT)
    return (Check(id=id_, name="Docker", status=status, output=output, type="docker"),)


def _definitions(
    target: Target, attributes: Attributes, place: Place, complain: Complaints
) -> Iterator[Definition]:
    for number, values in _groups(attributes, place.compat).items():
        prefix = f"check_{number}_" if number else "check_"

        def label(key: str, prefix: str = prefix) -> str:
            return attributes.label(prefix + key)

        definition = definition_of(Given(target, values, label, place, complain))
        if definition is None:
            continue
        if len(json.dumps(definition)) > _DEFINITION_MOST:
            complain(label(""), "refused: a check of that size")
        else:
            yield definition


def _groups(attributes: Attributes, compat: bool) -> dict[int, dict[str, str]]:
    """Return the attributes of each check by its number; 0 is the one without."""
    groups: dict[int, dict[str, str]] = {0: {}}
    for key, value in attributes.values.items():
        found = None if compat else _NUMBERED.fullmatch(key)
        if found is not None and 0 < int(found[1]) <= _CHECKS_MOST:
            groups.setdefault(int(found[1]), {})[found[2]] = whole(value)
        elif key.startswith("check_"):
            groups[0][key.removeprefix("check_")] = whole(value)
    return dict(sorted(groups.items()))
