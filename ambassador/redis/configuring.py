"""A document, variables and a command line to settings: the first that says something wins. Pure.

Flags stand before variables (``AMBASSADOR_UPSTREAM__PASSWORD``), those before the file, that
before the defaults, which stand in ``settings``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ambassador.frame.balance import POLICIES
from ambassador.frame.fields import (
    Field,
    address,
    choice,
    flag,
    integer,
    listen_address,
    names,
    read,
    seconds,
    share,
    size,
    text,
)  # fmt: skip
from ambassador.frame.tls import TlsClient, TlsServer
from ambassador.redis.framing import CommandLimits
from ambassador.redis.settings import MODES, Listener, RedisSettings
from sidecar.errors import ConfigError

__all__ = ["LISTENER", "OTHERS", "UPSTREAM", "Given", "settings_of"]

Fields = Mapping[str, tuple[str, Field]]
_PREFIX: Final = "AMBASSADOR_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says."""

    listen: Sequence[str] = ()
    primary: str = ""
    replicas: Sequence[str] = ()
    service: str = ""
    store: str = ""
    sentinels: Sequence[str] = ()
    master_name: str = ""
    cluster: Sequence[str] = ()
    mode: str = ""
    max_lag: str = ""
    admin: str = ""
    workers: str = ""


def _several(check: Field) -> Field:
    def checked(value: object) -> tuple[object, ...]:
        values = value.split(",") if isinstance(value, str) else value
        if not isinstance(values, Sequence):
            raise ValueError("a list is expected")  # noqa: TRY004 - as all checks do
        return tuple(check(one) for one in values)

    return checked


