"""The catalogue in the JSON shapes of Consul's HTTP API (recorded from Consul 1.8.7). Pure."""

from typing import Any, Final

from sidecar.catalog.model import Instance, Node, Snapshot, Status
from sidecar.catalog.query import tags_of

__all__ = ["catalog_services", "health_service", "index_of", "members_of"]

_OWN: Final = "consul"  # Consul lists itself; clients that look for any service rely on it


def catalog_services(snapshot: Snapshot) -> dict[str, list[str]]:
    """Return each service name with the sorted union of its tags."""
    return {_OWN: [], **{name: list(tags) for name, tags in tags_of(snapshot).items()}}


def members_of(snapshot: Snapshot, service: str) -> tuple[Instance, ...]:
    """Return a service's instances; names match case-insensitively, as in Consul."""
    found = snapshot.services.get(service)
    if found is not None:
        return found
    wanted = service.lower()
    return tuple(
        instance
        for name, members in snapshot.services.items()
        if name.lower() == wanted
        for instance in members
    )


def index_of(snapshot: Snapshot, service: str) -> int:
    """Return the index a blocking reader of one service waits on, at least 1.

    The service's own last change; for a service never seen, the whole table's.
    """
    return max(1, snapshot.modified.get(service, snapshot.services_index))


def health_service(
    snapshot: Snapshot, service: str, *, datacenter: str, tags: list[str], passing: bool
) -> list[dict[str, Any]]:
    """Return ``[{Node, Service, Checks}]``, ordered by node and id.

    ``passing`` keeps an instance only when every check passes: a warning drops it too.
    """
    wanted = frozenset(tags)
    chosen = [
        instance
        for instance in members_of(snapshot, service)
        if wanted.issubset(instance.tags)
        and (not passing or (instance.status is Status.PASSING and not instance.draining))
    ]
    chosen.sort(key=lambda instance: (instance.node, instance.id))
    index = index_of(snapshot, service)
    return [_entry(snapshot, instance, datacenter, index) for instance in chosen]


def _entry(snapshot: Snapshot, instance: Instance, datacenter: str, index: int) -> dict[str, Any]:
    node = snapshot.nodes.get(instance.node) or Node(name=instance.node, address=instance.address)
    indexes = {"CreateIndex": index, "ModifyIndex": index}
    return {
        "Node": _node(node, datacenter) | indexes,
        "Service": _service(instance) | indexes,
        "Checks": [check | indexes for check in _checks(instance)],
    }


def _node(node: Node, datacenter: str) -> dict[str, Any]:
    return {
        "ID": "",
        "Node": node.name,
        "Address": node.address,
        "Datacenter": datacenter,
        "TaggedAddresses": {"lan": node.address, "wan": node.address},
        "Meta": dict(node.meta),
    }


def _service(instance: Instance) -> dict[str, Any]:
    return {
        "ID": instance.id,
        "Service": instance.service,
        "Tags": list(instance.tags),
        "Address": instance.address,
        "Meta": dict(instance.meta) or None,
        "Port": instance.port,
        "Weights": {"Passing": instance.weight, "Warning": instance.weight},
        "EnableTagOverride": False,
        "Proxy": {"MeshGateway": {}, "Expose": {}},
        "Connect": {},
    }


def _checks(instance: Instance) -> list[dict[str, Any]]:
    node = {
        "Node": instance.node,
        "CheckID": "serfHealth",
        "Name": "Serf Health Status",
        "Status": str(Status.PASSING),
        "Notes": "",
        "Output": "Agent alive and reachable",
        "ServiceID": "",
        "ServiceName": "",
        "ServiceTags": [],
        "Type": "",
        "Definition": {},
    }
    own = node | {
        "CheckID": f"service:{instance.id}",
        "Name": f"Service '{instance.service}' check",
        "Status": str(instance.status),
        "Output": "",
        "ServiceID": instance.id,
        "ServiceName": instance.service,
        "ServiceTags": list(instance.tags),
    }
    if not instance.draining:
        return [node, own]
    maintenance = own | {
        "CheckID": f"_service_maintenance:{instance.id}",
        "Name": "Service Maintenance Mode",
        "Status": str(Status.CRITICAL),
    }
    return [node, own, maintenance]
