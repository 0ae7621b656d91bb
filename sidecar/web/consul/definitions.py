"""Definitions of checks in requests: their fields, Consul's rules for them. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sidecar.catalog.model import Check, Status
from sidecar.errors import ApiError
from sidecar.web.consul import validate
from sidecar.web.consul.decode import (
    BOOL,
    DURATION,
    INT,
    STRING,
    STRINGS,
    Kind,
    Listed,
    Mapped,
    Struct,
)

__all__ = [
    "CHECK",
    "CHECK_UPDATE",
    "ELSEWHERE",
    "SERVICE_CHECK",
    "SERVICE_CHECKS",
    "STATUSES",
    "check_of",
    "from_elsewhere",
    "service_checks",
    "stored",
    "type_of",
]

ELSEWHERE: Final = "Elsewhere"
"""Marks a stored definition that another host sent; not a field of Consul's."""
STATUSES: Final = frozenset(Status)
_LONGEST: Final = 2**63 - 1  # nanoseconds in a Go duration
_NO_SCRIPTS: Final = (
    "Scripts are disabled on this agent from remote calls;"
    " to enable, configure 'enable_script_checks' to true"
)
_RUN: Final[dict[str, Kind]] = {
    "ScriptArgs": STRINGS,
    "HTTP": STRING,
    "Header": Mapped("map[string][]string", STRINGS),
    "Method": STRING,
    "Body": STRING,
    "TCP": STRING,
    "Interval": DURATION,
    "DockerContainerID": STRING,
    "Shell": STRING,
    "GRPC": STRING,
    "GRPCUseTLS": BOOL,
    "TLSSkipVerify": BOOL,
    "AliasNode": STRING,
    "AliasService": STRING,
    "Timeout": DURATION,
    "TTL": DURATION,
    "SuccessBeforePassing": INT,
    "FailuresBeforeCritical": INT,
    "DeregisterCriticalServiceAfter": DURATION,
    "OutputMaxSize": INT,
}
_GO: Final = (
    "struct {{ Interval interface {{}}; Timeout interface {{}}; TTL interface {{}};"
    " DeregisterCriticalServiceAfter interface {{}};"
    ' Args []string "json:\\"args\\""; ScriptArgsSnake []string "json:\\"script_args\\"";'
    " DeregisterCriticalServiceAfterSnake interface {{}}"
    ' "json:\\"deregister_critical_service_after\\"";'
    ' DockerContainerIDSnake string "json:\\"docker_container_id\\"";'
    ' TLSSkipVerifySnake bool "json:\\"tls_skip_verify\\"";'
    '{} ServiceIDSnake string "json:\\"service_id\\""; *structs.Alias }}'
)
"""How Go names the type of these bodies when they are no objects at all."""
_ALIASES: Final = {
    "args": "ScriptArgs",
    "script_args": "ScriptArgs",
    "deregister_critical_service_after": "DeregisterCriticalServiceAfter",
    "docker_container_id": "DockerContainerID",
    "tls_skip_verify": "TLSSkipVerify",
    "service_id": "ServiceID",
}
_SAID: Final[dict[str, Kind]] = {
    "Name": STRING,
    "Status": STRING,
    "Notes": STRING,
    "ServiceID": STRING,
}
SERVICE_CHECK: Final = Struct(
    go=_GO.format(' ServiceID string "json:\\"ServiceID\\"";'),
    name="",
    fields={"CheckID": STRING, **_SAID, **_RUN, "ProxyHTTP": STRING, "ProxyGRPC": STRING},
    aliases=_ALIASES,
    opaque=True,
)
SERVICE_CHECKS: Final = Listed("structs.CheckTypes", SERVICE_CHECK)
CHECK: Final = Struct(
    go=_GO.format(""),
    name="",
    fields={"ID": STRING, "Token": STRING, **_SAID, **_RUN},
    aliases=_ALIASES,
    opaque=True,
)
CHECK_UPDATE: Final = Struct(
    go="agent.checkUpdate", name="checkUpdate", fields={"Status": STRING, "Output": STRING}
)


