"""What is known of nginx's work. Pure.

nginx itself counts connections and requests as a whole (``stub_status``) and nothing by endpoint.
What an endpoint has done is in the log of requests, that it has connections in the kernel's tables.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from templater.names import SocketAddress
from templater.nginx.build import counters_of, requests_of
from templater.nginx.journal import Journal
from templater.nginx.names import GroupName
from templater.routes import Endpoint, Routes, Upstream
from templater.work import Counters, Work

__all__ = ["Tally"]

_SESSIONS: Final = "of nginx, sessions are connections, idle ones too"
_LACKS: Final = f"{_SESSIONS}; a request counts when it is done"
_LACKS_ALL: Final = f"{_SESSIONS}; requests are not counted by endpoint without shipped.http"
_LEAST: Final = 0.5  # seconds between two looks that tell a rate


class Tally:
    """The last count of requests, which tells a rate at the next one, and those of endpoints."""

    def __init__(self) -> None:
        """Begin without a count."""
        self.journal: Journal | None = None
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
            (upstream, one.key): self._work(groups, one, connections(one))
            for upstream, groups, one in _seats(routes)
        }
        active = counters_of(words).get("active")
        lacks = _LACKS_ALL if self.journal is None else _LACKS
        return Counters(program, active, requests, self._rate, endpoints, lacks)

    def note(self, octets: bytes | None, at: float) -> None:
        """Add what the log of requests says that is new; None: there is none."""
        if octets is None:
            self.journal = None
            return
        self.journal = self.journal or Journal()
        self.journal.take(octets, at)

    def keep(self, routes: Routes) -> None:
        """Forget endpoints that are not of these routes."""
        if self.journal is not None:
            self.journal.keep(
                (group, _address(one)) for _, groups, one in _seats(routes) for group in groups
            )

    def _work(self, groups: Iterable[str], one: Endpoint, connections: int) -> Work:
        if self.journal is None:
            return Work(connections)
        done = self.journal.of(groups, _address(one))
        return Work(
            connections,
            requests=done.requests,
            rate=round(done.rate),
            latency=done.latency,
            failures=done.failures,
            retries=done.retries,
        )


def _seats(routes: Routes) -> Iterator[tuple[Upstream, Sequence[str], Endpoint]]:
    """Yield each endpoint with what the log calls its group; of TCP it only knows the ports."""
    ports: dict[Upstream, list[str]] = {}
    for port, upstream in routes.listeners.items():
        ports.setdefault(upstream, []).append(f"tcp:{port}")
    for upstream, members in routes.upstreams.items():
        groups = ports.get(upstream) or [str(GroupName(upstream))]
        for one in members:
            yield upstream, groups, one


def _address(one: Endpoint) -> str:
    return str(SocketAddress(one.address, one.port))
