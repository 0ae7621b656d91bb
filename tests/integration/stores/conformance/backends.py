"""The stores that the suite runs on: one module with a Backend and one line here each."""

from collections.abc import Callable

from tests.integration.stores.conformance.backend import Backend
from tests.integration.stores.conformance.etcd import EtcdBackend, LegacyBackend, SkydnsBackend
from tests.integration.stores.conformance.memory import MemoryBackend
from tests.integration.stores.conformance.zookeeper import ZooKeeperBackend

__all__ = ["BACKENDS", "VARIANTS"]

BACKENDS: dict[str, Callable[[], Backend]] = {
    "memory": MemoryBackend,
    "etcd": EtcdBackend,
    "etcd2": LegacyBackend,
    "skydns2": SkydnsBackend,
    "zookeeper": ZooKeeperBackend,
}

VARIANTS = frozenset({"skydns2"})
"""Those that differ from another only in what stands under a key: not tried in its faults again."""
