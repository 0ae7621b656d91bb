"""The labels that make a container ours: all that is known of it is read from them. Pure."""

from collections.abc import Mapping
from typing import Final

__all__ = [
    "CANARY", "EPOCH", "FENCING", "ID", "IGNORE", "INCARNATION", "MAIN", "NEEDS", "POD", "PREV",
    "RECIPE", "RESERVED", "REV", "ROLE", "SERVICE", "SHARE", "SLOT", "SPEC", "STACK", "WHY",
    "hidden", "is_live", "is_ours", "needs_of", "number", "relabelled",
]  # fmt: skip

STACK: Final = "pinnace.stack"
SERVICE: Final = "pinnace.service"
SLOT: Final = "pinnace.slot"
ID: Final = "pinnace.id"
SPEC: Final = "pinnace.spec"
REV: Final = "pinnace.rev"
EPOCH: Final = "pinnace.epoch"
ROLE: Final = "pinnace.role"
INCARNATION: Final = "pinnace.incarnation"
RESERVED: Final = "pinnace.reserved"
"""Nano-CPUs and bytes that its place was chosen by, with a comma between."""
RECIPE: Final = "pinnace.recipe"
PREV: Final = "pinnace.prev"
NEEDS: Final = "com.docker.compose.depends_on"
"""``SERVICE:CONDITION:RESTART``, with commas between."""
WHY: Final = "pinnace.why"
"""Why it was placed there."""
FENCING: Final = "pinnace.fencing"
SHARE: Final = "pinnace.canary"
IGNORE: Final = "SERVICE_IGNORE"
MAIN: Final = "main"
POD: Final = "pod"
CANARY: Final = "canary"
"""The role of containers on which a new spec is tried."""

_NEEDED: Final = frozenset({STACK, SERVICE, SLOT, SPEC, INCARNATION})

_OWN: Final = frozenset(
    {STACK, SERVICE, SLOT, ID, SPEC, REV, EPOCH, ROLE, INCARNATION, RESERVED, RECIPE, PREV, WHY,
     FENCING, SHARE}
)  # fmt: skip


def is_live(label: str) -> bool:
    """Return whether a label is only read by what we run ourselves, and so may change at once."""
    return label.startswith("pinnace.") and label not in _OWN


def relabelled(labels: Mapping[str, str], wanted: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return a container's labels with those that are live as wanted; None where they are so."""
    found = {name: text for name, text in labels.items() if not is_live(name)}
    found |= {name: text for name, text in wanted.items() if is_live(name)}
    return None if found == labels else found


def hidden(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return a container's labels so that it is not registered."""
    return {**labels, IGNORE: "true"}


def is_ours(labels: Mapping[str, str]) -> bool:
    """Return whether a container was made by us (or is made up to look so)."""
    return labels.keys() >= _NEEDED


def number(labels: Mapping[str, str], key: str) -> int:
    """Return a label's number; anything else counts as 0."""
    text = labels.get(key, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def needs_of(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the services that a container depends on."""
    entries = labels.get(NEEDS, "").split(",")
    return tuple(name for each in entries if (name := each.partition(":")[0]))
