"""What is known of nginx's work. Pure.

nginx itself counts connections and requests as a whole (``stub_status``) and nothing by endpoint;
that an endpoint has connections is in the kernel's tables.
"""

from collections.abc import Callable
from typing import Final

from templater.nginx.build import counters_of, requests_of
from templater.routes import Endpoint, Routes
from templater.work import Counters, Work

__all__ = ["Tally"]

_LACKS: Final = (
    "nginx counts neither requests, failures nor time by endpoint; sessions are connections, "
    "idle ones too"
)
_LEAST: Final = 0.5  # seconds between two looks that tell a rate


class Tally:
    """The last count of requests, which tells a rate at the next one."""

    def __init__(self) -> None:
        """Begin without a count."""
        self._earlier: tuple[float, int] | None = None
        self._rate: float | None = None

    def take(self, words: str, at: float) -> int | None:
        """Note what ``stub_status`` answered at a moment; return the requests."""
        requests = requests_of(words)
        if requests is None:
            return None
        if self._earlier is None or requests < self._earlier[1]:  # started anew
            self._earlier, self._rate = (at, requests), None
        elif at - self._earlier[0] >= _LEAST:
            before, known = self._earlier
            self._earlier, self._rate = (at, requests), (requests - known) / (at - before)
        return requests

    def counters(
        self, program: str, words: str, at: float, *,
        routes: Routes, connections: Callable[[Endpoint], int],
    ) -> Counters:  # fmt: skip
        """Return what is known; ``connections`` tells those with an endpoint."""
        requests = self.take(words, at)
        endpoints = {
            (upstream, one.key): Work(connections(one))
            for upstream, members in routes.upstreams.items()
            for one in members
        }
        active = counters_of(words).get("active")
        return Counters(program, active, requests, self._rate, endpoints, _LACKS)
