"""The way into this store; kazoo is loaded only when it is asked for.

The ``clock`` is part of every store's opening; here kazoo and the server keep the time.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sidecar.catalog.live import Catalog
from sidecar.errors import ConfigError
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Edge, EdgeOptions, KeyValue, Mirror
from sidecar.stores.zookeeper.location import SCHEME, location

if TYPE_CHECKING:
    from sidecar.stores.zookeeper.client import Client

__all__ = ["SCHEMES", "open_client", "open_edge", "open_keyvalue", "open_mirror"]

SCHEMES: Final = (SCHEME,)
_AUTH: Final = "ZOOKEEPER_AUTH"
_AUTH_FILE: Final = "ZOOKEEPER_AUTH_FILE"
_HINT: Final = f"{_AUTH_FILE} names a file with user:password"

_log = get_logger("zookeeper")


def open_edge(
    url: str,
    options: EdgeOptions,
    *,
    clock: Clock,  # noqa: ARG001 - part of every store's opening
    environ: Mapping[str, str] = os.environ,
) -> Edge:
    """Return the edge of a ``zookeeper://`` URL; raises ConfigError."""
    client = open_client(url, environ)
    if not (environ.get(_AUTH) or environ.get(_AUTH_FILE)):
        _log.warning("entries may be changed by everybody", store=client.location.url, hint=_HINT)
    from sidecar.stores.zookeeper.edge import ZooKeeperEdge  # noqa: PLC0415

    return ZooKeeperEdge(client, options)


def open_mirror(
    url: str,
    catalog: Catalog,
    *,
    clock: Clock,  # noqa: ARG001 - part of every store's opening
    environ: Mapping[str, str] = os.environ,
) -> Mirror:
    """Return the mirror of a ``zookeeper://`` URL; raises ConfigError."""
    client = open_client(url, environ)
    from sidecar.stores.zookeeper.mirror import ZooKeeperMirror  # noqa: PLC0415

    return ZooKeeperMirror(client, catalog)


def open_keyvalue(
    url: str,
    *,
    clock: Clock,  # noqa: ARG001 - part of every store's opening
    environ: Mapping[str, str] = os.environ,
) -> KeyValue:
    """Return the keys below a ``zookeeper://`` URL; raises ConfigError."""
    client = open_client(url, environ)
    from sidecar.stores.zookeeper.keyvalue import ZooKeeperKeyValue  # noqa: PLC0415

    return ZooKeeperKeyValue(client)


def open_client(
    url: str, environ: Mapping[str, str] = os.environ, *, session: float | None = None
) -> "Client":
    """Return a client of a ``zookeeper://`` URL with a session of so long; raises ConfigError."""
    place = location(url)
    try:
        from sidecar.stores.zookeeper.client import Client  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError([f"{SCHEME}: needs kazoo: install pinnace[zookeeper]"]) from error
    credentials = _credentials(environ)
    return (
        Client(place, credentials)
        if session is None
        else Client(place, credentials, session=session)
    )


def _credentials(environ: Mapping[str, str]) -> Callable[[], str]:
    """Return a reader of ``user:password``: a file, read at each start, before a variable."""
    file, text = environ.get(_AUTH_FILE, ""), environ.get(_AUTH, "")
    if file:
        return lambda: Path(file).read_text(encoding="utf-8").strip()
    return lambda: text
