"""Every read of the catalogue and of health: what it waits on and what it answers. Pure.

A ``Read`` is made from a path and its query once; then it only needs a View. Its ``parts`` are
the objects the answer is made of: as long as they are the very same, so is the answer.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.catalog import topics
from sidecar.errors import ApiError
from sidecar.web.consul import listings
from sidecar.web.consul.listings import Params
from sidecar.web.consul.view import SELF, View

__all__ = ["Compile", "Read", "missing", "reads"]

Test = Callable[[Any], bool]
Compile = Callable[[str, str], Test]
"""From an expression and the name of an endpoint's fields to a test of its entries."""


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
    make = _Reads(compile_filter)
    return {
        "catalog/services": make.services,
        "catalog/nodes": make.nodes,
        "catalog/service/": make.service,
        "catalog/node/": make.node,
        "catalog/node-services/": make.node_services,
        "health/service/": make.health,
        "health/checks/": make.checks_of,
        "health/node/": make.checks_on,
        "health/state/": make.checks_in,
        "catalog/connect/": lambda name, _: _empty(name),
        "health/connect/": lambda name, _: _empty(name),
        "health/ingress/": lambda _, __: Read(
            lambda _: 1, lambda _: (), lambda _: (), lambda _: []
        ),
    }


class _Reads:
    """Makes the Reads that have entries; each takes the name in the path, or nothing."""

    def __init__(self, compile_filter: Compile) -> None:
        self._compile = compile_filter

    def _chosen(self, kind: str, params: Params, found: Iterable[Any]) -> list[Any]:
        if not params.filter:
            return list(found)
        test = self._compile(params.filter, kind)
        return [entry for entry in found if test(entry)]

    def services(self, _: str, params: Params) -> Read:
        return _table(
            lambda view: _services_index(view, params),
            (topics.SERVICES, topics.NODES),
            lambda view: listings.services(view, params),
        )

    def nodes(self, _: str, params: Params) -> Read:
        return _table(
            lambda view: max(1, view.snapshot.nodes_index),
            (topics.NODES,),
            lambda view: self._chosen("node", params, listings.nodes(view, params)),
        )

    def service(self, name: str, params: Params) -> Read:
        return Read(
            lambda view: view.service_index(name),
            lambda view: view.topics(name),
            lambda view: _parts(view, name),
            lambda view: self._chosen(
                "service", params, listings.catalog_service(view, name, params)
            ),
            lambda view: view.registered_index(name),
        )

    def health(self, name: str, params: Params) -> Read:
        def body(view: View) -> list[dict[str, Any]]:
            found = self._chosen("health", params, listings.health_service(view, name, params))
            return listings.passing(found, view, name, params)

        return Read(
            lambda view: view.health_index(name),
            lambda view: view.topics(name),
            lambda view: _parts(view, name),
            body,
        )

    def node(self, name: str, params: Params) -> Read:
        return self._of_node(name, params, listings.node)

    def node_services(self, name: str, params: Params) -> Read:
        return self._of_node(name, params, listings.node_services)

    def _of_node(self, name: str, params: Params, body: Callable[..., Any]) -> Read:
        return _table(
            lambda view: _node_index(view, name),
            (topics.SERVICES, topics.NODES),
            lambda view: body(view, name, lambda found: self._chosen("agent", params, found)),
        )

    def checks_of(self, name: str, params: Params) -> Read:
        return Read(
            _checks_index,
            lambda view: (*view.topics(name), topics.CHECKS),
            lambda view: (view.snapshot,),
            lambda view: self._chosen("check", params, listings.checks_of(view, name, params)),
            lambda view: view.snapshot.modified.get(name, 0),
        )

    def checks_on(self, name: str, params: Params) -> Read:
        return _table(
            _checks_index,
            (topics.CHECKS,),
            lambda view: self._chosen("check", params, listings.checks_on(view, name)),
        )

    def checks_in(self, state: str, params: Params) -> Read:
        return _table(
            _checks_index,
            (topics.CHECKS,),
            lambda view: self._chosen("check", params, listings.checks_in(view, state, params)),
        )


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


def missing(path: str) -> ApiError:
    """Return the refusal of a path without its name."""
    what = {"health/state/": "check state", "catalog/node/": "node name"}
    what |= {"health/node/": "node name", "catalog/node-services/": "node name"}
    return ApiError(400, f"Missing {what.get(path, 'service name')}")
