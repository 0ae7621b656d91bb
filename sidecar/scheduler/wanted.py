"""What people want: stacks with their last revisions, and what was said since. Pure.

It is kept as keys, the same ones in any store and in the state file:

    pinnace/stacks/<stack>/rev/<n>            a stack file with everything put in; the last five
    pinnace/stacks/<stack>/service/<service>  what was said of a service: scaled, paused, taken back
    pinnace/availability/<node>               drain or pause

The highest revision is in force; one without services is a stack that was taken down. A change is a
function from what is wanted to the keys that it writes, so that whoever leads finds the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from sidecar.scheduler.bundle import Bundle
from sidecar.scheduler.canary import Kept
from sidecar.scheduler.model import Availability

__all__ = [
    "AVAILABILITY",
    "KEPT",
    "STACKS",
    "Change",
    "Override",
    "Revision",
    "Stack",
    "Wanted",
    "deploy",
    "deployed",
    "move",
    "say",
    "wanted_of",
]

STACKS: Final = "pinnace/stacks/"
AVAILABILITY: Final = "pinnace/availability/"
KEPT: Final = 5
"""Revisions of a stack that are kept for rollbacks."""

Change = Mapping[str, bytes | None]
"""Keys to write; None: to remove."""


class Revision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stack as it was deployed; without a bundle it was taken down."""

    number: int
    bundle: Bundle | None = None
    at: float = 0.0
    source: str = ""
    """The file it came from, where one is watched; empty when somebody sent it."""


class Override(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was said of one service since its stack was deployed."""

    replicas: int | None = None
    is_paused: bool = False
    pinned: int = 0
    """The revision it was taken back to; 0: it follows the newest. -1: what its label tells."""
    stopped: str = ""
    """The spec whose rollout failed."""
    attempt: int = 0
    promoted: str = ""
    """The spec whose canary was found good."""
    trial: Kept | None = None
    """How far its trial has got."""


_NOTHING: Final = Override()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One stack: its revisions, the newest last, and what was said of its services."""

    name: str
    revisions: tuple[Revision, ...] = ()
    overrides: Mapping[str, Override] = field(default_factory=dict)

    @property
    def newest(self) -> Revision:
        """Return the revision in force."""
        return self.revisions[-1] if self.revisions else Revision(number=0)

    def override(self, service: str) -> Override:
        """Return what was said of a service."""
        return self.overrides.get(service, _NOTHING)

    def revision_of(self, service: str) -> Revision:
        """Return the revision that a service follows."""
        pinned = self.override(service).pinned
        return next((each for each in self.revisions if each.number == pinned), self.newest)


@dataclass(frozen=True, slots=True)
class Wanted:
    """All of it."""

    stacks: Mapping[str, Stack] = field(default_factory=dict)
    availability: Mapping[str, Availability] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    """Keys that hold something else; they are left as they are."""


def wanted_of(keys: Iterable[tuple[str, bytes]]) -> Wanted:
    """Return what the keys say."""
    revisions: dict[str, list[Revision]] = {}
    overrides: dict[str, dict[str, Override]] = {}
    availability: dict[str, Availability] = {}
    unreadable = []
    for key, value in keys:
        try:
            match key.split("/"):
                case ["pinnace", "stacks", stack, "rev", _]:
                    found = msgspec.json.decode(value, type=Revision)
                    revisions.setdefault(unquote(stack), []).append(found)
                case ["pinnace", "stacks", stack, "service", service]:
                    one = msgspec.json.decode(value, type=Override)
                    overrides.setdefault(unquote(stack), {})[unquote(service)] = one
                case ["pinnace", "availability", node]:
                    availability[unquote(node)] = Availability(value.decode())
        except (ValueError, msgspec.MsgspecError):
            unreadable.append(key)
    stacks = {
        name: Stack(
            name=name,
            revisions=tuple(sorted(found, key=lambda each: each.number)),
            overrides=overrides.get(name, {}),
        )
        for name, found in revisions.items()
    }
    return Wanted(stacks, availability, tuple(unreadable))


def deploy(stack: Stack, bundle: Bundle | None, *, at: float, source: str = "") -> Change:
    """Return the keys of a new revision; the same again changes nothing but what was taken back.

    Replicas that were scaled stay (the file's number is where they begin), as does a pause.
    """
    changes: dict[str, bytes | None] = {}
    for name, known in stack.overrides.items():
        if known.pinned or known.stopped:
            attempt = known.attempt + 1
            freed = msgspec.structs.replace(known, pinned=0, stopped="", attempt=attempt)
            changes[_service_key(stack.name, name)] = msgspec.json.encode(freed)
    if stack.revisions and stack.newest.bundle == bundle:
        return changes
    number = stack.newest.number + 1
    revision = Revision(number=number, bundle=bundle, at=at, source=source)
    changes[_revision_key(stack.name, number)] = msgspec.json.encode(revision)
    for old in stack.revisions[: max(0, len(stack.revisions) + 1 - KEPT)]:
        changes[_revision_key(stack.name, old.number)] = None
    return changes


def deployed(stack: Stack, bundle: Bundle) -> Stack:
    """Return the stack as it is once a bundle is deployed."""
    keys = {
        **{_revision_key(stack.name, one.number): msgspec.json.encode(one)
           for one in stack.revisions},
        **{_service_key(stack.name, name): msgspec.json.encode(one)
           for name, one in stack.overrides.items()},
        **deploy(stack, bundle, at=0.0),
    }  # fmt: skip
    found = wanted_of((key, value) for key, value in keys.items() if value is not None)
    return found.stacks[stack.name]


def say(stack: Stack, service: str, **what: Any) -> Change:
    """Return the key of a service of which something is said: fields of ``Override``."""
    known = stack.override(service)
    fresh = msgspec.structs.replace(known, **what)
    if fresh == known:
        return {}
    return {_service_key(stack.name, service): msgspec.json.encode(fresh)}


def move(node: str, availability: Availability) -> Change:
    """Return the key of a node that is to be emptied, left alone, or used again."""
    is_plain = availability is Availability.ACTIVE
    return {AVAILABILITY + quote(node, safe=""): None if is_plain else availability.encode()}


def _revision_key(stack: str, number: int) -> str:
    return f"{STACKS}{quote(stack, safe='')}/rev/{number}"


def _service_key(stack: str, service: str) -> str:
    return f"{STACKS}{quote(stack, safe='')}/service/{quote(service, safe='')}"
