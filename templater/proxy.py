"""What the component asks of a proxy, whichever program it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from sidecar.catalog.model import Instance
from sidecar.errors import TransientError
from templater.routes import Routes
from templater.work import Counters

__all__ = ["Applied", "NobodyListens", "Proxy", "ProxyUnavailable"]


class ProxyUnavailable(TransientError):
    """The proxy's control socket does not answer, or the proxy has ended."""


class NobodyListens(ProxyUnavailable):
    """There is no such socket, or nobody behind it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How the last change became live."""

    kind: Literal["start", "runtime", "reload"]
    why: str
    seconds: float
    at: float
    """When it was live, on the monotonic clock."""


class Proxy(Protocol):
    """A supervised proxy that serves the newest routes it was given."""

    @property
    def last(self) -> Applied | None:
        """How the last change became live."""

    @property
    def last_reload(self) -> Applied | None:
        """How the last change became live that was no change at run time."""

    def want(self, routes: Routes) -> None:
        """Make these the routes to serve; newer ones replace those not yet applied."""

    async def run(self, serving: Callable[[], None]) -> None:
        """Keep the proxy running and its routes right until cancelled, then end it softly."""

    def trouble(self) -> str | None:
        """Return what is wrong in one line, or None."""

    async def counters(self) -> Counters | None:
        """Return what the proxy counts; None: it does not answer now."""

    async def in_flight(self, instance: Instance) -> int | None:
        """Return how many requests and connections it has; None: not known here.

        The instance is the registrar's own: in what is mirrored from a store its node or id may
        be others, and it may be gone already.
        """
