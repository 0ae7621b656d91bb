"""Who owns which part of an entry, and how the registrar writes its own part only. Pure.

The registrar owns the registration: address, port, tags, meta, weights, the checks that labels
define, the one that says what Docker says, and its own drain mark. What a defined check says is
whoever's runs it, so it stays as it is held. What the API adds to a container's entry (checks,
maintenance) stays until the API takes it away or the entry ends. An entry that the API registered
is not ours at all, whatever its id.
"""

from dataclasses import replace

from sidecar.catalog.agent import maintenance_id, refolded
from sidecar.catalog.model import Check, Instance, Node
from sidecar.catalog.ownership import is_containers

__all__ = ["holder", "merged", "merged_node"]


def merged(wanted: Instance, held: Instance | None, node: Node | None) -> Instance:
    """Return ``wanted`` with what others added to the entry that is held, status to match."""
    added = _added(wanted, held) if held is not None else ()
    in_maintenance = any(check.id == maintenance_id(wanted.id) for check in added)
    return refolded(
        replace(
            wanted,
            checks=(*_as_held(wanted, held), *added),
            draining=wanted.draining or in_maintenance,
        ),
        node,
    )


def merged_node(wanted: Node, held: Node | None) -> Node:
    """Return the node with our address; checks, meta and the rest stay as they are held."""
    return wanted if held is None else replace(held, address=wanted.address)


def holder(held: Instance | None) -> str:
    """Return who else registered what stands under an id, or nothing."""
    if held is None or not held.owner or is_containers(held):
        return ""
    return held.owner


def _as_held(wanted: Instance, held: Instance | None) -> tuple[Check, ...]:
    """Return the registrar's checks, the defined ones with what they said since."""
    there = {check.id: check for check in held.checks} if held is not None else {}
    return tuple(
        replace(check, status=known.status, output=known.output)
        if check.definition
        and (known := there.get(check.id)) is not None
        and known.definition == check.definition
        else check
        for check in wanted.checks
    )


def _added(wanted: Instance, held: Instance) -> tuple[Check, ...]:
    """Return the checks of the entry that are not the registrar's."""
    own = f"service:{wanted.id}"
    return tuple(
        check for check in held.checks if check.id != own and not check.id.startswith(f"{own}:")
    )
