"""One Redis server as the proxy sees it: what it said, its shared links, and spare ones."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ambassador.frame.address import Address
from ambassador.frame.health import Health
from ambassador.redis.greeting import DEFAULT, Attributes, Refused, greeting
from ambassador.redis.link import Link
from ambassador.redis.resp import Failure, packed
from ambassador.redis.run import Ask
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.hub import Hub
    from ambassador.redis.roles import Observation

__all__ = ["Crowded", "Node"]

_RAMP: Final = 10.0
_HALF_LIFE: Final = 0.05
_SPARE_LIMIT: Final = 60.0
_MOST_SPARE: Final = 64
_MOST_STUCK: Final = 4


class Crowded(UpstreamUnavailable):
    """As many connections of single clients are open as may be."""


class Node:
    """A server."""

    def __init__(self, hub: "Hub", address: Address, zone: str = "") -> None:
        """Connect to nothing yet."""
        self.hub = hub
        self.address = address
        self.label = str(address)
        self.zone = zone
        self.health = Health()
        self.observation: Observation | None = None
        self.offset = -1  # a replica's, never too high
        self.tells_role = True
        self.is_readable = False
        self.is_draining = False  # says the catalogue
        self.is_drained = False  # says a person
        self.is_gone = False
        self.readable_since = 0.0
        self.heard = 0.0  # when it answered who it is
        self.clients = 0
        self.latency = 0.0005
        self.counts = [0, 0, 0, 0]  # commands answered, by kind
        self.errors = [0, 0, 0, 0]  # of those, with an error
        self.unknown = [0, 0, 0, 0]  # ... and with nobody knows what
        self.poked = asyncio.Event()
        self._links: dict[Attributes, list[Link]] = {}
        self._spare: dict[Attributes, list[tuple[float, Link]]] = {}
        self._leased: set[Link] = set()
        self._warming = False

    @property
    def is_primary(self) -> bool:
        """Whether writes go here."""
        return self.hub.is_primary(self)

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

    @property
    def outstanding(self) -> int:
        """Return how many runs are under way on shared links."""
        return sum(link.outstanding for links in self._links.values() for link in links)

    @property
    def links(self) -> list[Link]:
        """Return the shared links."""
        return [link for links in self._links.values() for link in links]

    @property
    def weight(self) -> float:
        """Return its share; it grows to 1 over the first seconds."""
        age = self.hub.now() - self.readable_since
        return max(0.1, min(1.0, age / _RAMP))

    def took(self, seconds: float) -> None:
        """Take how long a run took."""
        self.latency += (seconds - self.latency) * _HALF_LIFE

    def suspect(self) -> None:
        """Have it probed at once."""
        self.health.suspect()
        self.poked.set()

    def link(self, attributes: Attributes) -> Link:
        """Return a shared link, the least busy of as many as there may be.

        One that is kept by something slow is passed over, within reason.
        """
        links = [link for link in self._links.get(attributes, ()) if not link.is_lane]
        ready = [link for link in links if link.takes_new]
        if ready:
            quiet = min(ready, key=_busy)
            if not quiet.outstanding or len(ready) >= self.hub.settings.connections_per_node:
                return quiet
        elif len(links) >= _MOST_STUCK:
            return min(links, key=_busy)
        return self._shared(attributes)

    def lane(self, attributes: Attributes) -> Link:
        """Return a shared link for slow commands; as far as may be they do not wait for others."""
        lanes = [link for link in self._links.get(attributes, ()) if link.is_lane]
        quiet = min(lanes, key=_busy, default=None)
        if quiet is not None and (not quiet.outstanding or len(lanes) >= _MOST_STUCK):
            return quiet
        link = self._shared(attributes)
        link.is_lane, link.takes_new = True, False
        return link

    def _shared(self, attributes: Attributes) -> Link:
        link = self._new(attributes, self._ended)
        self._links.setdefault(attributes, []).append(link)
        self.hub.spawn(self._open(link), f"link {self.label}")
        return link

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

    def sweep(self, now: float) -> None:
        """Close links that nobody used for long."""
        for links in self._links.values():
            surplus = [link for link in links if not link.is_lane]
            for link in surplus[self.hub.settings.connections_per_node :]:
                if link.outstanding or link.progress != link.seen:
                    link.seen, link.seen_at = link.progress, now
                elif now - link.seen_at > _SPARE_LIMIT:
                    link.close("idle")
                    return  # it has left the list
        for attributes, spare in self._spare.items():
            least = self._least if attributes == DEFAULT else 0
            while len(spare) > least and now - spare[0][0] > _SPARE_LIMIT:
                spare.pop(0)[1].close("idle")
        self._keep_least()

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

    def end_links(self, why: str) -> None:
        """End all links, unless it has become the primary again."""
        if not self.is_primary:
            self.close(why)

    def close(self, why: str) -> None:
        """End all links."""
        for link in self.links:
            link.close(why)
        for spare in self._spare.values():
            for _, link in spare:
                link.close(why)
            spare.clear()
        for link in list(self._leased):
            link.close(why)

    def _new(
        self, attributes: Attributes, ended: Callable[[Link], None], *, takes_pushes: bool = False
    ) -> Link:
        hub = self.hub
        link = Link(
            hub.dialer.to(self.address),
            attributes,
            name=b"" if takes_pushes else hub.link_name,
            ended=ended,
            takes_pushes=takes_pushes,
        )
        link.node = self
        link.login = hub.with_login(attributes)
        link.is_ours = attributes._replace(is_reading=False) == DEFAULT
        return link

    async def _open(self, link: Link) -> None:
        try:
            await link.open()
        except UpstreamUnavailable:
            self.suspect()
        except Refused as refused:
            if link.is_ours:
                self.hub.refused(self, refused.reply)

    def _ended(self, link: Link) -> None:
        for links in self._links.values():
            if link in links:
                links.remove(link)
        if not self.is_gone and link.refusal is None:
            self.suspect()


def _busy(link: Link) -> int:
    return link.outstanding
