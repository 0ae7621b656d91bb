"""The parts of an etcd that a URL means; ``sidecar.stores.opening`` comes here by its scheme."""

import os
from collections.abc import Mapping

from sidecar.catalog.live import Catalog
from sidecar.runtime.clock import Clock
from sidecar.stores.base import EdgeOptions
from sidecar.stores.etcd.address import SCHEMES, address_of
from sidecar.stores.etcd.edge import EtcdEdge
from sidecar.stores.etcd.keyvalue import EtcdKeyValue
from sidecar.stores.etcd.mirror import EtcdMirror

__all__ = ["SCHEMES", "open_edge", "open_keyvalue", "open_mirror"]


def open_edge(
    url: str, options: EdgeOptions, *, clock: Clock, environ: Mapping[str, str] = os.environ
) -> EtcdEdge:
    """Return an edge on the path (the domain) that the URL names. Raises ConfigError."""
    return EtcdEdge(address_of(url, environ), options, clock=clock)


def open_mirror(
    url: str, catalog: Catalog, *, clock: Clock, environ: Mapping[str, str] = os.environ
) -> EtcdMirror:
    """Return a mirror of what stands below that path. Raises ConfigError."""
    return EtcdMirror(address_of(url, environ), catalog, clock=clock)


def open_keyvalue(
    url: str, *, clock: Clock, environ: Mapping[str, str] = os.environ
) -> EtcdKeyValue:
    """Return the keys of the store, whatever path the URL names. Raises ConfigError."""
    return EtcdKeyValue(address_of(url, environ), clock=clock)
