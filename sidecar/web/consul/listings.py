"""The entries of each read of the catalogue and of health, chosen and in order. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sidecar.catalog.model import Check, Instance, Node, Status
from sidecar.web.consul import shapes
from sidecar.web.consul.query import flag
from sidecar.web.consul.view import SELF, View

__all__ = [
    "Params",
    "agent_checks",
    "catalog_service",
    "checks_in",
    "checks_of",
    "checks_on",
    "health_service",
    "node",
    "node_services",
    "nodes",
    "passing",
    "services",
]

_T = TypeVar("_T")
Chosen = Callable[[Iterable[Any]], list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What of a query chooses and orders the entries of an answer."""

    tags: frozenset[str] = frozenset()
    passing: bool = False
    near: str = ""
    node_meta: tuple[tuple[str, str], ...] = ()
    filter: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str], tags: Iterable[str], meta: Iterable[str]) -> "Params":
        """Read them from a query; ``tags`` and ``meta`` may come more than once."""
        pairs = tuple((k, v) for k, _, v in (text.partition(":") for text in meta))
        # Tags match in any case of letters, as in Consul.
        return cls(
            tags=frozenset(tag.lower() for tag in tags if tag),
            passing=flag(query.get("passing")),
            near=query.get("near", ""),
            node_meta=pairs,
            filter=query.get("filter", ""),
        )


def _has_meta(node: Node, params: Params) -> bool:
    return all(node.meta.get(key) == value for key, value in params.node_meta)


def _chosen(view: View, name: str, params: Params) -> list[Instance]:
    found = [
        instance
        for instance in view.members(name)
        if params.tags.issubset(map(str.lower, instance.tags))
        and (not params.node_meta or _has_meta(view.node_of(instance), params))
    ]
    return _sorted(view, found, params, lambda instance: instance.node)


def _sorted(view: View, found: list[_T], params: Params, node_of: Callable[[_T], str]) -> list[_T]:
    """Put what is on the agent's node first, if asked for; only that node knows where it is."""
    if params.near not in {"_agent", view.me.name}:
        return found
    return sorted(found, key=lambda each: node_of(each) != view.me.name)


def services(view: View, params: Params) -> dict[str, list[str]]:
    """Return every service's distinct tags."""
    found: dict[str, set[str]] = {}
    if not params.node_meta or _has_meta(view.me, params):
        found[SELF] = set()
    for name, members in view.snapshot.services.items():
        chosen = [i for i in members if not params.node_meta or _has_meta(view.node_of(i), params)]
        if chosen:
            found[name] = {tag for instance in chosen for tag in instance.tags}
    return {name: sorted(found[name]) for name in sorted(found)}


def nodes(view: View, params: Params) -> list[dict[str, Any]]:
    """Return the nodes with the wanted metadata."""
    found = [node for node in view.nodes if _has_meta(node, params)]
    found = _sorted(view, found, params, lambda node: node.name)
    return [shapes.node(node, view.local.datacenter) for node in found]


def catalog_service(view: View, name: str, params: Params) -> list[dict[str, Any]]:
    """Return the entries of catalog/service."""
    return [shapes.catalog_entry(view, instance) for instance in _chosen(view, name, params)]


def health_service(view: View, name: str, params: Params) -> list[dict[str, Any]]:
    """Return the entries of health/service."""
    nodes: dict[str, dict[str, Any]] = {}
    found = []
    for instance in _chosen(view, name, params):
        there = view.node_of(instance)
        if there.name not in nodes:
            nodes[there.name] = shapes.node(there, view.local.datacenter)
        found.append(shapes.health_entry(view, instance, nodes[there.name]))
    return found


def passing(
    found: list[dict[str, Any]], view: View, name: str, params: Params
) -> list[dict[str, Any]]:
    """Leave out what is not passing; as in Consul the last takes the place of what goes."""
    if not params.passing:
        return found
    fit = {(i.node, i.id) for i in view.members(name) if _is_passing(i, view.node_of(i))}
    at = 0
    while at < len(found):
        if (found[at]["Node"]["Node"], found[at]["Service"]["ID"]) in fit:
            at += 1
        else:
            last = found.pop()
            if at < len(found):
                found[at] = last
    return found


def _is_passing(instance: Instance, node: Node) -> bool:
    return (
        instance.status is Status.PASSING
        and not instance.draining
        and all(check.status is Status.PASSING for check in node.checks)
    )


def node(view: View, name: str, chosen: Chosen) -> dict[str, Any] | None:
    """Return a node and its services, or None."""
    found = view.node(name)
    services = chosen(shapes.node_service(i) for i in view.on_node(found.name)) if found else []
    if found is None:
        return None
    return {
        "Node": shapes.node(found, view.local.datacenter),
        "Services": {service["ID"]: service for service in services},
    }


def node_services(view: View, name: str, chosen: Chosen) -> dict[str, Any]:
    """Return a node and its services as a list."""
    found = node(view, name, chosen)
    if found is None:
        return {"Node": None, "Services": None}
    return found | {"Services": list(found["Services"].values())}


def checks_of(view: View, name: str, params: Params) -> list[dict[str, Any]]:
    """Return the checks of a service's instances, by node and id."""
    local = view.me.name
    found = [
        check
        for instance in _chosen(view, name, Params(node_meta=params.node_meta))
        for check in shapes.checks_of_instance(instance, local=local)
    ]
    found.sort(key=lambda check: (check["Node"].lower(), check["CheckID"].lower()))
    return _sorted(view, found, params, lambda check: str(check["Node"]))


def checks_on(view: View, name: str) -> list[dict[str, Any]]:
    """Return the checks of a node and of what is on it, by id."""
    node = view.node(name)
    if node is None:
        return []
    found = shapes.checks_of_node(node, local=view.me.name)
    for instance in view.on_node(node.name):
        found += shapes.checks_of_instance(instance, local=view.me.name)
    return sorted(found, key=lambda check: str(check["CheckID"]).lower())


def checks_in(view: View, state: str, params: Params) -> list[dict[str, Any]]:
    """Return every check with this status; ``any`` is all."""
    names = [node.name for node in view.nodes if _has_meta(node, params)]
    names = _sorted(view, names, params, str)
    return [
        check
        for name in names
        for check in checks_on(view, name)
        if state in {"any", check["Status"]}
    ]


def agent_checks(me: Node, instances: Mapping[str, Instance]) -> dict[str, dict[str, Any]]:
    """Return agent/checks: every check of the local node and its instances, by id."""
    found: list[tuple[Check, Instance | None]] = [
        (check, None) for check in me.checks if check.id != "serfHealth"
    ]
    found += [(c, i) for i in instances.values() for c in shapes.all_checks(i)]
    shown = {check.id: shapes.agent_check(check, me.name, owner) for check, owner in found}
    return dict(sorted(shown.items()))
