"""From settings to the parts that answer."""

from typing import TYPE_CHECKING, Final

from dnsd.cache import Responder
from dnsd.networks import Networks
from dnsd.querylog import QueryLog
from dnsd.rates import Rates
from dnsd.service import Service
from dnsd.site import Site
from sidecar.config.model import DnsSettings
from sidecar.runtime.clock import Clock
from sidecar.stores.base import Source

if TYPE_CHECKING:
    from dnsd.recursion import Recursion

__all__ = ["Parts"]

_FORWARDING: Final = (
    *("recursors", "recursor_strategy", "recursor_timeout", "recursion_allow", "forward"),
    *("mix_case", "cache_bytes", "serve_stale", "max_concurrent_forwards"),
)


class Parts:
    """Makes them again after each reload; what may stay stays."""

    def __init__(self, source: Source, responder: Responder, clock: Clock) -> None:
        """Take what all of them have in common."""
        self._source = source
        self._responder = responder
        self._clock = clock
        self._before: tuple[DnsSettings, Recursion] | None = None

    def service(self, settings: DnsSettings, site: Site) -> Service:
        """Return what all sockets ask."""
        per_second, window = settings.rrl_responses_per_second, settings.rrl_window
        return Service(
            self._source,
            self._responder,
            self._clock,
            site=site,
            trusted=Networks(settings.rrl_exempt),
            transfers=Networks(settings.transfer_allow),
            recursion=self._recursion(settings, site),
            rates=Rates(per_second, window, settings.rrl_slip) if per_second else None,
            querylog=QueryLog(settings.query_log) if settings.query_log else None,
        )

    def _recursion(self, settings: DnsSettings, site: Site) -> "Recursion | None":
        """Return what asks others, with the cache that there is when nothing of it changed."""
        before, self._before = self._before, None
        if not settings.recursors and not settings.forward:
            return None
        # Late, because most servers ask nobody.
        from dnsd.forward.resolver import Resolver  # noqa: PLC0415
        from dnsd.forward.settings import forwarding_of  # noqa: PLC0415
        from dnsd.recursion import Recursion  # noqa: PLC0415

        if before is not None and _are_alike(settings, before[0]):
            resolver = before[1].resolver
        else:
            resolver = Resolver(forwarding_of(settings), self._clock)
        recursion = Recursion(resolver, site)
        self._before = settings, recursion
        return recursion


def _are_alike(one: DnsSettings, other: DnsSettings) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _FORWARDING)
