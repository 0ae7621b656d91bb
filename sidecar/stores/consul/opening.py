"""What there is for the URLs of Consul: ``consul://``, ``consulkv://`` and their kin."""

import os
from collections.abc import Mapping

from sidecar.runtime.clock import Clock
from sidecar.stores.base import Edge, EdgeOptions
from sidecar.stores.consul.address import address_of
from sidecar.stores.consul.client import Client

__all__ = ["open_edge"]


def open_edge(
    url: str, options: EdgeOptions, *, clock: Clock, environ: Mapping[str, str] = os.environ
) -> Edge:
    """Return the edge that a URL means. Raises ConfigError."""
    address = address_of(url, environ)
    from sidecar.stores.consul.edge import ConsulEdge  # noqa: PLC0415

    return ConsulEdge(Client(address), options, clock=clock)
