"""Every read of the catalogue and of health: what it waits on and what it answers. Pure.

A ``Read`` is made from a path and its query once; then it only needs a View. Its ``parts`` are
the objects the answer is made of: as long as they are the very same, so is the answer.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sidecar.catalog import topics
from sidecar.catalog.model import Check, Instance, Node, Status
from sidecar.errors import ApiError
from sidecar.web.consul import shapes
from sidecar.web.consul.query import flag
from sidecar.web.consul.view import SELF, View

__all__ = ["Compile", "Params", "Read", "agent_checks", "missing", "reads"]

_T = TypeVar("_T")
Test = Callable[[Any], bool]
Compile = Callable[[str, str], Test]
"""From an expression and the name of an endpoint's fields to a test of its entries."""


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


@dataclass(frozen=True, slots=True)
class Read:
    """One read: its index, what may move that, the parts it is made of, its body."""

    index: Callable[[View], int]
    topics: Callable[[View], tuple[str, ...]]
    parts: Callable[[View], tuple[object, ...]]
    body: Callable[[View], Any]
    wakes: Callable[[View], int] | None = None
    """What must move to wake a reader, if that is not ``index``."""


def reads(compile_filter: Compile) -> Mapping[str, Callable[[str, Params], Read]]:
    """Return how to make the Read of each path, by what stands before the name."""

    def entries(kind: str, params: Params, found: Iterable[Any]) -> list[Any]:
        if not params.filter:
            return list(found)
        test = compile_filter(params.filter, kind)
        return [entry for entry in found if test(entry)]

    return {
        "catalog/services": lambda _, params: _table(
            lambda view: _services_index(view, params),
            (topics.SERVICES, topics.NODES),
            lambda view: _services(view, params),
        ),
        "catalog/nodes": lambda _, params: _table(
            lambda view: max(1, view.snapshot.nodes_index),
            (topics.NODES,),
            lambda view: entries("node", params, _nodes(view, params)),
        ),
        "catalog/service/": lambda name, params: Read(
            lambda view: view.service_index(name),
            lambda view: view.topics(name),
            lambda view: _parts(view, name),
            lambda view: entries("service", params, _catalog_service(view, name, params)),
            lambda view: view.registered_index(name),
        ),
        "catalog/node/": lambda name, params: _table(
            lambda view: _node_index(view, name),
            (topics.SERVICES, topics.NODES),
            lambda view: _node(view, name, lambda found: entries("agent", params, found)),
        ),
        "catalog/node-services/": lambda name, params: _table(
            lambda view: _node_index(view, name),
            (topics.SERVICES, topics.NODES),
            lambda view: _node_services(view, name, lambda found: entries("agent", params, found)),
        ),
        "health/service/": lambda name, params: Read(
            lambda view: view.health_index(name),
            lambda view: view.topics(name),
            lambda view: _parts(view, name),
            lambda view: _passing(
                entries("health", params, _health_service(view, name, params)), view, name, params
            ),
        ),
        "health/checks/": lambda name, params: Read(
            _checks_index,
            lambda view: (*view.topics(name), topics.CHECKS),
            lambda view: (view.snapshot,),
            lambda view: entries("check", params, _checks_of(view, name, params)),
            lambda view: view.snapshot.modified.get(name, 0),
        ),
        "health/node/": lambda name, params: _table(
            _checks_index,
            (topics.CHECKS,),
            lambda view: entries("check", params, _checks_on(view, name)),
        ),
        "health/state/": lambda name, params: _table(
            _checks_index,
            (topics.CHECKS,),
            lambda view: entries("check", params, _checks_in(view, name, params)),
        ),
        "catalog/connect/": lambda name, _: _empty(name),
        "health/connect/": lambda name, _: _empty(name),
        "health/ingress/": lambda _, __: Read(
            lambda _: 1, lambda _: (), lambda _: (), lambda _: []
        ),
    }


def _table(
    index: Callable[[View], int], waits: tuple[str, ...], body: Callable[[View], Any]
) -> Read:
    return Read(index, lambda _: waits, lambda view: (view.snapshot,), body)


def _empty(name: str) -> Read:
    return Read(
        lambda view: view.snapshot.extinct_index or view.health_index(name),
        lambda view: (*view.topics(name), topics.SERVICES),
        lambda _: (),
        lambda _: [],
    )


def _services_index(view: View, params: Params) -> int:
    nodes = view.snapshot.nodes_index if params.node_meta else 0
    return max(1, view.snapshot.services_index, nodes)


