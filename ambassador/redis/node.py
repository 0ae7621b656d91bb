"""One Redis server as the proxy sees it: what it said, and its shared links."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ambassador.frame.address import Address
from ambassador.frame.health import Health
from ambassador.redis.greeting import DEFAULT, Attributes, Refused
from ambassador.redis.link import Link
from ambassador.redis.spares import SPARE_LIMIT, Lender
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.hub import Hub
    from ambassador.redis.roles import Observation

__all__ = ["Node"]

_RAMP: Final = 10.0
_HALF_LIFE: Final = 0.05
_MOST_STUCK: Final = 4


class Node(Lender):
    """A server."""

    def __init__(self, hub: "Hub", address: Address, zone: str = "") -> None:
        """Connect to nothing yet."""
        super().__init__(hub, str(address))
        self.address = address
        self.zone = zone
        self.health = Health()
        self.observation: Observation | None = None
        self.offset = -1  # a replica's, never too high
        self.tells_role = True
        self.is_readable = False
        self.is_draining = False  # says the catalogue
        self.is_drained = False  # says a person
        self.readable_since = 0.0
        self.heard = 0.0  # when it answered who it is
        self.clients = 0
        self.latency = 0.0005
        self.counts = [0, 0, 0, 0]  # commands answered, by kind
        self.errors = [0, 0, 0, 0]  # of those, with an error
        self.unknown = [0, 0, 0, 0]  # ... and with nobody knows what
        self.poked = asyncio.Event()
        self._links: dict[Attributes, list[Link]] = {}
        self.watcher: Link | None = None

    @property
    def is_primary(self) -> bool:
        """Whether writes go here."""
        return self.hub.is_primary(self)

    @property
    def outstanding(self) -> int:
        """Return how many runs are under way on shared links."""
        return sum(link.outstanding for links in self._links.values() for link in links)

    @property
    def links(self) -> list[Link]:
        """Return the shared links."""
        return [link for links in self._links.values() for link in links]

    def every_link(self) -> list[Link]:
        """Return all links: shared, of single clients, spare, and the one that it is watched by."""
        watched = [self.watcher] if self.watcher is not None else []
        return [*self.links, *self.every_own_link(), *watched]

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

    def sweep(self, now: float) -> None:
        """Close links that nobody used for long."""
        for links in self._links.values():
            surplus = [link for link in links if not link.is_lane]
            for link in surplus[self.hub.settings.connections_per_node :]:
                if link.outstanding or link.progress != link.seen:
                    link.seen, link.seen_at = link.progress, now
                elif now - link.seen_at > SPARE_LIMIT:
                    link.close("idle")
                    return  # it has left the list
        self.sweep_spares(now)

    def end_links(self, why: str) -> None:
        """End all links, unless it has become the primary again."""
        if not self.is_primary:
            self.close(why)

    def close(self, why: str) -> None:
        """End all links."""
        for link in self.links:
            link.close(why)
        self.close_own(why)

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
        hub.monitors.take(link)
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
