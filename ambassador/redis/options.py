"""The keys of the configuration: what each is called inside, and what it takes. Pure."""

from collections.abc import Mapping
from typing import Final

from ambassador.frame.balance import POLICIES
from ambassador.frame.fields import (
    Field,
    address,
    choice,
    flag,
    integer,
    listen_address,
    names,
    near,
    seconds,
    several,
    share,
    size,
    table,
    text,
)  # fmt: skip
from ambassador.frame.tls import TlsClient, TlsServer
from ambassador.redis.commands import ADMIN
from ambassador.redis.settings import MODES, MOVABLE

__all__ = ["LISTENER", "OTHERS", "UPSTREAM", "Fields"]

Fields = Mapping[str, tuple[str, Field]]


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str):
        value = dict(_pair(word) for word in value.split(","))
    if not isinstance(value, Mapping):
        raise ValueError("names and values are expected")  # noqa: TRY004 - as all checks do
    return tuple((text(key), text(one)) for key, one in value.items())


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.strip().partition("=")
    if not equals:
        raise ValueError(f"{word!r} is no NAME=VALUE")
    return name, value


def _movable(value: object) -> frozenset[str]:
    found = names(value)
    for name in found - MOVABLE:
        raise ValueError(f"{name!r} is none of {', '.join(sorted(MOVABLE))}{near(name, MOVABLE)}")
    return found


def _admin(value: object) -> frozenset[str]:
    found = names(value)
    known = {"all", *ADMIN, *(name.partition("|")[0] for name in ADMIN)}
    for name in found - known:
        written = {one.replace("|", " ") for one in known}
        hint = near(name.replace("|", " "), written)
        raise ValueError(f"{name.replace('|', ' ')!r} is not disabled by itself{hint}")
    return found


LISTENER: Final[Fields] = {
    "bind": ("bind", listen_address),
    "name": ("name", text),
    "mode": ("mode", choice(*MODES)),
    "max_lag": ("max_lag", seconds),
    "max_lag_bytes": ("max_lag_bytes", size),
    "balance": ("balance", choice(*POLICIES)),
    "fallback": ("fallback", choice("primary", "error")),
    "session_scope": ("scope", choice("connection", "user", "listener")),
    "cursor": ("cursor", choice("primary", "sticky")),
    "session_young": ("young", seconds),
    "session_fallback": ("session_fallback", choice("guarded", "primary")),
    "session_window": ("window", seconds),
    "read_after_inflight_write": ("after_write", choice("primary", "replica")),
    "replica_answers": ("replica_answers", _movable),
    "allow_admin": ("allow_admin", _admin),
    "deny": ("deny", names),
    "users": ("users", _pairs),
    "tls": (
        "tls", table({"cert": ("cert", text), "key": ("key", text), "ca": ("ca", text)}, TlsServer)
    ),
    "pinnable": ("is_pinnable", flag),
    "max_bulk": ("max_bulk", size),
    "max_query": ("max_query", size),
    "max_outstanding": ("max_outstanding", integer),
    "max_outstanding_bytes": ("max_bytes", size),
    "idle": ("idle", seconds),
    "cross_slot": ("is_cross_slot", flag),
    "rewrite_ro": ("rewrites_ro", flag),
    "script_flags": ("has_script_flags", flag),
    "ping": ("ping", choice("upstream", "local")),
    "client_view": ("client_view", choice("proxy", "upstream")),
    "primary_read_weight": ("primary_read_weight", share),
}  # fmt: skip

UPSTREAM: Final[Fields] = {
    "source": ("source", choice("static", "catalog", "sentinel", "cluster")),
    "servers": ("servers", several(address)),
    "service": ("service", text),
    "store": ("store", text),
    "master_name": ("master_name", text),
    "user": ("user", text),
    "password": ("password", text),
    "sentinel_user": ("sentinel_user", text),
    "sentinel_password": ("sentinel_password", text),
    "tls": (
        "tls",
        table(
            {
                "ca": ("ca", text), "cert": ("cert", text), "key": ("key", text),
                "verify": ("is_verified", flag),
            },
            TlsClient,
        ),
    ),
    "zone": ("zone", text),
    "zones": ("zones", _pairs),
    "probe": ("probe", seconds),
    "bounded_probe": ("bounded_probe", seconds),
    "probe_timeout": ("probe_timeout", seconds),
    "connect_timeout": ("connect_timeout", seconds),
    "op_timeout": ("op_timeout", seconds),
    "failover_queue": ("failover_queue", seconds),
    "failover_bytes": ("failover_bytes", size),
    "split_brain": ("split_brain", choice("refuse", "evidence")),
    "drain": ("drain", seconds),
    "connections_per_node": ("connections_per_node", integer),
    "dedicated_min": ("dedicated_min", integer),
    "dedicated_max": ("dedicated_max", integer),
    "multiplex": ("is_multiplexed", flag),
    "resubscribe": ("resubscribe", flag),
    "slow": ("slow", seconds),
}  # fmt: skip

OTHERS: Final[Fields] = {
    "admin": ("admin", listen_address),
    "ready": ("ready", choice("primary", "replica")),
    "workers": ("workers", integer),
    "max_clients": ("max_clients", integer),
    "reply_hard": ("reply_hard", size),
    "reply_soft": ("reply_soft", size),
    "push_hard": ("push_hard", size),
    "push_soft": ("push_soft", size),
    "soft_for": ("soft_for", seconds),
    "memory": ("memory", size),
    "slowlog": ("slowlog", seconds),
    "slowlog_size": ("slowlog_size", integer),
}
