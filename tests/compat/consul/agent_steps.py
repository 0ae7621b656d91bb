"""Requests to the agent: services, checks, maintenance, what it says of itself. Pure."""

from collections.abc import Callable
from typing import Any, Final

from tests.compat.consul.steps import STATES, TAGS, Dice, Step, get, put

__all__ = ["READS", "WRITES"]

NEVER: Final = "1000h"  # a check's first run comes after a random part of its interval


def _check(dice: Dice) -> dict[str, Any]:
    kinds: tuple[dict[str, Any], ...] = (
        {"TTL": "60m"},
        {"TTL": "60m"},
        {"TTL": "60m"},
        {"HTTP": "http://127.0.0.1:1/", "Interval": NEVER, "Timeout": "2s"},
        {
            "HTTP": "http://127.0.0.1:1/",
            "Interval": NEVER,
            "Method": "POST",
            "Header": {"A": ["b"]},
        },
        {"TCP": "127.0.0.1:1", "Interval": NEVER},
        {"tcp": "127.0.0.1:1", "interval": NEVER, "DeregisterCriticalServiceAfter": "90m"},
        {"TTL": "60m", "deregister_critical_service_after": "100h"},
        {"GRPC": "127.0.0.1:1/web", "Interval": NEVER, "GRPCUseTLS": False},
        {"HTTP": "http://127.0.0.1:1/", "Interval": NEVER, "SuccessBeforePassing": 2},
        {"TTL": "60m", "FailuresBeforeCritical": 3, "OutputMaxSize": 100},
    )
    check = dict(dice.pick(kinds))
    if dice.chance(0.6):
        check["Status"] = dice.pick(STATES)
    if dice.chance(0.3):
        check["Notes"] = "watch this"
    return check


def _service(dice: Dice) -> dict[str, Any]:
    name, identity = dice.service()
    service: dict[str, Any] = {"ID": identity, "Name": name, "Port": dice.pick((0, 80, 8080))}
    optional: dict[str, Any] = {
        "Tags": dice.some(TAGS[:4], 3),
        "Address": dice.pick(("", "192.0.2.7", "host.example.org", "2001:db8::1")),
        "Meta": dice.pick(({}, {"k": "v"}, {"k": "w", "zone": "eu-1"})),
        "Weights": {"Passing": dice.number(1, 5), "Warning": dice.number(0, 2)},
        "EnableTagOverride": dice.chance(),
        "TaggedAddresses": {"wan": {"Address": "198.51.100.1", "Port": 90}},
        "Kind": "",
    }
    for key, value in optional.items():
        if dice.chance(0.35):
            service[dice.pick((key, key.lower())) if key != "TaggedAddresses" else key] = value
    if dice.chance(0.5):
        service["Check"] = _check(dice)
    if dice.chance(0.2):
        service["Checks"] = [_check(dice) for _ in range(dice.number(1, 2))]
    return service


def register_service(dice: Dice) -> list[Step]:
    """Register an instance, sometimes twice the same, sometimes by its name alone."""
    if dice.chance(0.1):
        return [put("/v1/agent/service/register", {"Name": dice.pick(("web", "solo"))})]
    query = "?replace-existing-checks=true" if dice.chance(0.15) else ""
    step = put(f"/v1/agent/service/register{query}", _service(dice))
    return [step, step] if dice.chance(0.1) else [step]


def deregister_service(dice: Dice) -> list[Step]:
    """Remove an instance, known or not."""
    return [put(f"/v1/agent/service/deregister/{dice.instance()}")]


def service_maintenance(dice: Dice) -> list[Step]:
    """Switch an instance's maintenance."""
    query = dice.pick(("enable=true&reason=moving%20house", "enable=true", "enable=false"))
    return [put(f"/v1/agent/service/maintenance/{dice.instance()}?{query}")]


def node_maintenance(dice: Dice) -> list[Step]:
    """Switch the node's maintenance on, look, and off."""
    return [
        put("/v1/agent/maintenance?enable=true&reason=upgrade"),
        get(f"/v1/health/service/{dice.pick(('web', 'api'))}?passing"),
        get("/v1/agent/checks"),
        put("/v1/agent/maintenance?enable=false"),
    ]