def _table(fields: Fields, make: Any) -> Field:
    def checked(value: object) -> object:
        problems: list[str] = []
        found = read(value, fields, "", problems)
        if problems:
            raise ValueError("; ".join(problem.lstrip(".: ") for problem in problems))
        try:
            return make(**found)
        except TypeError as missing:
            raise ValueError("cert and key are needed") from missing

    return checked


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise ValueError("names and values are expected")  # noqa: TRY004 - as all checks do
    return tuple((text(key), text(one)) for key, one in value.items())


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
    "allow_admin": ("allow_admin", names),
    "deny": ("deny", names),
    "users": ("users", _pairs),
    "tls": (
        "tls", _table({"cert": ("cert", text), "key": ("key", text), "ca": ("ca", text)}, TlsServer)
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
    "servers": ("servers", _several(address)),
    "service": ("service", text),
    "store": ("store", text),
    "master_name": ("master_name", text),
    "user": ("user", text),
    "password": ("password", text),
    "sentinel_user": ("sentinel_user", text),
    "sentinel_password": ("sentinel_password", text),
    "tls": (
        "tls",
        _table(
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
    "connections_per_node": ("connections_per_node", integer),
    "multiplex": ("is_multiplexed", flag),
    "resubscribe": ("resubscribe", flag),
    "slow": ("slow", seconds),
}  # fmt: skip

OTHERS: Final[Fields] = {
    "admin": ("admin", listen_address),
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


def settings_of(
    given: Given, environ: Mapping[str, str], document: object = None, name: str = "file"
) -> RedisSettings:
    """Return the settings. Raises ConfigError with every mistake."""
    problems: list[str] = []
    if document is None:
        document = {}
    if not isinstance(document, Mapping):
        raise ConfigError([f"{name}: keys and values are expected"])
    rest = {key: value for key, value in document.items() if key not in {"listeners", "upstream"}}
    found = read(rest, OTHERS, name, problems)
    found |= read(document.get("upstream"), UPSTREAM, f"{name}: upstream", problems)
    _variables(environ, found, problems)
    _flags(given, found, problems)
    listeners = _listeners(given, environ, document.get("listeners"), name, problems)
    if not problems:
        _check(found, listeners, problems)
    if problems:
        raise ConfigError(problems)
    return RedisSettings(listeners=tuple(listeners), **found)  # type: ignore[arg-type]


def _variables(environ: Mapping[str, str], found: dict[str, object], problems: list[str]) -> None:
    for variable, value in environ.items():
        if not variable.startswith(_PREFIX) or variable.startswith(f"{_PREFIX}LISTENER__"):
            continue
        key = variable.removeprefix(_PREFIX).lower()
        table, fields = key, OTHERS
        if key.startswith("upstream__"):
            table, fields = key.removeprefix("upstream__"), UPSTREAM
        found |= read({table: value}, fields, variable, problems)


def _flags(given: Given, found: dict[str, object], problems: list[str]) -> None:
    servers = [given.primary] if given.primary else []
    sources = {
        "static": [*servers, *given.replicas],
        "sentinel": list(given.sentinels),
        "cluster": list(given.cluster),
        "catalog": [given.service] if given.service else [],
    }
    asked = [source for source, values in sources.items() if values]
    if len(asked) > 1:
        problems.append(f"command line: {' and '.join(asked)} cannot be the source at once")
        return
    for source in asked:
        found["source"] = source
        if source != "catalog":
            found |= read({"servers": sources[source]}, UPSTREAM, "command line", problems)
    for key in ("service", "store", "master_name"):
        if value := getattr(given, key):
            found[key] = value
    for key in ("admin", "workers"):
        if value := getattr(given, key):
            found |= read({key: value}, OTHERS, "command line", problems)


def _listeners(
    given: Given, environ: Mapping[str, str], document: object, name: str, problems: list[str]
) -> list[Listener]:
    shared: dict[str, object] = {}
    for variable, value in environ.items():
        if variable.startswith(f"{_PREFIX}LISTENER__"):
            key = variable.removeprefix(f"{_PREFIX}LISTENER__").lower()
            shared |= read({key: value}, LISTENER, variable, problems)
    for key in ("mode", "max_lag"):
        if value := getattr(given, key):
            shared |= read({key: value}, LISTENER, "command line", problems)
    if given.listen:
        tables: list[object] = [_asked(word) for word in given.listen]
        where = "command line: --listen"
    else:
        several = document if isinstance(document, list) else [document]
        tables = [] if document is None else several
        where = f"{name}: listeners"
    if not tables:
        tables = [{"bind": "127.0.0.1:6379"}]
    found = []
    for place, table in enumerate(tables):
        own = read(table, LISTENER, f"{where}[{place}]", problems)
        if "bind" not in own:
            problems.append(f"{where}[{place}]: bind is missing")
            continue
        found.append(_listener({**own, **shared, **(own if given.listen else {})}))
    return found


def _asked(word: str) -> dict[str, object]:
    bind, equals, mode = word.rpartition("=")
    return {"bind": bind, "mode": mode} if equals else {"bind": word}


def _listener(values: dict[str, Any]) -> Listener:
    limits = CommandLimits()
    bulk, query = values.pop("max_bulk", limits.bulk), values.pop("max_query", limits.buffer)
    return Listener(**values, limits=CommandLimits(bulk, query))


def _check(found: Mapping[str, Any], listeners: list[Listener], problems: list[str]) -> None:
    source, servers = found.get("source", "static"), found.get("servers", ())
    if source == "catalog":
        if not found.get("service") or not found.get("store"):
            problems.append(
                "upstream: the catalog needs a service and a store (--service, --store)"
            )
    elif not servers:
        flags = {"static": "--primary", "sentinel": "--sentinel", "cluster": "--cluster"}
        problems.append(f"upstream.servers: none; give some, for example by {flags[source]}")
    if source == "sentinel" and not found.get("master_name"):
        problems.append("upstream.master_name: Sentinel needs it (--master-name)")
    if source == "cluster":
        if not found.get("is_multiplexed", True):
            problems.append("upstream.multiplex: clients of a cluster share connections")
        if any(one.cursor == "sticky" for one in listeners):
            problems.append("cursor: scans of a cluster are on primaries")
    if len({listener.bind for listener in listeners}) < len(listeners):
        problems.append("listeners: two have the same address")
    if found.get("workers", 1) > 1 and any(one.scope != "connection" for one in listeners):
        problems.append("session_scope: with several workers it can only be connection")
    if found.get("workers", 1) < 1 or found.get("connections_per_node", 1) < 1:
        problems.append("workers and connections_per_node are at least 1")