def check_of(body: Mapping[str, Any]) -> tuple[Check, str]:
    """Return the check of a registration and the id of the service it tests; raises ApiError."""
    name = body.get("Name", "")
    if not name:
        raise ApiError(400, "Missing check name")
    if body.get("Status") and body["Status"] not in STATUSES:
        raise ApiError(400, "Bad check status")
    _validated(body)
    check = _check(body, body.get("ID") or name, name)
    return check, validate.text("ServiceID", body.get("ServiceID", ""))


def service_checks(
    single: Mapping[str, Any] | None,
    several: Iterable[Mapping[str, Any] | None],
    *,
    id_: str,
    service: str,
) -> tuple[Check, ...]:
    """Return the checks that come with a service, named after it; raises ApiError."""
    bodies = [single] if single else []
    bodies += [body or {} for body in several]
    for body in bodies:
        _validated(body)
    for body in bodies:
        if body.get("Status") and body["Status"] not in STATUSES:
            raise ApiError(400, "Status for checks must 'passing', 'warning', 'critical'")
    checks: dict[str, Check] = {}
    for number, body in enumerate(bodies, 1):
        usual = f"service:{id_}" if len(bodies) == 1 else f"service:{id_}:{number}"
        check = _check(
            body, body.get("CheckID") or usual, body.get("Name") or f"Service '{service}' check"
        )
        checks[check.id] = check
    return tuple(checks.values())


def _check(body: Mapping[str, Any], id_: str, name: str) -> Check:
    _refuse_scripts(body)
    return Check(
        id=validate.text("CheckID", id_),
        name=validate.text("check Name", name),
        status=Status(body.get("Status") or Status.CRITICAL),
        notes=validate.text("check Notes", body.get("Notes", ""), 4096),
        type=type_of(body),
        definition=stored(body),
    )


def stored(body: Mapping[str, Any]) -> str:
    """Return how a check is run as JSON that can be read again; durations in nanoseconds."""
    run = {
        key: min(round(body[key] * 1e9), _LONGEST) if kind is DURATION else body[key]
        for key, kind in _RUN.items()
        if body.get(key)
    }
    return json.dumps(run, separators=(",", ":")) if run else ""


def type_of(body: Mapping[str, Any]) -> str:
    """Return what Consul calls this kind of check."""
    for key, word in (("GRPC", "grpc"), ("TTL", "ttl"), ("HTTP", "http"), ("TCP", "tcp")):
        if body.get(key):
            return word
    if body.get("AliasNode") or body.get("AliasService"):
        return "alias"
    return ""


def _refuse_scripts(body: Mapping[str, Any]) -> None:
    # Consul: remote calls may not run commands unless the agent was told so (reliability T8).
    if body.get("ScriptArgs"):
        raise ApiError(500, _NO_SCRIPTS)


def _validated(body: Mapping[str, Any]) -> None:
    """Raise ApiError 400 as Consul's CheckType.Validate."""
    if reason := _mistake(body):
        raise ApiError(400, f"Invalid check: {reason}")


def _mistake(body: Mapping[str, Any]) -> str:
    interval, ttl = body.get("Interval") or 0.0, body.get("TTL") or 0.0
    polled = any(body.get(key) for key in ("ScriptArgs", "HTTP", "TCP", "GRPC"))
    alias = bool(body.get("AliasNode") or body.get("AliasService"))
    rules = (
        (interval > 0 and ttl > 0, "Interval and TTL cannot both be specified"),
        (polled and interval <= 0, "Interval must be > 0 for Script, HTTP, or TCP checks"),
        (polled and alias, "Interval cannot be set for Alias checks"),
        (alias and ttl > 0, "TTL must be not be set for Alias checks"),
        (not polled and not alias and ttl <= 0, "TTL must be > 0 for TTL checks"),
        ((body.get("OutputMaxSize") or 0) < 0, "MaxOutputMaxSize must be positive"),
    )
    return next((reason for broken, reason in rules if broken), "")


def from_elsewhere(definition: str) -> str:
    """Return a stored definition marked as registered from another host."""
    return json.dumps(json.loads(definition) | {ELSEWHERE: True}, separators=(",", ":"))