def register_check(dice: Dice) -> list[Step]:
    """Register a check of the node or of an instance that may not exist."""
    body = _check(dice) | {"Name": dice.pick(("alive", "disk"))}
    if dice.chance(0.8):
        body["ID"] = f"c{dice.number(1, 5)}"
    if dice.chance(0.5):
        body[dice.pick(("ServiceID", "service_id"))] = dice.instance()
    return [put("/v1/agent/check/register", body)]


def _check_id(dice: Dice) -> str:
    known = (f"service:{dice.instance()}", f"c{dice.number(1, 5)}", "alive", "disk")
    return dice.pick((*known, f"service:{dice.instance()}:1"))


def deregister_check(dice: Dice) -> list[Step]:
    """Remove a check, known or not."""
    return [put(f"/v1/agent/check/deregister/{_check_id(dice)}")]


def set_check(dice: Dice) -> list[Step]:
    """Report a TTL check's state; most of the checks named exist."""
    verb = dice.pick(("pass", "pass", "warn", "fail"))
    note = dice.pick(("", "?note=fine", "?note=so%20so%0Athen"))
    return [put(f"/v1/agent/check/{verb}/{_check_id(dice)}{note}")]


def update_check(dice: Dice) -> list[Step]:
    """Report state and output in a body."""
    body = {
        "Status": dice.pick((*STATES, "weird")),
        "Output": dice.pick(("", "said so", "x" * 5000)),
    }
    return [put(f"/v1/agent/check/update/{_check_id(dice)}", body)]


def report_on_fresh_check(dice: Dice) -> list[Step]:
    """Register an instance with a TTL check and let it change state, seen by every reader."""
    name, identity = dice.service()
    body = {"ID": identity, "Name": name, "Port": 80, "Check": {"TTL": "60m"}}
    state = dice.pick(("pass", "warn", "fail"))
    return [
        put("/v1/agent/service/register", body),
        put(f"/v1/agent/check/{state}/service:{identity}?note=n{dice.number(1, 2)}"),
        get(f"/v1/health/service/{name}"),
        get(f"/v1/agent/health/service/name/{name}"),
    ]


FILTERS: Final = (
    "Service+==+web", "Port+!=+80", "prod+in+Tags", "Tags+contains+v1", "Meta.k+==+v",
    "Meta+is+empty", "not+(Service+matches+%22%5Ew%22)", "Bogus+==+1", "Service+==",
)  # fmt: skip
CHECK_FILTERS: Final = ("Status+==+critical", "Nope+==+1", "a+b")


def read_agent(dice: Dice) -> list[Step]:
    """Read services, checks, one service, its health, in JSON or as a word."""
    name, identity = dice.service()
    form = dice.pick(("", "?format=text"))
    return [
        dice.pick(
            (
                get("/v1/agent/services"),
                get("/v1/agent/checks"),
                get(f"/v1/agent/services?filter={dice.pick(FILTERS)}"),
                get(f"/v1/agent/checks?filter={dice.pick(CHECK_FILTERS)}"),
                get(f"/v1/agent/service/{identity}"),
                get(f"/v1/agent/service/{identity}"),
                get(f"/v1/agent/health/service/name/{name}{form}"),
                get(f"/v1/agent/health/service/id/{identity}{form}"),
            )
        )
    ]


def read_self(dice: Dice) -> list[Step]:
    """Read what the agent says of itself and of the world."""
    path = dice.pick(
        (
            "agent/self", "agent/members", "status/leader", "status/peers", "agent/metrics",
            "coordinate/nodes", "coordinate/datacenters", "query",
            "agent/metrics?format=prometheus",
        )
    )  # fmt: skip
    return [get(f"/v1/{path}")]


WRITES: Final[dict[Callable[[Dice], list[Step]], int]] = {
    register_service: 14,
    deregister_service: 5,
    service_maintenance: 3,
    node_maintenance: 1,
    register_check: 6,
    deregister_check: 3,
    set_check: 5,
    update_check: 3,
    report_on_fresh_check: 4,
}
READS: Final[dict[Callable[[Dice], list[Step]], int]] = {read_agent: 10, read_self: 4}
