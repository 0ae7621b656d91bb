"""What keeps a request off a node: each filter is a function of both. Pure.

The first filter that refuses gives the reason. Classic Swarm's come first and in its order
(health, port, containerslots, dependency, affinity, constraint, whitelist).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import Final

from sidecar.scheduler.constraints import Constraint
from sidecar.scheduler.expressions import Expression
from sidecar.scheduler.model import (
    NANO,
    Availability,
    NodeView,
    Policy,
    Port,
    Reason,
    Request,
    State,
    Strategy,
)
from sidecar.scheduler.standing import Standing, is_overlapping

__all__ = [
    "FILTERS",
    "fits",
    "has_slot",
    "is_affine",
    "is_met",
    "is_of_platform",
    "port_holder",
    "protocols",
    "refusal_of",
    "wanted_ports",
    "weighs",
]

Filter = Callable[[Request, Standing, Policy], Reason | None]

_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_ARCHITECTURES: Final = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}


def refusal_of(request: Request, standing: Standing, policy: Policy) -> Reason | None:
    """Return why a node cannot take a request, or None when it can."""
    for check in FILTERS:
        reason = check(request, standing, policy)
        if reason is not None:
            return reason
    return None


def is_met(rule: Expression | Constraint, node: NodeView) -> bool:
    """Return whether a node meets a rule about nodes."""
    if isinstance(rule, Expression):
        if rule.key == "node":
            return rule.holds(filter(None, (node.id, node.name, node.engine_name)))
        return rule.holds((node.labels.get(rule.key, ""),))
    return _is_equal(rule, node) is not rule.is_negated


def _is_equal(rule: Constraint, node: NodeView) -> bool:
    wanted = rule.value.lower()
    match rule.key:
        case "node.ip":
            return _is_within(rule, node.address)
        case "node.platform.arch":
            return _architecture(node.labels.get("arch", "")) == _architecture(wanted)
        case "node.id":
            found = {node.id}
        case "node.hostname":
            found = {node.name, node.engine_name}
        case "node.role":
            found = {"manager" if node.is_leader_capable else "worker"}
        case "node.platform.os":
            found = {node.labels.get("ostype", "")}
        case _:
            where, _, label = rule.key.partition(".labels.")
            labels = node.labels if where == "node" else node.engine_labels
            found = {labels.get(label, "")}
    return wanted in {text.lower() for text in found if text}


def _is_within(rule: Constraint, address: str) -> bool:
    try:
        return rule.network is not None and ip_address(address) in rule.network
    except ValueError:
        return False


def _architecture(name: str) -> str:
    return _ARCHITECTURES.get(name.lower(), name.lower())


def is_affine(rule: Expression, standing: Standing) -> bool:
    """Return whether what a node holds meets a rule about its containers or images."""
    if rule.key == "container":
        return rule.holds(standing.names)
    if rule.key == "image":
        return rule.holds(_images(standing))
    return rule.holds(each.labels.get(rule.key, "") for each in standing.containers)


def _images(standing: Standing) -> Iterable[str]:
    for id_, names in standing.view.images.items():
        yield id_
        yield from _with_repositories(names)
    for container in standing.containers:
        if container.image_id:
            yield container.image_id
        yield from _with_repositories((container.image,))


def _with_repositories(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        if name:
            yield name
            head, colon, tag = name.rpartition(":")
            if colon and "/" not in tag:
                yield head


def _health(_: Request, standing: Standing, __: Policy) -> Reason | None:
    if standing.view.state is not State.UP:
        return Reason("health", f"node is {standing.view.state}")
    return None if standing.view.health > 0 else Reason("health", "node is unhealthy")


def _port(request: Request, standing: Standing, policy: Policy) -> Reason | None:
    for port, is_host in wanted_ports(request):
        holder = port_holder(port, standing, policy, is_host=is_host)
        if holder:
            return Reason("port", f"port {port} busy", f"held by {holder}")
    return None


def wanted_ports(request: Request) -> Iterator[tuple[Port, bool]]:
    """Return which ports of the host it takes, and whether through the host's network."""
    for port in request.ports:
        if port.number:
            yield port, False
    if request.host_network:
        for port in request.exposed:
            yield port, True


def port_holder(port: Port, standing: Standing, policy: Policy, *, is_host: bool) -> str:
    """Return the container that keeps a port from being taken; empty when it is free."""
    for protocol in protocols(port, policy):
        for found in standing.bindings(protocol, port.number):
            if policy.is_classic and found.is_host is not is_host:
                continue  # it compares the two kinds among themselves only
            if is_overlapping(found.address, port.address):
                return found.holder
    return ""


