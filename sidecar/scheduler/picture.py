"""What the scheduler sees at a look: all nodes and copies, and whether work reaches them.

A node that cannot be reached gets no new work at once; unless most of them cannot, because then it
is us who are cut off, and what sends work is left as it is.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from sidecar.scheduler.cluster import WELL, Cluster, Copy, Stage
from sidecar.scheduler.desk import Desk
from sidecar.scheduler.labels import MAIN, POD, hidden, relabelled
from sidecar.scheduler.model import ContainerView, NodeView, State
from sidecar.scheduler.nodes.link import Link
from sidecar.scheduler.sight import UNREACHABLE
from sidecar.scheduler.traffic import Traffic

__all__ = ["Picture"]

_LONG: Final = 10.0

_Relabelled = tuple[ContainerView, Mapping[str, str], Mapping[str, str] | None]
"""A container, the labels that its stack gives it, and what comes of both."""


class Picture:
    """Puts together what links and traffic say."""

    def __init__(self, links: Mapping[str, Link], desk: Desk, traffic: Traffic) -> None:
        """All are kept by who made them."""
        self._links = links
        self._desk = desk
        self._traffic = traffic
        self._suspended: set[str] = set()
        self._withdrawn: set[str] = set()
        self._known: set[str] = set()
        self._idle: set[str] = set()
        """Pods in which nothing can serve now: they are not registered."""
        self._routed: set[str] = set()
        """Those that work has reached once: what is wrong later is not their start."""
        self._completions: dict[str, tuple[Copy, Copy]] = {}
        """What was made of each copy: most are as they were at the look before."""
        self._relabelled: dict[str, _Relabelled] = {}

    def taken(self, now: float) -> Cluster:
        """Return what is seen now."""
        copies: dict[str, list[Copy]] = {}
        ids: set[str] = set()
        self._relabel()
        for link in self._links.values():
            for service, copy in link.copies():
                ids.add(copy.id)
                copies.setdefault(service, []).append(self._completed(copy, now))
        self._known = ids
        self._routed &= ids
        if len(self._completions) > len(ids):
            self._completions = {key: self._completions[key] for key in ids}
        self._traffic.forget(ids)
        nodes = tuple(self._available(link.view()) for link in self._links.values())
        since = {name: link.reach().since for name, link in self._links.items()}
        return Cluster(nodes, {key: tuple(each) for key, each in copies.items()}, since)

    def _available(self, node: NodeView) -> NodeView:
        wanted = self._desk.availability(node.name)
        return node if node.availability is wanted else replace(node, availability=wanted)

    def _completed(self, copy: Copy, now: float) -> Copy:
        if copy.id not in self._known and now - copy.since > _LONG:
            self._routed.add(copy.id)  # it served before we began
        is_up = copy.id in self._routed
        if copy.id in self._idle:
            self._routed.discard(copy.id)
            is_up = False
        elif not is_up and self._traffic.is_routed(copy.node, copy.id) is not False:
            self._routed.add(copy.id)
            is_up = True
        seen = is_up, copy.id not in self._withdrawn, self._traffic.share(copy.id)
        before, made = self._completions.get(copy.id, (None, copy))
        if before is not copy or (made.is_up, made.is_registered, made.share) != seen:
            made = replace(copy, is_up=seen[0], is_registered=seen[1], share=seen[2])
            self._completions[copy.id] = copy, made
        return made

    def _relabel(self) -> None:
        """Have what runs registered by the labels that its stack gives it now."""
        manned = {
            copy.within
            for link in self._links.values()
            for _, copy in link.copies()
            if copy.role == MAIN and copy.stage is Stage.RUNNING and copy.health in WELL
        }
        self._idle = set()
        live: dict[tuple[str, str], Mapping[str, str] | None] = {}
        before, self._relabelled = self._relabelled, {}
        for name, link in self._links.items():
            for service, copy in link.copies():
                seen = link.seen(copy.id)
                if copy.stage is not Stage.RUNNING or seen is None:
                    continue
                key = service, copy.spec
                if key not in live:
                    recipe = self._desk.recipe(*key)
                    live[key] = recipe.care.labels if recipe is not None else None
                wanted = live[key]
                if copy.role == POD and copy.id not in manned:
                    self._idle.add(copy.id)
                    self._traffic.relabel(name, copy.id, hidden(seen.view.labels))
                elif wanted is not None:
                    known = before.get(copy.id)
                    if known is None or known[0] is not seen.view or known[1] is not wanted:
                        known = seen.view, wanted, relabelled(seen.view.labels, wanted)
                    self._relabelled[copy.id] = known
                    self._traffic.relabel(name, copy.id, known[2])

    def withdrawn(self, copy: Copy) -> None:
        """Note that a copy is in the catalogue no more."""
        self._withdrawn.add(copy.id)

    def suspend(self, cluster: Cluster) -> frozenset[str]:
        """Keep work from nodes that cannot be reached now; return those that are new.

        When most are away what gets work is as before: also of those that went first, a moment
        ago, and are not down yet.
        """
        away = {node.name for node in cluster.nodes if node.state in UNREACHABLE}
        if len(away) * 2 > len(cluster.nodes):
            suspects = {node.name for node in cluster.nodes if node.state is State.SUSPECT}
            for name in self._suspended & suspects:
                self._traffic.suspend(name, on=False)
            self._suspended -= suspects
            return frozenset()
        new = frozenset(away - self._suspended)
        for name in new:
            self._traffic.suspend(name, on=True)
        self._suspended |= new
        return new

    def resume(self, cluster: Cluster, but: Collection[str]) -> None:
        """Let nodes that are back have work again, but for copies (ids) that are to go."""
        away = {node.name for node in cluster.nodes if node.state in UNREACHABLE}
        self._suspended &= self._links.keys()  # others are listed no more
        for name in self._suspended - away:
            self._traffic.suspend(name, on=False, but=but)
            self._suspended.discard(name)
            self._withdrawn -= {copy.id for _, copy in self._links[name].copies()}
