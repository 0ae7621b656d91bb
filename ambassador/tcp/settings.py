"""Settings of the TCP ambassador. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ambassador.frame.address import Address
from ambassador.frame.balance import POLICIES
from ambassador.frame.fields import (
    Field,
    Place,
    address,
    choice,
    integer,
    listen_address,
    read,
    seconds,
    several,
    text,
)  # fmt: skip
from ambassador.frame.tls import TlsClient
from sidecar.errors import ConfigError

__all__ = ["TcpSettings", "settings_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSettings:
    """What is served and how."""

    listen: tuple[Address, ...]
    service: str = ""
    store: str = ""
    servers: tuple[Address, ...] = ()
    balance: str = "sticky"  # fewest connections first
    connect_timeout: float = 1.0
    idle: float = 0.0  # seconds without a byte either way until a connection is ended; 0: never
    max_clients: int = 10000
    probe: float = 0.0  # seconds between tries to connect to each instance; 0: only clients try
    tls: TlsClient | None = None
    admin: Address | None = None


def settings_of(given: Mapping[str, object]) -> TcpSettings:
    """Return the settings of a command line. Raises ConfigError with every mistake."""
    problems: list[str] = []
    asked = {key: value for key, value in given.items() if value}
    found = read(asked, _FIELDS, Place("command line"), problems)
    found.setdefault("listen", ())
    if not problems and not found["listen"]:
        problems.append("command line: --listen is missing")
    if ("service" in asked) == ("servers" in asked):
        problems.append("command line: give either --service, with --store, or --server")
    elif ("service" in asked) != ("store" in asked):
        problems.append("command line: --service and --store need each other")
    if problems:
        raise ConfigError(problems)
    return TcpSettings(**found)  # type: ignore[arg-type]


_FIELDS: Final[Mapping[str, tuple[str, Field]]] = {
    "listen": ("listen", several(listen_address)),
    "service": ("service", text),
    "store": ("store", text),
    "servers": ("servers", several(address)),
    "balance": ("balance", choice(*POLICIES)),
    "idle": ("idle", seconds),
    "max_clients": ("max_clients", integer),
    "probe": ("probe", seconds),
    "admin": ("admin", listen_address),
}
