"""Nodes, services and checks in the JSON of Consul 1.8.7, with its nulls and empties. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sidecar.catalog.agent import API, maintenance_id
from sidecar.catalog.model import Check, Instance, Node, Status
from sidecar.catalog.ownership import is_containers
from sidecar.web.consul.bodies import default_tagged
from sidecar.web.consul.view import View

__all__ = [
    "agent_check",
    "agent_health",
    "agent_service",
    "catalog_entry",
    "checks_of_instance",
    "checks_of_node",
    "health_entry",
    "node",
    "node_service",
]

_MESH: Final[Mapping[str, Any]] = {"MeshGateway": {}, "Expose": {}}
_UNUSED: Final[Mapping[str, Any]] = {
    "Interval": "0s",
    "Timeout": "0s",
    "DeregisterCriticalServiceAfter": "0s",
    "HTTP": "",
    "Header": None,
    "Method": "",
    "Body": "",
    "TLSSkipVerify": False,
    "TCP": "",
}
_DURATIONS: Final = ("Interval", "Timeout", "DeregisterCriticalServiceAfter", "TTL")


def node(found: Node, datacenter: str) -> dict[str, Any]:
    """Return a node as catalog/nodes and health/service show it."""
    return {
        "ID": found.id,
        "Node": found.name,
        "Address": found.address,
        "Datacenter": datacenter,
        "TaggedAddresses": dict(sorted(found.tagged.items())) or None,
        "Meta": dict(sorted(found.meta.items())) or None,
        "CreateIndex": found.created,
        "ModifyIndex": found.modified,
    }


def node_service(instance: Instance) -> dict[str, Any]:
    """Return a service as health/service and catalog/node show it."""
    return {
        "ID": instance.id,
        "Service": instance.service,
        "Tags": instance.tags,
        "Address": instance.address,
        **_tagged("TaggedAddresses", instance),
        "Meta": _meta(instance),
        "Port": instance.port,
        "Weights": _weights(instance),
        "EnableTagOverride": instance.tag_override,
        "Proxy": _MESH,
        "Connect": {},
        "CreateIndex": instance.created,
        "ModifyIndex": instance.modified,
    }


def _meta(instance: Instance) -> dict[str, str] | None:
    return dict(sorted(instance.meta.items())) if instance.meta or instance.meta_given else None


def agent_service(instance: Instance) -> dict[str, Any]:
    """Return a service as agent/services shows it."""
    return {
        "ID": instance.id,
        "Service": instance.service,
        "Tags": instance.tags,
        "Meta": dict(sorted(instance.meta.items())),
        "Port": instance.port,
        "Address": instance.address,
        **_tagged("TaggedAddresses", instance),
        "Weights": _weights(instance),
        "EnableTagOverride": instance.tag_override,
    }


def catalog_entry(view: View, instance: Instance) -> dict[str, Any]:
    """Return an entry of catalog/service."""
    there = view.node_of(instance)
    return {
        "ID": there.id,
        "Node": there.name,
        "Address": there.address,
        "Datacenter": view.local.datacenter,
        "TaggedAddresses": dict(sorted(there.tagged.items())) or None,
        "NodeMeta": dict(sorted(there.meta.items())) or None,
        "ServiceKind": "",
        "ServiceID": instance.id,
        "ServiceName": instance.service,
        "ServiceTags": instance.tags,
        "ServiceAddress": instance.address,
        **_tagged("ServiceTaggedAddresses", instance),
        "ServiceWeights": _weights(instance),
        "ServiceMeta": dict(sorted(instance.meta.items())),
        "ServicePort": instance.port,
        "ServiceEnableTagOverride": instance.tag_override,
        "ServiceProxy": _MESH,
        "ServiceConnect": {},
        "CreateIndex": instance.created,
        "ModifyIndex": instance.modified,
    }


def health_entry(view: View, instance: Instance, there: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of health/service; ``there`` is its node, already in shape."""
    on_node = checks_of_node(view.node_of(instance), local=view.me.name)
    return {
        "Node": there,
        "Service": node_service(instance),
        "Checks": [*on_node, *checks_of_instance(instance, local=view.me.name)],
    }


def checks_of_node(found: Node, *, local: str) -> list[dict[str, Any]]:
    """Return a node's own checks, by id."""
    return [_check(c, found.name, None, local) for c in sorted(found.checks, key=_by_id)]


def checks_of_instance(instance: Instance, *, local: str) -> list[dict[str, Any]]:
    """Return an instance's checks, by id; how a check is run is told of other nodes only."""
    return [_check(c, instance.node, instance, local) for c in all_checks(instance)]


