"""An Instance as a Consul agent is told of it, and whether the agent holds just that. Pure.

The body is Registrator's: keys that would be empty are absent, ``Check`` is null without a check
and ``Checks`` is always null, as long as an instance has at most one check of its own. What
Registrator does not know (a second check, a container's health, weights, more addresses) is added.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from sidecar.catalog.model import Check, Instance, Status
from sidecar.config.units import go_duration
from sidecar.stores.consul.shapes import maintenance_check

__all__ = [
    "DRAINING",
    "AgentCheck",
    "AgentService",
    "Feed",
    "Registration",
    "is_drained",
    "is_registered",
    "is_told",
    "registration",
]

DRAINING: Final = "pinnace: draining"
"""The reason of a maintenance that is ours; any other is an operator's and stays."""
_DOCKER: Final = "docker"
_HEALTH_TTL: Final = 60.0  # seconds after which a container is critical when nobody tells of it
_KINDS: Final = {
    "HTTP": "http",
    "TCP": "tcp",
    "GRPC": "grpc",
    "TTL": "ttl",
    "ScriptArgs": "script",
    "Args": "script",
    "DockerContainerID": "docker",
}
_DERIVED: Final = frozenset({"lan_ipv4", "wan_ipv4", "lan_ipv6", "wan_ipv6"})


class AgentService(msgspec.Struct, frozen=True):
    """A service as agent/services shows it."""

    name: str = msgspec.field(name="Service", default="")
    tags: list[str] | None = msgspec.field(name="Tags", default=None)
    meta: dict[str, str] | None = msgspec.field(name="Meta", default=None)
    port: int = msgspec.field(name="Port", default=0)
    address: str = msgspec.field(name="Address", default="")
    tagged: dict[str, dict[str, Any]] | None = msgspec.field(name="TaggedAddresses", default=None)
    weights: dict[str, int] | None = msgspec.field(name="Weights", default=None)
    override: bool = msgspec.field(name="EnableTagOverride", default=False)


class AgentCheck(msgspec.Struct, frozen=True):
    """A check as agent/checks shows it."""

    status: str = msgspec.field(name="Status", default="")
    notes: str = msgspec.field(name="Notes", default="")
    type: str = msgspec.field(name="Type", default="")
    service: str = msgspec.field(name="ServiceID", default="")


class Feed(NamedTuple):
    """What a TTL check is told again and again.

    ``is_own``: a label asked for the check, so its first status is the label's, not ours.
    """

    id: str
    ttl: float
    status: Status
    output: str
    is_own: bool = False


class Registration(NamedTuple):
    """The body of a registration, the kind of each of its checks by id, and what feeds them.

    ``core`` is the body but for what is told by feeds: if only that differs, a feed will do.
    """

    body: bytes
    core: bytes
    kinds: Mapping[str, str]
    feeds: tuple[Feed, ...]


def registration(instance: Instance, *, is_fed: bool = True) -> Registration:
    """Return what an agent is told of an instance. Raises ValueError for a bad definition.

    ``is_fed``: we feed the TTL checks that labels ask for, which Registrator never does.
    """
    base = f"service:{instance.id}"
    own = [check for check in instance.checks if check.definition]
    health = [check for check in instance.checks if check.type == _DOCKER and not check.definition]
    is_single = len(own) + len(health) == 1
    told: list[dict[str, Any]] = []
    kinds: dict[str, str] = {}
    feeds: list[Feed] = []
    for number, check in enumerate(own, 1):
        id_ = base if number == 1 else f"{base}:{number}"
        definition = _definition(check)
        kinds[id_] = next((_KINDS[key] for key in _KINDS if definition.get(key)), "")
        feeds += _own_feed(id_, definition, instance) if is_fed else []
        told.append(definition if is_single else {"CheckID": id_, **definition})
    for check in health[:1]:
        id_ = f"{base}:{_DOCKER}"
        kinds[id_] = "ttl"
        feeds.append(Feed(id_, _HEALTH_TTL, check.status, check.output))
        told.append(_health(id_, check))
    body = _service(instance)
    first = told[0] if own else None
    more = told[1 if own else 0 :] or None
    core = [body, first, [{**each, "Status": ""} for each in more or ()]]
    whole = {**body, "Check": first, "Checks": more}
    return Registration(_text(whole), _text(core), kinds, tuple(feeds))


