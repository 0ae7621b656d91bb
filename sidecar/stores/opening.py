"""The store that a URL means. A store's own modules are imported when its scheme is asked for."""

import os
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Final, cast

from sidecar.catalog.live import Catalog
from sidecar.errors import ConfigError
from sidecar.runtime.clock import Clock
from sidecar.stores.base import Edge, EdgeOptions, KeyValue, Mirror

__all__ = ["SCHEMES", "open_edge", "open_keyvalue", "open_mirror"]

SCHEMES: Final[Mapping[str, str]] = {
    "consul": "consul",
    "consul-tls": "consul",
    "consul-unix": "consul",
    "consulkv": "consul",
    "consulkv-tls": "consul",
    "consulkv-unix": "consul",
    "etcd": "etcd",
    "etcds": "etcd",
    "etcd2": "etcd",
    "etcd2s": "etcd",
    "skydns2": "etcd",
    "skydns2s": "etcd",
    "zookeeper": "zookeeper",
}
"""Scheme to the package below this one that knows it."""


def open_edge(
    url: str, options: EdgeOptions, *, clock: Clock, environ: Mapping[str, str] = os.environ
) -> Edge:
    """Return an edge, for a registrar. Raises ConfigError."""
    edge = _package(url).open_edge(url, options, clock=clock, environ=environ)
    return cast("Edge", edge)


def open_mirror(
    url: str, catalog: Catalog, *, clock: Clock, environ: Mapping[str, str] = os.environ
) -> Mirror:
    """Return the component that fills a catalogue from the store. Raises ConfigError."""
    mirror = _package(url).open_mirror(url, catalog, clock=clock, environ=environ)
    return cast("Mirror", mirror)


def open_keyvalue(url: str, *, clock: Clock, environ: Mapping[str, str] = os.environ) -> KeyValue:
    """Return the store's keys. Raises ConfigError."""
    keys = _package(url).open_keyvalue(url, clock=clock, environ=environ)
    return cast("KeyValue", keys)


def _package(url: str) -> ModuleType:
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        # Without a scheme the text may be a token put in the wrong place: it is not shown.
        what = f"{scheme}://" if separator else "this"
        raise ConfigError([f"store: {what} is not the URL of a known store ({known})"])
    try:
        return import_module(f"sidecar.stores.{SCHEMES[scheme]}.opening")
    except ModuleNotFoundError as error:
        raise ConfigError(
            [f"store: {scheme}:// needs {error.name}, which is not installed"]
        ) from error
