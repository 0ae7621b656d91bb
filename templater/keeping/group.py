"""Resources that share one reload: all of them are rendered first, then it runs once.

A group is a name that resources have in common (``reload_group``, ours). Whoever's reload is due
asks the group; it waits a little for members that are about to be rendered, runs the command of the
one that asked, and settles with it what every member owed before it began.
"""

import asyncio
from typing import Final, Protocol

from sidecar.errors import PinnaceError

__all__ = ["Groups", "Member", "ReloadGroup"]

_PATIENCE: Final = 2.0


class Member(Protocol):
    """One resource of a group."""

    @property
    def is_busy(self) -> bool:
        """Whether it is about to be rendered, or is being."""

    @property
    def debt(self) -> int | None:
        """Return what tells one owed reload from a later one; None when none is owed."""

    async def run_reload(self) -> None:
        """Run the reload command. Raises ReloadFailed."""

    async def settle(self, debt: int, failure: str | None) -> None:
        """Take a reload as its own, and how it went, if this is still what is owed."""


class ReloadGroup:
    """The members of one group."""

    def __init__(self, *, patience: float = _PATIENCE) -> None:
        """``patience``: how long it waits for members that are about to be rendered."""
        self._patience = patience
        self._members: list[Member] = []
        self._lock = asyncio.Lock()
        self._settled = asyncio.Event()

    def join(self, member: Member) -> None:
        """Take a member in."""
        self._members.append(member)

    def leave(self, member: Member) -> None:
        """Let a member go."""
        self._members.remove(member)
        self.rendered()

    def rendered(self) -> None:
        """Note that a member was rendered, or will not be."""
        self._settled.set()

    async def reload(self, member: Member) -> None:
        """Run one reload for all that owe one; nothing when another has settled it meanwhile."""
        async with self._lock:
            if member.debt is None:
                return
            await self._wait_for_others(member)
            debts = {id(one): one.debt for one in self._members}
            failure = None
            try:
                await member.run_reload()
            except PinnaceError as error:
                failure = str(error)
            for one in list(self._members):
                debt = debts.get(id(one))
                if debt is not None:
                    await one.settle(debt, failure)

    async def _wait_for_others(self, member: Member) -> None:
        try:
            async with asyncio.timeout(self._patience):
                while any(one.is_busy for one in self._members if one is not member):
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            return  # it goes without them; they will ask for another


class Groups:
    """The groups by name."""

    def __init__(self) -> None:
        """Start without any."""
        self._groups: dict[str, ReloadGroup] = {}

    def of(self, name: str) -> ReloadGroup:
        """Return the group of a name; each resource without one is its own."""
        return self._groups.setdefault(name, ReloadGroup()) if name else ReloadGroup()
