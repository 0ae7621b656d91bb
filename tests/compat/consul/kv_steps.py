"""Requests to keys, sessions, transactions and events. Pure."""

import base64
from collections.abc import Callable
from typing import Any, Final

from tests.compat.consul.steps import KEYS, Dice, Step, get, put

__all__ = ["READS", "WRITES", "reading"]


def _value(dice: Dice) -> bytes:
    return dice.pick((b"", b"one", b"two", b"\x00\xff\n", "grün".encode()))


def write(dice: Dice) -> list[Step]:
    """Write a key, with flags now and then."""
    flags = dice.pick(("", "", "?flags=42", "?flags=18446744073709551615", "?flags=0"))
    step = put(f"/v1/kv/{dice.key()}{flags}", _value(dice))
    return [step, step] if dice.chance(0.2) else [step]


def compare_and_set(dice: Dice) -> list[Step]:
    """Create only, set at the index just read, and at one that has passed."""
    key, symbol = dice.key(), dice.symbol("modified")
    read = get(f"/v1/kv/{key}", save=((symbol, "body.0.ModifyIndex"),))
    at_index = put(f"/v1/kv/{key}?cas=${{{symbol}}}", _value(dice))
    match dice.number(0, 3):
        case 0:
            return [put(f"/v1/kv/{key}?cas=0", _value(dice))]
        case 1:
            return [put(f"/v1/kv/{key}", b"base"), read, at_index, at_index]
        case 2:
            delete = Step(method="DELETE", path=f"/v1/kv/{key}?cas=${{{symbol}}}")
            return [put(f"/v1/kv/{key}", b"base"), read, delete, get(f"/v1/kv/{key}")]
        case _:
            return [Step(method="DELETE", path=f"/v1/kv/{key}?cas={dice.pick((0, 1, 99999999))}")]


def delete(dice: Dice) -> list[Step]:
    """Delete a key or everything under a prefix."""
    path = dice.pick((dice.key(), dice.key(), "app/d?recurse", "lock?recurse", "none?recurse"))
    return [Step(method="DELETE", path=f"/v1/kv/{path}")]


def lock(dice: Dice) -> list[Step]:
    """Take or give back a lock; the session may hold another, or be gone."""
    key = dice.pick(("lock/one", "lock/two", "app/x"))
    verb = dice.pick(("acquire", "acquire", "release"))
    return [
        put(f"/v1/kv/{key}?{verb}={dice.session()}", _value(dice)),
        get(f"/v1/kv/{key}"),
    ]


def make_session(dice: Dice) -> list[Step]:
    """Make a session; delays and TTLs are so long, or none, that no run can reach them."""
    body: dict[str, Any] = {"LockDelay": dice.pick(("0s", "0s", "45s", 50, 30_000_000_000))}
    if dice.chance(0.5):
        body["Name"] = dice.pick(("s1", "s2"))
    if dice.chance(0.4):
        body["Behavior"] = dice.pick(("release", "delete"))
    if dice.chance(0.4):
        body["TTL"] = dice.pick(("30s", "10m", "86400s"))
    if dice.chance(0.2):
        body["Node"] = "${node}"
    if dice.chance(0.2):
        body[dice.pick(("Checks", "NodeChecks"))] = ["serfHealth"]
    symbol = dice.symbol("session")
    dice.sessions.append(symbol)
    path = f"/v1/session/create{dice.pick(('', '?dc=dc1'))}"
    return [put(path, body, save=((symbol, "body.ID"),)), get(f"/v1/session/info/${{{symbol}}}")]


def end_session(dice: Dice) -> list[Step]:
    """Renew or destroy one."""
    verb = dice.pick(("renew", "destroy", "destroy"))
    return [put(f"/v1/session/{verb}/{dice.session()}")]


