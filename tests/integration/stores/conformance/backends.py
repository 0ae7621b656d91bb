"""The stores that the suite runs on: one module with a Backend and one line here each."""

import os
from collections.abc import Callable

from tests.integration.stores.conformance.backend import Backend
from tests.integration.stores.conformance.consul import (
    ConsulBackend,
    ConsulKeyBackend,
    OurConsulBackend,
)
from tests.integration.stores.conformance.etcd import EtcdBackend, LegacyBackend, SkydnsBackend
from tests.integration.stores.conformance.memory import MemoryBackend
from tests.integration.stores.conformance.zookeeper import ZooKeeperBackend

__all__ = ["BACKENDS", "VARIANTS"]

BACKENDS: dict[str, Callable[[], Backend]] = {
    "memory": MemoryBackend,
    "consul": ConsulBackend,
    "consulkv": ConsulKeyBackend,
    "etcd": EtcdBackend,
    "etcd2": LegacyBackend,
    "skydns2": SkydnsBackend,
    "zookeeper": ZooKeeperBackend,
}
if os.environ.get("PINNACE_TESTS_STORES"):  # takes half a minute more
    BACKENDS["pinnace"] = OurConsulBackend

VARIANTS = frozenset({"skydns2"})
"""Those that differ from another only in what stands under a key: not tried in its faults again."""
