"""An upstream of one client from which everything passes at once: subscriptions and MONITOR.

Messages come that nobody asked for, so replies are not counted. It ends by RESET, or when no
subscription is left for a second. If the server is lost, the client is subscribed again elsewhere
where that is all there was; messages of the time between are lost.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from ambassador.redis.commands import Command
from ambassador.redis.greeting import Refused
from ambassador.redis.messages import Subscriptions
from ambassador.redis.monitoring import Monitor
from ambassador.redis.resp import packed
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.lease import Lease
    from ambassador.redis.session import Session

__all__ = ["Feed"]

_QUIET: Final = 1.0
_FOR_GOOD: Final = frozenset({"monitor", "sync", "psync", "replconf", "client|tracking"})
_RESET: Final = packed(b"RESET")
_RESET_REPLY: Final = b"+RESET\r\n"


class Feed:
    """What passes between one client and its upstream."""

    def __init__(self, lease: "Lease", session: "Session", client: "Client") -> None:
        """Begin; the link is tapped from now on."""
        self.is_for_good = False  # there is no way back to counted replies
        self._lease = lease
        self._session = session
        self._client = client
        self._subscriptions = Subscriptions()
        self._is_leaving = False
        self._timer: asyncio.TimerHandle | None = None
        self._monitor: Monitor | None = None
        lease.link.tap = self._arrived

    def take(self, raw: bytes, found: Command, words: list[bytes]) -> None:
        """Pass a command on."""
        self.cancel()
        name = found.name
        self.is_for_good = self.is_for_good or name in _FOR_GOOD
        attributes = self._session.attributes
        if name == "hello" and len(words) > 1 and words[1] in {b"2", b"3"}:
            self._session.attributes = attributes._replace(protocol=int(words[1]))
        elif name == "select" and len(words) == 2 and words[1].isdigit():
            self._session.attributes = attributes._replace(db=int(words[1]))
        self._subscriptions.asked(name, len(words) - 1)
        if "readonly" not in found.flags:
            self._client.reader.hides()
        link = self._lease.link
        if name == "monitor" and self._monitor is None:
            self._monitor = Monitor(self._client.hub, link.node, self._client.write)
        link.write_raw(raw, self._client)
        self._arm()

    def _arrived(self, data: bytes) -> None:
        """Pass on what the upstream sends."""
        client = self._client
        if self._monitor is not None:
            data = self._monitor.take(data)
        if self._is_leaving:
            if not data.endswith(_RESET_REPLY):
                client.write(data)
                return
            data = data[: -len(_RESET_REPLY)]
        client.write(self._subscriptions.feed(data, is_muted=client.is_muting))
        if self._is_leaving:
            self._left()
        elif self._subscriptions.has_error:
            client.close("upstream_lost")
        else:
            self.cancel()
            self._arm()

    def _arm(self) -> None:
        """Leave when nothing is subscribed and nothing happens for a while."""
        if not (self._subscriptions.count or self.is_for_good):
            self._timer = asyncio.get_running_loop().call_later(_QUIET, self._leave)

    @property
    def count(self) -> int:
        """Return how many subscriptions there are after all that has come."""
        return self._subscriptions.count

    def leave(self) -> None:
        """Give the upstream back as soon as it is as new."""
        self.cancel()
        self._leave()

    def end(self) -> None:
        """Do nothing any more."""
        self.cancel()
        if self._monitor is not None:
            self._monitor.end()
            self._monitor = None

    def cancel(self) -> None:
        """Do not leave."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _leave(self) -> None:
        """Ask for RESET; whatever comes before its reply is still the client's."""
        self._timer = None
        if self._session.lease is self._lease and not self._client.is_closed:
            self._is_leaving = self._session.waits = True
            self._lease.link.write_raw(_RESET)

    def _left(self) -> None:
        self._session.waits = False
        self._session.become(self._session.attributes)
        self._session.release(is_clean=False)
        self._client.pump()

    def gone(self) -> None:
        """Hear that the server is lost: begin again elsewhere, or end with it."""
        self.cancel()
        client = self._client
        if self._is_leaving:
            self._left()
        elif self.is_for_good or client.is_muting or not self._subscriptions.is_settled:
            client.close("upstream_lost", is_abort=False)
        elif not self._subscriptions.count:
            self._left()
        elif client.hub.settings.resubscribe:
            self._session.waits = True
            client.hub.spawn(self._again(), "subscribe again")
        else:
            client.close("upstream_lost", is_abort=False)

    async def _again(self) -> None:
        client = self._client
        try:
            await self._lease.replace()
        except (UpstreamUnavailable, Refused, TimeoutError):
            client.close("upstream_lost", is_abort=False)
            return
        if client.is_closed:
            self._lease.give_back(is_clean=False)
            return
        self._subscriptions.hide()
        self._lease.link.tap = self._arrived
        for command in self._subscriptions.commands():
            self._lease.link.write_raw(command)
        client.hub.tallies.resubscribed()
        self._session.waits = False
        client.pump()
