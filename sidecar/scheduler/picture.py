"""What the scheduler sees at a look: all nodes and copies, and whether work reaches them.

A node that cannot be reached gets no new work at once; unless most of them cannot, because then it
is us who are cut off, and what sends work is left as it is. Not all probes fail in one moment, so
what was kept from the first of them shortly before is taken back then.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from sidecar.scheduler.cluster import Cluster, Copy
from sidecar.scheduler.desk import Desk
from sidecar.scheduler.nodes.link import Link
from sidecar.scheduler.sight import UNREACHABLE
from sidecar.scheduler.traffic import Traffic

__all__ = ["Picture"]

_LONG: Final = 10.0
_TOGETHER: Final = 10.0
"""Nodes that went within so many seconds are taken to have gone for one reason."""


class Picture:
    """Puts together what links and traffic say."""

    def __init__(self, links: Mapping[str, Link], desk: Desk, traffic: Traffic) -> None:
        """All are kept by who made them."""
        self._links = links
        self._desk = desk
        self._traffic = traffic
        self._suspended: dict[str, float] = {}
        """Since when."""
        self._withdrawn: set[str] = set()
        self._known: set[str] = set()
        self._routed: set[str] = set()
        """Those that work has reached once: what is wrong later is not their start."""

    def taken(self, now: float) -> Cluster:
        """Return what is seen now."""
        copies: dict[str, list[Copy]] = {}
        ids: set[str] = set()
        for link in self._links.values():
            for service, copy in link.copies():
                ids.add(copy.id)
                copies.setdefault(service, []).append(self._completed(copy, now))
        self._known = ids
        self._routed &= ids
        self._traffic.forget(ids)
        nodes = tuple(
            replace(link.view(), availability=self._desk.availability(name))
            for name, link in self._links.items()
        )
        since = {name: link.reach().since for name, link in self._links.items()}
        return Cluster(nodes, {key: tuple(each) for key, each in copies.items()}, since)

    def _completed(self, copy: Copy, now: float) -> Copy:
        if copy.id not in self._known and now - copy.since > _LONG:
            self._routed.add(copy.id)  # it served before we began
        is_up = copy.id in self._routed
        if not is_up and self._traffic.is_routed(copy.node, copy.id) is not False:
            self._routed.add(copy.id)
            is_up = True
        return replace(
            copy,
            is_up=is_up,
            is_registered=copy.id not in self._withdrawn,
            share=self._traffic.share(copy.id),
        )

    def withdrawn(self, copy: Copy) -> None:
        """Note that a copy is in the catalogue no more."""
        self._withdrawn.add(copy.id)

    def suspend(self, cluster: Cluster, now: float) -> frozenset[str]:
        """Keep work from nodes that cannot be reached now; return those that are new."""
        away = {node.name for node in cluster.nodes if node.state in UNREACHABLE}
        if len(away) * 2 > len(cluster.nodes):
            late = {name for name, at in self._suspended.items() if now - at < _TOGETHER}
            for name in late & self._links.keys():
                self._traffic.suspend(name, on=False, but=self._withdrawn)
                del self._suspended[name]
            return frozenset()
        new = frozenset(away - self._suspended.keys())
        for name in new:
            self._traffic.suspend(name, on=True)
        self._suspended |= dict.fromkeys(new, now)
        return new

    def resume(self, cluster: Cluster, but: Collection[str]) -> None:
        """Let nodes that are back have work again, but for copies (ids) that are to go."""
        away = {node.name for node in cluster.nodes if node.state in UNREACHABLE}
        for name in self._suspended.keys() - self._links.keys():  # it is listed no more
            del self._suspended[name]
        for name in self._suspended.keys() - away:
            self._traffic.suspend(name, on=False, but=but)
            del self._suspended[name]
            self._withdrawn -= {copy.id for _, copy in self._links[name].copies()}