def protocols(port: Port, policy: Policy) -> tuple[str, ...]:
    """Return the protocols within which a number may be held once; classic knows no protocol."""
    return _PROTOCOLS if policy.is_classic else (port.protocol,)


def has_slot(node: NodeView, held: int) -> bool:
    """Return whether the node's label ``containerslots`` leaves room for one more."""
    text = node.labels.get("containerslots", "")
    return not text or not _NUMBER.fullmatch(text) or held < int(text)


def _slots(_: Request, standing: Standing, __: Policy) -> Reason | None:
    if has_slot(standing.view, standing.count):
        return None
    return Reason("containerslots", "all container slots are taken")


def _dependency(request: Request, standing: Standing, _: Policy) -> Reason | None:
    if not (request.beside or request.near):
        return None
    names = standing.names
    missing = next((name for name in request.beside if name not in names), None)
    if missing is not None:
        return Reason("dependency", f"container {missing} is not there")
    found = standing.copies  # without those that ended
    missing = next((name for name in request.near if (request.stack, name) not in found), None)
    return None if missing is None else Reason("dependency", f"no container of {missing} is there")


def _affinity(request: Request, standing: Standing, _: Policy) -> Reason | None:
    for rule in request.affinities:
        if not is_affine(rule, standing):
            return Reason("affinity", f"affinity {rule.text}")
    return None


def _constraint(request: Request, standing: Standing, _: Policy) -> Reason | None:
    for rule in request.constraints:
        if not is_met(rule, standing.view):
            return Reason("constraint", f"constraint {rule.text}")
    return None


def _whitelist(request: Request, standing: Standing, _: Policy) -> Reason | None:
    for rule in request.whitelists:
        if standing.view.name not in rule.value.split("|"):
            return Reason("whitelist", f"whitelist {rule.text}")
    return None


def weighs(request: Request, policy: Policy) -> bool:
    """Return whether there must be room for a request; classic's ``random`` does not ask."""
    return not policy.is_classic or request.strategy is not Strategy.RANDOM


def fits(used: int, wanted: int, has: int, policy: Policy) -> bool:
    """Return whether there is room; classic's integer division fills a little over 100 %."""
    if policy.is_classic:
        return has >= wanted and has > 0 and (used + wanted) * 100 // has <= 100
    return used + wanted <= has


def _resources(request: Request, standing: Standing, policy: Policy) -> Reason | None:
    if not weighs(request, policy):
        return None
    wanted, has = request.resources, standing.view.capacity
    if wanted.memory and not fits(standing.memory, wanted.memory, has.memory, policy):
        short = standing.memory + wanted.memory - has.memory
        return Reason("resources", "memory short", f"by {_mebibytes(short)}", short)
    if wanted.cpu and not fits(standing.cpu, wanted.cpu, has.cpu, policy):
        short = standing.cpu + wanted.cpu - has.cpu
        return Reason("resources", "CPU short", f"by {short / NANO:g}", short)
    return None


def _mebibytes(number: int) -> str:
    return f"{-(-number // 2**20)} MiB"


def _availability(_: Request, standing: Standing, __: Policy) -> Reason | None:
    found = standing.view.availability
    return None if found is Availability.ACTIVE else Reason("availability", f"node is in {found}")


def is_of_platform(platform: str, node: NodeView) -> bool:
    """Return whether ``os/architecture`` is the node's, as far as it is known."""
    if not platform:
        return True
    system, architecture, *_variant = f"{platform}/".split("/")
    pairs = (
        (system, node.labels.get("ostype", "")),
        (architecture, node.labels.get("arch", "")),
    )
    return all(
        not wanted or not found or _architecture(wanted) == _architecture(found)
        for wanted, found in pairs
    )


def _platform(request: Request, standing: Standing, _: Policy) -> Reason | None:
    if is_of_platform(request.platform, standing.view):
        return None
    return Reason("platform", f"platform is not {request.platform}")


def _copies(request: Request, standing: Standing, _: Policy) -> Reason | None:
    most = request.max_per_node
    if most and standing.copies.get(request.key, 0) >= most:
        return Reason("max_replicas_per_node", f"{most} per node are there already")
    return None


def _avoided(request: Request, standing: Standing, _: Policy) -> Reason | None:
    if request.only and standing.view.name != request.only:
        return Reason("only", f"it belongs to {request.only}")
    return (
        Reason("avoid", "making it failed there just now, it moves away, or no agent has the lease")
        if standing.view.name in request.avoid
        else None
    )


FILTERS: Final[tuple[Filter, ...]] = (
    _health,
    _port,
    _slots,
    _dependency,
    _affinity,
    _constraint,
    _whitelist,
    _resources,
    _availability,
    _platform,
    _copies,
    _avoided,
)
