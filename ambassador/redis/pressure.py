"""What is held back while more replies wait for slow clients than there may be in memory.

First who makes most of them is read no more: slow clients send nothing more, and the servers'
connections that carry their replies are paused, the largest first. Others leave such a connection:
reads that wait behind are asked on another, what comes anew goes there. Only when nothing is left
to pause are new clients refused. A write of somebody else that waits behind all the same cannot go
elsewhere: then the client with the most ends, as with Redis' own ``maxmemory-clients``.
"""

from typing import TYPE_CHECKING, Final

from ambassador.redis.run import ClientRun, Unheard

if TYPE_CHECKING:
    from collections.abc import Collection

    from ambassador.redis.client import Client
    from ambassador.redis.hub import Hub
    from ambassador.redis.link import Link

__all__ = ["PRESSED", "Pressure", "rescued"]

PRESSED: Final = 2
"""Why a client is held: so that another reason does not end with this one."""
_RELIEF: Final = 0.75
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
            if self._are_others_kept(waiting):
                max(waiting, key=waiting.__getitem__).close("memory", is_abort=True)
        elif (self._clients or self._links) and total < limit * _RELIEF:
            self._relieve()

    def _are_others_kept(self, slow: "Collection[object]") -> bool:
        """Say whether commands of others wait behind what is paused, and cannot go elsewhere."""
        return any(
            isinstance(run, ClientRun) and run.owner not in slow
            for link in self._links
            for run in link.queue
        )

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
            self._stop(max(made, key=made.__getitem__), waiting)

    def _stop(self, link: "Link", slow: "Collection[Client]") -> None:
        self._links.add(link)
        link.pause()
        link.takes_new = False
        for run in rescued(link, slow):
            self._hub.reissued("pressure")
            run.owner.moved(run)

    def _relieve(self) -> None:
        self.is_full = False
        links, self._links = self._links, set()
        for link in links:
            link.resume()
        clients, self._clients = self._clients, set()
        for client in clients:
            client.hold(is_held=False, why=PRESSED)


def rescued(link: "Link", bound: "Collection[object]" = ()) -> list[ClientRun]:
    """Return reads that only wait for others there, to be sent elsewhere.

    What the link answers to them nobody hears. A client with anything else before them there, or
    that is ``bound``, keeps them there, so that its commands stay in order.
    """
    found: list[ClientRun] = []
    stay: set[object] = set(bound)
    for place, run in enumerate(link.queue):
        if not isinstance(run, ClientRun):
            continue
        is_free = place and run.kind in _READS and run.owner not in stay and run.token <= 0
        if is_free and run.left == run.count and run.after is None and link.client is None:
            found.append(run)
            link.queue[place] = Unheard(run.data, run.count)
        else:
            stay.add(run.owner)
    return found