def all_checks(instance: Instance) -> list[Check]:
    """Return an instance's checks by id, with one for a drain that has none of its own.

    What a container's health says is a check too: without it the status would have no cause.
    """
    checks = list(instance.checks)
    is_container = is_containers(instance)
    if is_container and not checks and instance.status is not Status.PASSING:
        checks.append(
            Check(
                id=f"service:{instance.id}",
                name=f"Service '{instance.service}' check",
                status=instance.status,
                service_tags=instance.tags,
                created=instance.modified,
                modified=instance.modified,
            )
        )
    drain = maintenance_id(instance.id)
    if instance.draining and all(check.id != drain for check in checks):
        checks.append(
            Check(
                id=drain,
                name="Service Maintenance Mode",
                type="maintenance",
                service_tags=instance.tags,
                created=instance.modified,
                modified=instance.modified,
            )
        )
    return sorted(checks, key=_by_id)


def agent_check(check: Check, node_name: str, instance: Instance | None) -> dict[str, Any]:
    """Return a check as agent/checks shows it."""
    shown = _check(check, node_name, instance, node_name) | {"CreateIndex": 0, "ModifyIndex": 0}
    if instance is not None and instance.owner == API:
        shown["ServiceTags"] = check.tags or ()
    return shown


def agent_health(instance: Instance, me: Node) -> tuple[str, dict[str, Any]]:
    """Return the aggregated status and an entry of agent/health/service."""
    own = [check for check in me.checks if check.id != "serfHealth"]
    checks = [
        agent_check(check, me.name, instance if check not in own else None)
        | {"Type": "", "Definition": _UNUSED}
        for check in sorted((*own, *all_checks(instance)), key=_by_id)
    ]
    given = {check.id: check.tags for check in instance.checks}
    for shown in checks:
        if shown["ServiceTags"] == () and given.get(shown["CheckID"]) is None:
            shown["ServiceTags"] = None
    status = aggregated(checks)
    return status, {
        "AggregatedStatus": status,
        "Service": agent_service(instance),
        "Checks": checks,
    }


def aggregated(checks: Iterable[Mapping[str, Any]]) -> str:
    """Return the worst status, maintenance before all, as Consul aggregates."""
    found = {check["Status"] for check in checks}
    if any(
        check["CheckID"] == "_node_maintenance"
        or check["CheckID"].startswith("_service_maintenance:")
        for check in checks
    ):
        return "maintenance"
    order = (Status.CRITICAL, Status.WARNING)
    return next((str(status) for status in order if status in found), str(Status.PASSING))


def _check(check: Check, node_name: str, instance: Instance | None, local: str) -> dict[str, Any]:
    return {
        "Node": node_name,
        "CheckID": check.id,
        "Name": check.name,
        "Status": check.status.value,
        "Notes": check.notes,
        "Output": check.output,
        "ServiceID": instance.id if instance is not None else "",
        "ServiceName": instance.service if instance is not None else "",
        "ServiceTags": check.service_tags if instance is not None else (),
        "Type": check.type,
        "Definition": _definition(check, is_local=node_name == local),
        "CreateIndex": check.created,
        "ModifyIndex": check.modified,
    }


def _definition(check: Check, *, is_local: bool) -> dict[str, Any]:
    """Return a foreign check's definition; an agent keeps those of its own to itself."""
    if is_local or not check.definition:
        return {}
    found: dict[str, Any] = json.loads(check.definition)
    for key in _DURATIONS:
        if key in found:
            found[key] = go_text(found[key])
    return found


def go_text(nanoseconds: int) -> str:
    """Return a duration as Go prints it, down to milliseconds."""
    seconds = nanoseconds / 1e9
    if seconds < 1:
        return f"{nanoseconds / 1e6:g}ms"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return re.sub(r"(\.\d*?)0+s$", r"\1s", f"{text}{seconds:g}s")


def _tagged(key: str, instance: Instance) -> dict[str, Any]:
    found = instance.tagged
    if is_containers(instance):  # as if a real agent had been told
        found = default_tagged(found, instance.address, instance.port)
    if not found:
        return {}
    return {key: {name: {"Address": a, "Port": p} for name, (a, p) in sorted(found.items())}}


def _weights(instance: Instance) -> dict[str, int]:
    return {"Passing": instance.weight, "Warning": instance.warning_weight}


def _by_id(check: Check) -> str:
    return check.id.lower()
