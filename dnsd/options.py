"""Our OPT, and what in it is for one client only. Pure; the clock is passed in."""

from collections.abc import Callable
from functools import lru_cache

from dnsd import cookies, edns, wire
from dnsd.site import Site
from dnsd.tallies import Channel

__all__ = ["Options"]

_PRIVATE = frozenset(("tls", "https"))


@lru_cache(maxsize=256)
def _plain(payload: int, rcode: int, do: bool, error: int | None) -> bytes:
    return wire.opt(payload, rcode, do=do, error=error)


class Options:
    """Answers the options of queries."""

    def __init__(self, site: Site, now: Callable[[], float] | None) -> None:
        """Without a clock or a secret there are no cookies."""
        self._payload = site.payload
        self._now = now

    def opt(self, rcode: int, *, do: bool, error: int | None, options: bytes) -> bytes:
        """Return the OPT of a reply; without options the same octets are shared by all."""
        if not options:
            return _plain(self._payload, rcode, do, error)
        return wire.opt(self._payload, rcode, do=do, error=error, options=options)

    def answer(self, options: bytes, client: bytes, channel: Channel, site: Site) -> bytes:
        """Return what the options of a query get. Raises BadOption."""
        asked = edns.read(options)
        found = b""
        if asked.nsid:
            found += edns.nsid(site.nsid)
        if asked.cookie and site.cookie_secrets and self._now is not None:
            now = self._now()
            data = cookies.respond(asked.cookie, client, site.cookie_secrets, now)
            found += edns.option(edns.COOKIE, data)
        if asked.subnet:
            found += edns.subnet(asked.subnet)
        if asked.keepalive and not channel.over_udp:
            found += edns.keepalive(site.idle)
        return found

    def pads(self, asked: wire.Edns | None, channel: Channel) -> bool:
        """Say whether a reply is to be padded: asked for, and nobody else can see it."""
        if asked is None or channel.proto not in _PRIVATE:
            return False
        return edns.read(asked.options).padding
