"""The labels that make a container ours: all that is known of it is read from them. Pure."""

from collections.abc import Mapping
from typing import Final

__all__ = [
    "CANARY", "EPOCH", "FENCING", "ID", "INCARNATION", "PREV", "RECIPE", "RESERVED", "REV", "ROLE",
    "SERVICE", "SHARE", "SLOT", "SPEC", "STACK", "is_ours", "number",
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
FENCING: Final = "pinnace.fencing"
SHARE: Final = "pinnace.canary"
CANARY: Final = "canary"
"""The role of containers on which a new spec is tried."""

_NEEDED: Final = frozenset({STACK, SERVICE, SLOT, SPEC, INCARNATION})


def is_ours(labels: Mapping[str, str]) -> bool:
    """Return whether a container was made by us (or is made up to look so)."""
    return labels.keys() >= _NEEDED


def number(labels: Mapping[str, str], key: str) -> int:
    """Return a label's number; anything else counts as 0."""
    text = labels.get(key, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
