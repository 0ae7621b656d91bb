"""What is held back while more replies wait for slow clients than there may be in memory.

First who makes most of them is read no more: slow clients send nothing more, and the servers'
connections that carry their replies are paused, the largest first. Others leave such a connection:
reads that wait behind are asked on another, what comes anew goes there. If something of others
waits behind all the same, the client with the most ends, as with Redis' own ``maxmemory-clients``.
When nothing is left to pause new clients are refused.
"""

from typing import TYPE_CHECKING, Final, cast

from ambassador.redis.run import ClientRun, Unheard

if TYPE_CHECKING:
    from collections.abc import Collection

    from ambassador.redis.client import Client
    from ambassador.redis.hub import Hub
    from ambassador.redis.link import Link

__all__ = ["PRESSED", "Pressure", "rescued"]

PRESSED: Final = 2
"""Why a client is held: so that another reason does not end with this one."""
_READS: Final = (1, 3)  # Route: what may be asked twice


class Pressure:
    """Who is held back for one hub."""

    def __init__(self, hub: "Hub") -> None:
        """Start with nobody."""
        self.is_full = False  # nothing else helps than to refuse new clients
        self._hub = hub
        self._clients: set[Client] = set()
        self._links: set[Link] = set()

    def judge(self, waiting: "dict[Client, int]") -> None:
        """Take how many bytes wait for each slow client."""
        total, limit = sum(waiting.values()), self._hub.settings.memory
        if total > limit:
            self._press(waiting)
        elif self._clients or self._links:
            self._relieve()

    def grew(self, client: "Client", size: int) -> None:
        """Hear that a client that does not read has more to read; end it beyond its limit."""
        hub, settings, transport = self._hub, self._hub.settings, client.transport
        hub.buffered += size
        hard = settings.push_hard if client.session.is_transparent else settings.reply_hard
        if transport is not None and transport.get_write_buffer_size() > hard:
            client.close("reply_buffer", is_abort=True)
        elif hub.buffered > settings.memory:
            self.stop(client)

    def stop(self, client: "Client") -> None:
        """Stop what sends to a slow client just now, as there is no room for more."""
        link = cast("Link | None", client.runs[0].link) if client.runs else None
        if link is not None and link.client is None:
            self._stop(link)

    def _press(self, waiting: "dict[Client, int]") -> None:
        made: dict[Link, int] = {}
        for client, size in waiting.items():
            self._clients.add(client)
            client.hold(is_held=True, why=PRESSED)
            for link in client.sources():
                if link.client is None and not link.is_paused:
                    made[link] = made.get(link, 0) + size
        self.is_full = not made
        if made:
            self._stop(max(made, key=made.__getitem__))
        for link in list(self._links):
            if link.queue and getattr(link.queue[0], "owner", None) in waiting:
                self._free(link, waiting)
            else:  # what comes next is for somebody who reads it, or has gone
                self._links.discard(link)
                link.resume()

    def _stop(self, link: "Link") -> None:
        self._links.add(link)
        link.pause()
        link.takes_new = False

    def _free(self, link: "Link", waiting: "dict[Client, int]") -> None:
        """Let others go on that wait behind slow clients."""
        for run in rescued(link, waiting, most_tries=0):
            run.tries += 1  # it may be one of those replies itself, so it moves only once
            self._hub.reissued("pressure")
            run.owner.moved(run)
        here = {run.owner for run in link.queue if isinstance(run, ClientRun)}
        slow = [client for client in waiting if client in here and not client.is_closed]
        if slow and any(_is_stuck(owner, waiting) for owner in here):
            max(slow, key=waiting.__getitem__).close("memory", is_abort=True)

    def _relieve(self) -> None:
        self.is_full = False
        links, self._links = self._links, set()
        for link in links:
            link.resume()
        clients, self._clients = self._clients, set()
        for client in clients:
            client.hold(is_held=False, why=PRESSED)


def _is_stuck(owner: object, slow: "Collection[object]") -> bool:
    """Say whether a run is of somebody who would read its reply."""
    return owner not in slow and not getattr(owner, "is_closed", False)


def rescued(
    link: "Link", bound: "Collection[object]" = (), most_tries: int = 99
) -> list[ClientRun]:
    """Return reads that only wait for others there, to be sent elsewhere.

    What the link answers to them nobody hears. A client with anything else before them there, or
    that is ``bound``, keeps them there, so that its commands stay in order.
    """
    link.flush()  # what is held back waits for the same replies
    found: list[ClientRun] = []
    stay: set[object] = set(bound)
    for place, run in enumerate(link.queue):
        if not isinstance(run, ClientRun):
            continue
        is_free = place and run.kind in _READS and run.owner not in stay and run.token <= 0
        is_free = is_free and run.tries <= most_tries
        if is_free and run.left == run.count and link.client is None:
            found.append(run)
            link.queue[place] = Unheard(run.data, run.count)
        else:
            stay.add(run.owner)
    return found
