"""One request of a scenario, and the dice that choose what it asks. Pure.

A step may name what an earlier answer gave: ``${session1}`` in path or body is replaced, on each
side, by what that side's answer held under the pointer of ``save``.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import quote

__all__ = ["Dice", "Step", "get", "put"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A request.

    A read with ``until`` is repeated until its body holds that text (events travel a while).
    ``save`` pairs a symbol with a pointer into the answer: ``body.ID``, ``body.0.ModifyIndex`` or
    ``header.X-Consul-Index``.
    """

    path: str
    method: str = "GET"
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    save: tuple[tuple[str, str], ...] = ()
    until: str = ""

    @property
    def changes_agent(self) -> bool:
        """Whether the catalogue follows a moment later, when the agent has told it."""
        return self.method == "PUT" and self.path.startswith("/v1/agent/")

    def __str__(self) -> str:
        """Return method, path and the beginning of the body."""
        return f"{self.method} {self.path} {self.body[:160].decode(errors='replace')}".rstrip()


def get(path: str, **fields: Any) -> Step:
    """Return a read."""
    return Step(path=path, **fields)


def put(path: str, body: object = b"", **fields: Any) -> Step:
    """Return a write; anything but bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Step(path=path, method="PUT", body=content, **fields)


SERVICES: Final = ("web", "api", "db", "Ord", "idle")
LOOKUPS: Final = (*SERVICES, "ORD", "absent")
TAGS: Final = ("prod", "v1", "v2", "a=b", "zzz")
NODES: Final = ("ext1", "ext2", "ext3")
STATES: Final = ("passing", "warning", "critical")
KEYS: Final = ("a", "app", "app/x", "app/y", "app/d/e", "app/d/h", "lock/one", "sp ace", "ümlaut")


@dataclass(slots=True)
class Dice:
    """A seeded source of choices; counts the symbols it hands out."""

    random: random.Random
    sessions: list[str] = field(default_factory=list)
    _count: int = 0

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return self.random.choice(options)

    def chance(self, probability: float = 0.5) -> bool:
        """Return True with this probability."""
        return self.random.random() < probability

    def some(self, options: Sequence[T], most: int = 2) -> list[T]:
        """Return none to ``most`` of the options, in random order."""
        return self.random.sample(options, self.random.randint(0, most))

    def number(self, low: int, high: int) -> int:
        """Return a number, both ends included."""
        return self.random.randint(low, high)

    def symbol(self, prefix: str) -> str:
        """Return a new symbol."""
        self._count += 1
        return f"{prefix}{self._count}"

    def service(self) -> tuple[str, str]:
        """Return a service's name and an instance's ID."""
        name = self.pick(SERVICES)
        return name, f"{name}-{self.number(1, 3)}"

    def instance(self) -> str:
        """Return an instance's ID."""
        return self.service()[1]

    def key(self) -> str:
        """Return a key as it stands in a path."""
        return quote(self.pick(KEYS))

    def session(self) -> str:
        """Return the symbol of a session made earlier (perhaps gone by now), or a strange ID."""
        if self.sessions and self.chance(0.9):
            return "${" + self.pick(self.sessions[-4:]) + "}"
        return self.pick(("11111111-2222-4333-8444-555555555555", "short"))
