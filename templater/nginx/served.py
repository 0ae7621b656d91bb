"""Which addresses get new work now, and which did until lately. Pure."""

from templater.nginx.maps import serving
from templater.reach import Reach
from templater.routes import Routes
from templater.upstreams import patience

__all__ = ["Served"]


class Served:
    """What live configurations said, the last one and those before."""

    def __init__(self) -> None:
        """Begin with nothing served."""
        self._kept = 0.0  # no old worker lives longer
        self._now: frozenset[Reach] = frozenset()
        self._left: dict[Reach, float] = {}

    def take(self, routes: Routes, at: float) -> None:
        """Note that these routes are live from now (``at``) on."""
        new = frozenset(
            Reach(one.address, one.port)
            for members in routes.upstreams.values()
            for one in serving(members)
        )
        self._kept = max(self._kept, patience(routes.upstreams))
        lately = {
            reach: since
            for reach, since in self._left.items()
            if at - since < self._kept and reach not in new
        }
        self._left = lately | dict.fromkeys(self._now - new, at)
        self._now = new

    def is_now(self, reach: Reach) -> bool:
        """Say whether an address gets new work."""
        return reach in self._now

    def was(self, reach: Reach) -> bool:
        """Say whether an address got new work until lately."""
        return reach in self._left