def session_of_failing_check(dice: Dice) -> list[Step]:
    """Tie a session and a lock to a check of the node, and let the check fail."""
    symbol = dice.symbol("session")
    check = {"ID": "tied", "Name": "tied", "TTL": "60m", "Status": "passing"}
    body = {"LockDelay": "0s", "Checks": ["serfHealth", "tied"]}
    if dice.chance():
        body["Behavior"] = "delete"
    return [
        put("/v1/agent/check/register", check),
        put("/v1/session/create", body, save=((symbol, "body.ID"),)),
        put(f"/v1/kv/tied?acquire=${{{symbol}}}", b"mine"),
        put("/v1/agent/check/fail/tied?note=gone"),
        get("/v1/kv/tied"),
        get(f"/v1/session/info/${{{symbol}}}"),
    ]


def _operation(dice: Dice) -> dict[str, Any]:
    verb = dice.pick(
        (
            "set", "set", "cas", "lock", "unlock", "get", "get-tree", "check-index",
            "check-session", "check-not-exists", "delete", "delete-tree", "delete-cas", "bogus",
        )
    )  # fmt: skip
    operation: dict[str, Any] = {"Verb": verb, "Key": dice.pick(KEYS[:7])}
    if verb in {"set", "cas", "lock", "unlock"}:
        operation["Value"] = base64.b64encode(_value(dice)).decode()
        operation["Flags"] = dice.pick((0, 7))
    if verb in {"cas", "check-index", "delete-cas"}:
        operation["Index"] = dice.pick((0, 1))
    if verb in {"lock", "unlock", "check-session"}:
        operation["Session"] = dice.session()
    return {"KV": operation}


def transaction(dice: Dice) -> list[Step]:
    """Send one to three operations; half of them reads only."""
    if dice.chance(0.4):
        keys = dice.some(KEYS[:7], 3) or ["app"]
        verb = dice.pick(("get", "get-tree"))
        return [put("/v1/txn", [{"KV": {"Verb": verb, "Key": key}} for key in keys])]
    return [put("/v1/txn", [_operation(dice) for _ in range(dice.number(1, 3))])]


def event(dice: Dice) -> list[Step]:
    """Fire an event and list what was fired."""
    name, symbol = dice.pick(("deploy", "restart")), dice.symbol("event")
    filters = dice.pick(("", "?node=.*", "?service=never"))
    fire = put(f"/v1/event/fire/{name}{filters}", _value(dice), save=((symbol, "body.ID"),))
    listed = dice.pick(("/v1/event/list", f"/v1/event/list?name={name}"))
    until = "" if "never" in filters else f"${{{symbol}}}"
    return [fire, get(listed, until=until)]


def reading(dice: Dice) -> str:
    """Return the path of a read that can block."""
    key = dice.key()
    prefix = dice.pick(("", "app", "app/", "app/d/", "lock/", "none/"))
    match dice.number(0, 7):
        case 0 | 1 | 2:
            return f"/v1/kv/{dice.pick((key, key, key, 'none'))}"
        case 3:
            return f"/v1/kv/{prefix}?recurse"
        case 4:
            return f"/v1/kv/{prefix}?keys"
        case 5:
            return f"/v1/kv/{prefix}?keys&separator={dice.pick(('/', 'p', '/d'))}"
        case 6:
            return "/v1/session/list"
        case _:
            return f"/v1/session/node/{dice.pick(('${node}', 'nowhere'))}"


def read(dice: Dice) -> list[Step]:
    """Read in one of the forms a key has."""
    form = dice.pick(("", "", "", "?raw", "?pretty", "?stale", "?consistent", "?recurse&raw"))
    path = reading(dice)
    return [get(path if "?" in path or "/session/" in path else path + form)]


def read_session(dice: Dice) -> list[Step]:
    """Read one session."""
    return [get(f"/v1/session/info/{dice.session()}")]


WRITES: Final[dict[Callable[[Dice], list[Step]], int]] = {
    write: 10,
    compare_and_set: 5,
    delete: 4,
    lock: 8,
    make_session: 5,
    end_session: 4,
    session_of_failing_check: 1,
    transaction: 7,
    event: 1,
}
READS: Final[dict[Callable[[Dice], list[Step]], int]] = {read: 12, read_session: 2}
