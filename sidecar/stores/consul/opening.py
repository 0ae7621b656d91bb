"""What there is for the URLs of Consul: ``consul://``, ``consulkv://`` and their kin."""

import os
from collections.abc import Mapping

from sidecar.catalog.live import Catalog
from sidecar.runtime.clock import Clock
from sidecar.stores.base import Edge, EdgeOptions, KeyValue, Mirror
from sidecar.stores.consul.address import KEY_SCHEMES, address_of
from sidecar.stores.consul.client import Client

__all__ = ["open_edge", "open_keyvalue", "open_mirror"]


def open_edge(
    url: str, options: EdgeOptions, *, clock: Clock, environ: Mapping[str, str] = os.environ
) -> Edge:
    """Return the edge that a URL means. Raises ConfigError."""
    client = Client(address_of(url, environ))
    if _keeps_keys(url):
        from sidecar.stores.consul.key_edge import ConsulKeyEdge  # noqa: PLC0415

        return ConsulKeyEdge(client, options, clock=clock)
    from sidecar.stores.consul.edge import ConsulEdge  # noqa: PLC0415

    return ConsulEdge(client, options, clock=clock)


def open_mirror(
    url: str, catalog: Catalog, *, clock: Clock, environ: Mapping[str, str] = os.environ
) -> Mirror:
    """Return what fills a catalogue from the store that a URL means. Raises ConfigError."""
    client = Client(address_of(url, environ))
    if _keeps_keys(url):
        from sidecar.stores.consul.key_mirror import ConsulKeyMirror  # noqa: PLC0415

        return ConsulKeyMirror(client, catalog, clock=clock)
    from sidecar.stores.consul.mirror import ConsulMirror  # noqa: PLC0415

    return ConsulMirror(client, catalog, clock=clock)


def open_keyvalue(url: str, *, clock: Clock, environ: Mapping[str, str] = os.environ) -> KeyValue:
    """Return the keys of the agent that a URL means. Raises ConfigError."""
    from sidecar.stores.consul.keyvalue import ConsulKeyValue  # noqa: PLC0415

    return ConsulKeyValue(Client(address_of(url, environ)), clock=clock)


def _keeps_keys(url: str) -> bool:
    return url.partition("://")[0] in KEY_SCHEMES
