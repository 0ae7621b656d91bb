"""Selections from a Snapshot that more than one consumer asks for."""

from collections.abc import Iterable, Mapping

from sidecar.catalog.model import Instance, InstanceId, Node, Snapshot, Status

__all__ = ["address_of", "check_statuses", "find", "instances_of", "owned_by", "tags_of"]


def address_of(instance: Instance, nodes: Mapping[str, Node]) -> str:
    """Return the instance's own address, else its node's, else nothing.

    What is registered without an address is where its node is, as in Consul.
    """
    if instance.address:
        return instance.address
    node = nodes.get(instance.node)
    return node.address if node is not None else ""


def find(snapshot: Snapshot, service: str, id_: InstanceId) -> Instance | None:
    """Return one instance, or None."""
    return next((i for i in snapshot.services.get(service, ()) if i.id == id_), None)


def instances_of(
    snapshot: Snapshot, service: str, *, tags: Iterable[str] = (), only_passing: bool = False
) -> tuple[Instance, ...]:
    """Return the instances that take new work and carry all ``tags``.

    ``only_passing`` leaves out warning ones too (Consul's ``dns_config.only_passing``).
    """
    wanted = frozenset(tags)
    return tuple(
        instance
        for instance in snapshot.services.get(service, ())
        if instance.takes_new_work
        and (not only_passing or instance.status is Status.PASSING)
        and wanted.issubset(instance.tags)
    )


def owned_by(snapshot: Snapshot, owner: str) -> tuple[Instance, ...]:
    """Return every instance with this owner mark."""
    return tuple(i for members in snapshot.services.values() for i in members if i.owner == owner)


def tags_of(snapshot: Snapshot) -> Mapping[str, tuple[str, ...]]:
    """Return each service's distinct tags, sorted."""
    return {
        name: tuple(sorted({tag for instance in members for tag in instance.tags}))
        for name, members in snapshot.services.items()
    }


def check_statuses(snapshot: Snapshot, node: str, *, own: str) -> Mapping[str, str] | None:
    """Return the status of each check on a node by id, or None for an unknown node.

    ``own`` is the node this process runs on: known, and alive, before anything is registered.
    """
    found = snapshot.nodes.get(node)
    if found is None and node != own:
        return None
    statuses = {"serfHealth": str(Status.PASSING)} if node == own else {}
    if found is not None:
        statuses |= {check.id: str(check.status) for check in found.checks}
    for members in snapshot.services.values():
        for instance in members:
            if instance.node == node:
                statuses |= {check.id: str(check.status) for check in instance.checks}
    return statuses
