"""Connections of one server that single clients have alone, and those that wait for one."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ambassador.redis.greeting import DEFAULT, Attributes, Refused, greeting
from ambassador.redis.link import Link
from ambassador.redis.resp import Failure, packed
from ambassador.redis.run import Ask
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.hub import Hub

__all__ = ["SPARE_LIMIT", "Crowded", "Lender"]

SPARE_LIMIT: Final = 60.0
"""Seconds after which a link that nobody uses is closed."""
_MOST_SPARE: Final = 64


class Crowded(UpstreamUnavailable):
    """As many connections of single clients are open as may be."""


class Lender(ABC):
    """Lends connections; which server it is others know (``Node``)."""

    def __init__(self, hub: "Hub", label: str) -> None:
        """Start with none."""
        self.hub = hub
        self.label = label
        self.is_gone = False
        self._spare: dict[Attributes, list[tuple[float, Link]]] = {}
        self._leased: set[Link] = set()
        self._warming = False

    @property
    @abstractmethod
    def is_primary(self) -> bool:
        """Whether writes go here."""

    @abstractmethod
    def _new(
        self, attributes: Attributes, ended: Callable[[Link], None], *, takes_pushes: bool = False
    ) -> Link:
        """Return a connection that is not open yet."""

    @property
    def dedicated(self) -> int:
        """Return how many links single clients have alone."""
        return len(self._leased)

    @property
    def spares(self) -> int:
        """Return how many links wait for a single client."""
        return sum(map(len, self._spare.values()))

    @property
    def is_crowded(self) -> bool:
        """Whether as many links as may be are of single clients."""
        return self.dedicated >= self.hub.settings.dedicated_max

    def every_own_link(self) -> list[Link]:
        """Return the links of single clients, and the spare ones."""
        spare = [link for links in self._spare.values() for _, link in links]
        return [*self._leased, *spare]

    def spare(self, attributes: Attributes, name: bytes | None = None) -> Link | None:
        """Return a link for one client alone, if one is open and unused; ``name``: called so."""
        spare = None if self.is_crowded else self._spare.get(attributes)
        while spare:
            place = len(spare) - 1
            while name is not None and place >= 0 and spare[place][1].given_name != name:
                place -= 1
            if place < 0:
                return None
            _, link = spare.pop(place)
            if not link.is_closed:
                self._leased.add(link)
                return link
        return None

    async def lease(self, attributes: Attributes) -> Link:
        """Return a link for one client alone. Raises UpstreamUnavailable and Refused."""
        link = self.spare(attributes)
        if link is not None:
            return link
        if self.is_crowded:
            raise Crowded("too many connections of single clients")
        link = self._new(attributes, lambda _: None, takes_pushes=True)
        self._leased.add(link)
        try:
            await link.open()
        except (UpstreamUnavailable, Refused, asyncio.CancelledError):
            self._leased.discard(link)
            raise
        return link

    def warm(self, attributes: Attributes) -> None:
        """See that one more is open soon, as somebody keeps the one that there was."""
        if not self._spare.get(attributes):
            self.hub.spawn(self._warm(attributes), f"spare {self.label}")

    async def _warm(self, attributes: Attributes, least: int = 1) -> None:
        """Have some more open, so that who blocks next does so without waiting for a connection."""
        if self._warming:
            return
        self._warming = True
        try:
            while len(self._spare.get(attributes, ())) < least and not self.is_gone:
                link = self._new(attributes, lambda _: None, takes_pushes=True)
                await link.open()
                self._put(link)
        except (UpstreamUnavailable, Refused):
            pass  # what clients ask for says so
        finally:
            self._warming = False

    def give_back(self, link: Link, *, is_clean: bool, is_plain: bool = False) -> None:
        """Take a link back; one that was changed is used again only once RESET has undone that.

        ``is_plain``: nothing was done there that changes the connection.
        """
        if link not in self._leased:
            return
        self._leased.discard(link)
        link.client = None
        if not is_clean or link.is_closed or link.tap or self.is_gone or link.is_owed:
            link.close("given back")
        elif is_plain:
            self._put(link)
        else:
            words = [(b"RESET",), *greeting(link.login, is_alone=True)]
            data = b"".join(packed(*command) for command in words)
            number = len(words)
            link.send(Ask(data, number, lambda found: self._keep(link, found), lambda _: None))

    def _keep(self, link: Link, found: list[object]) -> None:
        link.given_name = b""
        if found[0] == b"RESET" and not any(isinstance(one, Failure) for one in found):
            self._put(link)
        else:
            link.close("not reset")

    def _put(self, link: Link) -> None:
        spare = self._spare.setdefault(link.attributes, [])
        most = max(_MOST_SPARE, self.hub.settings.dedicated_min)
        if len(spare) < most and not self.is_gone and not link.is_closed:
            spare.append((self.hub.now(), link))
        else:
            link.close("not needed")

    def sweep_spares(self, now: float) -> None:
        """Close links that nobody used for long."""
        for attributes, spare in self._spare.items():
            least = self._least if attributes == DEFAULT else 0
            while len(spare) > least and now - spare[0][0] > SPARE_LIMIT:
                spare.pop(0)[1].close("idle")
        self._keep_least()

    def close_own(self, why: str) -> None:
        """End all of them."""
        for spare in self._spare.values():
            for _, link in spare:
                link.close(why)
            spare.clear()
        for link in list(self._leased):
            link.close(why)

    @property
    def _least(self) -> int:
        """Return how many connections for single clients are to be unused, at least."""
        least = self.hub.settings.dedicated_min - self.dedicated
        return least if least > 0 and self.is_primary else 0

    def _keep_least(self) -> None:
        """Open connections for clients that may come."""
        spare = self._spare.setdefault(DEFAULT, [])
        spare[:] = [one for one in spare if not one[1].is_closed]
        for _ in range(self._least - len(spare)):
            self.hub.spawn(self._warm(DEFAULT, self._least), f"spare {self.label}")
