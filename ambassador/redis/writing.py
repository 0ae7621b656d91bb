"""Which connection to the primary a client's commands take, in their order.

They keep to one as long as any of them is under way there, even if it is slow. When another server
becomes the primary, what comes later waits until the former has answered all: commands that it
refuses are sent again, in order and before any that came later. Reads on replicas may come back to
the primary, so what comes behind them waits, too.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.link import Link
    from ambassador.redis.node import Node
    from ambassador.redis.run import ClientRun

__all__ = ["Writer"]


class Writer:
    """Sends one client's runs to the primary."""

    __slots__ = ("_client", "_moving", "_old", "link")

    def __init__(self, client: "Client") -> None:
        """Start without a connection."""
        self._client = client
        self.link: Link | None = None  # to the primary, shared
        self._old: Link | None = None  # to a former primary, with commands under way
        self._moving: list[ClientRun] = []  # what comes after those, and after reads

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be sent when something else is answered."""
        return bool(self._moving)

    def send(self, run: "ClientRun") -> None:
        """Send a run to the primary, or keep it until there is one."""
        client = self._client
        hub = client.hub
        primary = hub.primary
        if client.guards and not run.token and not client.is_parallel:
            self._wait(run)  # a read that may come back to the primary goes first
            return
        if primary is None or hub.held:
            hub.hold(run)
            return
        link = self.link
        if link is None or not link.takes_new or link.node is not primary or run.is_slow:
            link = self._relinked(primary, run)
            if link is None:
                return
        run.link = link
        link.send(run)
        if hub.has_replicas:
            client.reader.wrote(run, link)

    def settle(self) -> None:
        """Send what waited, if what it waited for is answered."""
        if not self._client.guards and (self._old is None or not self.is_under_way(self._old)):
            self._old = None
            moving, self._moving = self._moving, []
            now = self._client.hub.now()
            for run in moving:
                run.sent = now
                self._client.to_primary(run)

    def is_under_way(self, link: "Link") -> bool:
        """Say whether commands of this client have no reply from there yet."""
        return any(run.link is link and not run.is_done for run in self._client.runs)

    def forget_link(self) -> None:
        """Choose a link anew, as what it is set to has changed."""
        self.link = None

    def _wait(self, run: "ClientRun") -> None:
        self._moving.append(run)
        self._client.has_waiting = True

    def _relinked(self, primary: "Node", run: "ClientRun") -> "Link | None":
        """Return a link to another primary; None: the run waits for what is under way."""
        link = self.link
        if self._old is None and link is not None and not link.is_closed and link.node is primary:
            if self.is_under_way(link):
                return link  # though it is slow: what it does comes first
            link = self.link = self._chosen(primary, run)
            return link
        old = self._old or link
        if old is not None and not old.is_closed and self.is_under_way(old):
            self._old, self.link = old, None
            if not run.tries:
                self._wait(run)
                return None
            return primary.link(self._client.session.attributes)
        self._old = None
        link = self.link = self._chosen(primary, run)
        moving, self._moving = self._moving, []
        for one in moving:
            self._client.to_primary(one)
        return link

    def _chosen(self, primary: "Node", run: "ClientRun") -> "Link":
        choose = primary.lane if run.is_slow else primary.link
        return choose(self._client.session.attributes)
