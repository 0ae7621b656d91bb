"""Requests to the catalogue and about health; entries of other nodes. Pure."""

from collections.abc import Callable
from typing import Any, Final

from tests.compat.consul.steps import LOOKUPS, NODES, STATES, TAGS, Dice, Step, get, put

__all__ = ["READS", "WRITES", "reading"]


def register(dice: Dice) -> list[Step]:
    """Register a node with a service and checks.

    Never our own node: its agent would take the entry away, at a time of its own choosing.
    """
    node = dice.pick(NODES)
    name, identity = dice.service()
    body: dict[str, Any] = {"Node": node, "Address": f"192.0.2.{NODES.index(node) + 1}"}
    if dice.chance(0.4):
        body["NodeMeta"] = dice.pick(({"rack": "r1"}, {"rack": "r2", "os": "linux"}))
    if dice.chance(0.2):
        body["TaggedAddresses"] = {"lan": body["Address"], "wan": "198.51.100.9"}
    if dice.chance(0.2):
        body["Datacenter"] = "dc1"
    if dice.chance(0.8):
        service: dict[str, Any] = {"Service": name, "Port": dice.pick((0, 80, 8080))}
        if dice.chance(0.8):
            service["ID"] = identity
        if dice.chance(0.5):
            service["Tags"] = dice.some(TAGS, 3)
        if dice.chance(0.3):
            service["Address"] = "192.0.2.77"
        if dice.chance(0.3):
            service["Meta"] = {"k": dice.pick(("v", "w"))}
        body["Service"] = service
    if dice.chance(0.5):
        check = {"CheckID": dice.pick(("x1", "x2")), "Name": "ext", "Status": dice.pick(STATES)}
        if dice.chance(0.5) and "ID" in body.get("Service", {}):
            check["ServiceID"] = identity
        body["Check"] = check
    step = put("/v1/catalog/register", body)
    return [step, step] if dice.chance(0.15) else [step]


def deregister(dice: Dice) -> list[Step]:
    """Remove a check, a service or a whole other node."""
    body: dict[str, Any] = {"Node": dice.pick((*NODES, "nowhere"))}
    match dice.number(0, 3):
        case 0:
            body["CheckID"] = dice.pick(("x1", "x2"))
        case 1 | 2:
            body["ServiceID"] = dice.instance()
    return [put("/v1/catalog/deregister", body)]


def skip_node_update(dice: Dice) -> list[Step]:
    """Add a service without touching its node, which may not exist."""
    body = {
        "Node": dice.pick(NODES),
        "SkipNodeUpdate": True,
        "Service": {"Service": "api", "Port": 9},
    }
    return [put("/v1/catalog/register", body)]


_HEALTH_FILTERS: Final = (
    "Service.Port==80", "ServiceMeta.k==v", "Service.Meta.k==v", "prod+in+Service.Tags",
    "Node.Node==ext1", "Checks.Status==critical", "Service.ID+matches+%22-1$%22",
    "Service.Port==80+and+not+Node.Node==ext1", "(Service.Port==0+or+Service.Port==8080)",
    "Service.Tags+is+not+empty", "Service.Bogus==1", "Service.Port==", "Service.Address+contains+2",
)  # fmt: skip
_CATALOG_FILTERS: Final = (
    "ServicePort==80", "ServiceMeta.k==v", "Node==ext1", "prod+in+ServiceTags", "NodeMeta.rack==r1",
    "ServiceTags+is+empty", "Bogus==1", "ServiceName==web+or+ServiceName==api",
)  # fmt: skip


def _parameters(dice: Dice, filters: tuple[str, ...], extra: tuple[str, ...]) -> str:
    """Return a query string: often none, so that queries repeat and can be followed."""
    if dice.chance(0.4):
        return ""
    options = (
        "stale", "consistent", "dc=dc1", "pretty", f"tag={dice.pick(TAGS)}", "tag=prod&tag=v1",
        "near=_agent", f"near={dice.pick((*NODES, 'nowhere'))}", "node-meta=rack:r1",
        f"filter={dice.pick(filters)}", f"filter={dice.pick(filters)}", *extra,
    )  # fmt: skip
    return "?" + dice.pick(options)


def reading(dice: Dice) -> str:
    """Return the path of a read that can block."""
    name = dice.pick(LOOKUPS)
    passing = ("passing", "passing", "passing=true", "passing=false", "passing=1", "passing=")
    match dice.number(0, 11):
        case 0 | 1 | 2 | 3:
            return f"/v1/health/service/{name}{_parameters(dice, _HEALTH_FILTERS, passing)}"
        case 4 | 5:
            return f"/v1/catalog/service/{name}{_parameters(dice, _CATALOG_FILTERS, ())}"
        case 6:
            return f"/v1/catalog/services{dice.pick(('', '', '?node-meta=rack:r1', '?stale'))}"
        case 7:
            form = dice.pick(("", "", "?node-meta=rack:r1", "?filter=Node==ext1"))
            return f"/v1/catalog/nodes{form}"
        case 8:
            return f"/v1/catalog/node/{dice.pick((*NODES, '${node}', 'nowhere'))}"
        case 9:
            return f"/v1/health/checks/{name}"
        case 10:
            return f"/v1/health/node/{dice.pick((*NODES, '${node}', 'nowhere'))}"
        case _:
            return f"/v1/health/state/{dice.pick(('any', *STATES, 'strange'))}"


def read(dice: Dice) -> list[Step]:
    """Read once."""
    return [get(reading(dice))]


def read_rarely_used(dice: Dice) -> list[Step]:
    """Read what few clients ask for."""
    path = dice.pick(
        (
            "catalog/datacenters", "catalog/node-services/ext1", "catalog/node-services/nowhere",
            "catalog/node-services/${node}", "health/connect/web", "catalog/connect/web",
            "health/ingress/web", "health/service/never-there?cached",
        )
    )  # fmt: skip
    return [get(f"/v1/{path}")]


WRITES: Final[dict[Callable[[Dice], list[Step]], int]] = {
    register: 10,
    deregister: 4,
    skip_node_update: 1,
}
READS: Final[dict[Callable[[Dice], list[Step]], int]] = {read: 22, read_rarely_used: 3}