def is_registered(instance: Instance, there: AgentService) -> bool:
    """Say whether the agent's entry is what a registration of the instance would make it."""
    weights = there.weights or {}
    return (
        there.name == instance.service
        and tuple(there.tags or ()) == instance.tags
        and (there.meta or {}) == dict(instance.meta)
        and there.port == instance.port
        and there.address == instance.address
        and there.override == instance.tag_override
        and weights.get("Passing", 1) == max(1, instance.weight)
        and weights.get("Warning", 1) == instance.warning_weight
        and _is_tagged(instance, there)
    )


def is_told(instance: Instance, wanted: Registration, there: Mapping[str, AgentCheck]) -> bool:
    """Say whether the agent runs the instance's checks, was told their status, and its drain.

    ``there`` are the checks of this instance by id. Checks that others added do not count.
    """
    base = f"service:{instance.id}"
    ours = {id_ for id_ in there if id_ == base or id_.startswith(f"{base}:")}
    if ours != wanted.kinds.keys():
        return False
    if any(there[id_].type not in {kind, ""} for id_, kind in wanted.kinds.items() if kind):
        return False
    if any(there[feed.id].status != feed.status for feed in wanted.feeds):
        return False
    return is_drained(instance.id, there) == instance.draining


def is_drained(id_: str, there: Mapping[str, AgentCheck]) -> bool:
    """Say whether the instance is in maintenance by us; an operator's stays what it is."""
    drain = there.get(maintenance_check(id_))
    return drain is not None and drain.notes == DRAINING


def _service(instance: Instance) -> dict[str, Any]:
    body: dict[str, Any] = {"ID": instance.id, "Name": instance.service}
    if instance.tags:
        body["Tags"] = list(instance.tags)
    if instance.port:
        body["Port"] = instance.port
    if instance.address:
        body["Address"] = instance.address
    if instance.meta:
        body["Meta"] = dict(instance.meta)
    if instance.tagged:
        body["TaggedAddresses"] = {
            name: {"Address": address, "Port": port}
            for name, (address, port) in instance.tagged.items()
        }
    if (instance.weight, instance.warning_weight) != (1, 1):
        weights = {"Passing": max(1, instance.weight), "Warning": instance.warning_weight}
        body["Weights"] = weights
    if instance.tag_override:
        body["EnableTagOverride"] = True
    return body


def _definition(check: Check) -> dict[str, Any]:
    found = json.loads(check.definition)
    if not isinstance(found, dict):
        raise ValueError(f"the definition of check {check.id} is no object")  # noqa: TRY004
    return found


def _own_feed(id_: str, definition: Mapping[str, Any], instance: Instance) -> list[Feed]:
    """Return what feeds a TTL check that a label asked for: as long as it runs, it passes."""
    try:
        ttl = go_duration(str(definition.get("TTL") or "0"))
    except ValueError:
        return []  # the agent will refuse it, and say so
    return (
        [Feed(id_, ttl, Status.PASSING, f"{instance.id} is running", is_own=True)]
        if ttl > 0
        else []
    )


def _health(id_: str, check: Check) -> dict[str, Any]:
    return {
        "CheckID": id_,
        "Name": check.name or "Docker health",
        "TTL": f"{_HEALTH_TTL:g}s",
        "Status": check.status.value,
    }


def _is_tagged(instance: Instance, there: AgentService) -> bool:
    """Compare further addresses; those that the agent derives from the first do not count."""
    held = {
        name: (str(found.get("Address", "")), found.get("Port", 0))
        for name, found in (there.tagged or {}).items()
    }
    extra = held.keys() - instance.tagged.keys()
    return all(held.get(name) == each for name, each in instance.tagged.items()) and all(
        name in _DERIVED and held[name][0] == instance.address for name in extra
    )


def _text(value: object) -> bytes:
    return msgspec.json.encode(value)