def _checks_index(view: View) -> int:
    return max(1, view.snapshot.checks_index)


def _node_index(view: View, name: str) -> int:
    return view.node_index if view.node(name) is not None else 1


def _parts(view: View, name: str) -> tuple[object, ...]:
    found = view.snapshot.services.get(name)
    if found is None or name.lower() == SELF:
        return (view.snapshot,)
    return (found, view.snapshot.nodes)


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


def _services(view: View, params: Params) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    if not params.node_meta or _has_meta(view.me, params):
        found[SELF] = set()
    for name, members in view.snapshot.services.items():
        chosen = [i for i in members if not params.node_meta or _has_meta(view.node_of(i), params)]
        if chosen:
            found[name] = {tag for instance in chosen for tag in instance.tags}
    return {name: sorted(found[name]) for name in sorted(found)}


def _nodes(view: View, params: Params) -> list[dict[str, Any]]:
    found = [node for node in view.nodes if _has_meta(node, params)]
    found = _sorted(view, found, params, lambda node: node.name)
    return [shapes.node(node, view.local.datacenter) for node in found]


def _catalog_service(view: View, name: str, params: Params) -> list[dict[str, Any]]:
    return [shapes.catalog_entry(view, instance) for instance in _chosen(view, name, params)]


def _health_service(view: View, name: str, params: Params) -> list[dict[str, Any]]:
    nodes: dict[str, dict[str, Any]] = {}
    found = []
    for instance in _chosen(view, name, params):
        there = view.node_of(instance)
        if there.name not in nodes:
            nodes[there.name] = shapes.node(there, view.local.datacenter)
        found.append(shapes.health_entry(view, instance, nodes[there.name]))
    return found


def _passing(
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


def _node(
    view: View, name: str, chosen: Callable[[Iterable[Any]], list[Any]]
) -> dict[str, Any] | None:
    found = view.node(name)
    services = chosen(shapes.node_service(i) for i in view.on_node(found.name)) if found else []
    if found is None:
        return None
    return {
        "Node": shapes.node(found, view.local.datacenter),
        "Services": {service["ID"]: service for service in services},
    }


def _node_services(
    view: View, name: str, chosen: Callable[[Iterable[Any]], list[Any]]
) -> dict[str, Any]:
    found = _node(view, name, chosen)
    if found is None:
        return {"Node": None, "Services": None}
    return found | {"Services": list(found["Services"].values())}


def _checks_of(view: View, name: str, params: Params) -> list[dict[str, Any]]:
    local = view.me.name
    found = [
        check
        for instance in _chosen(view, name, Params(node_meta=params.node_meta))
        for check in shapes.checks_of_instance(instance, local=local)
    ]
    found.sort(key=lambda check: (check["Node"].lower(), check["CheckID"].lower()))
    return _sorted(view, found, params, lambda check: str(check["Node"]))


def _checks_on(view: View, name: str) -> list[dict[str, Any]]:
    node = view.node(name)
    if node is None:
        return []
    found = shapes.checks_of_node(node, local=view.me.name)
    for instance in view.on_node(node.name):
        found += shapes.checks_of_instance(instance, local=view.me.name)
    return sorted(found, key=lambda check: str(check["CheckID"]).lower())


def _checks_in(view: View, state: str, params: Params) -> list[dict[str, Any]]:
    names = [node.name for node in view.nodes if _has_meta(node, params)]
    names = _sorted(view, names, params, str)
    return [
        check
        for name in names
        for check in _checks_on(view, name)
        if state in {"any", check["Status"]}
    ]


def missing(path: str) -> ApiError:
    """Return the refusal of a path without its name."""
    what = {"health/state/": "check state", "catalog/node/": "node name"}
    what |= {"health/node/": "node name", "catalog/node-services/": "node name"}
    return ApiError(400, f"Missing {what.get(path, 'service name')}")


def agent_checks(me: Node, instances: Mapping[str, Instance]) -> dict[str, dict[str, Any]]:
    """Return agent/checks: every check of the local node and its instances, by id."""
    found: list[tuple[Check, Instance | None]] = [
        (check, None) for check in me.checks if check.id != "serfHealth"
    ]
    found += [(c, i) for i in instances.values() for c in shapes.all_checks(i)]
    shown = {check.id: shapes.agent_check(check, me.name, owner) for check, owner in found}
    return dict(sorted(shown.items()))
