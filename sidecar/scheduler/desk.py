"""Who tells the loop what is wanted, whether it may act, and who hears what it does.

The loop begins anew at each look: it asks, plans and acts. Nobody here calls the loop; who has
something new sets ``changed``, which the loop clears before it asks.
"""

from asyncio import Event
from collections.abc import Sequence
from typing import Protocol

from sidecar.scheduler.cluster import Cluster, Goal
from sidecar.scheduler.model import Availability
from sidecar.scheduler.plan import Plan
from sidecar.scheduler.recipe import Recipe

__all__ = ["Desk", "Election", "Journal"]


class Desk(Protocol):
    """What is wanted: stack files with what people and autoscaling changed since."""

    changed: Event

    def goals(self, cluster: Cluster) -> Sequence[Goal]:
        """Return a goal per service, in the order in which services must start.

        What runs of a stack that nobody told of (its file and keys are lost) stays wanted as its
        labels say; so ``cluster`` is what ``plan`` gets.

        ``Goal.service`` and ``Need.service`` are ``key_of(stack, service)``; ``Goal.spec`` and
        ``Goal.previous.spec`` are ``spec_of`` a recipe that ``recipe`` returns.
        """

    def looked(self, cluster: Cluster, plan: Plan, now: float) -> None:
        """Take what was seen and decided at a look, on the loop's clock; must not block."""

    def recipe(self, service: str, spec: str) -> Recipe | None:
        """Return how containers of a goal are made; None when that is not known (any more)."""

    def availability(self, node: str) -> Availability:
        """Return what an operator wants of a node."""


class Journal(Protocol):
    """Who keeps what was decided and done, for people."""

    def note(self, kind: str, **fields: object) -> None:
        """Take an entry; must not block."""


class Election(Protocol):
    """Whether this scheduler may act, and under which number (``sidecar.scheduler.election``)."""

    changed: Event

    @property
    def epoch(self) -> int | None:
        """None: another one leads, or our lease is about to end. Grows with each leader."""

    async def run(self) -> None:
        """Take part until cancelled."""

    def left(self) -> float:
        """Return the seconds of lease that are left; infinite where none can be lost."""
