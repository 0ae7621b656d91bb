"""What all hosts have written to ZooKeeper, as the catalogue of this process."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from sidecar.catalog.changes import diff
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, Node, Snapshot, key_of
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.log import get_logger
from sidecar.runtime.signal import Signal
from sidecar.stores.zookeeper.answers import Read
from sidecar.stores.zookeeper.client import Client
from sidecar.stores.zookeeper.codec import decoded
from sidecar.stores.zookeeper.tree import Tree

__all__ = ["ZooKeeperMirror"]

_log = get_logger("zookeeper")
_DEPTH: Final = 2  # <base>/<service>/<endpoint>


class ZooKeeperMirror:
    """Component: keeps the catalogue equal to what is below the base path."""

    name = "zookeeper mirror"

    def __init__(self, client: Client, catalog: Catalog) -> None:
        """Prepare; nothing is sent yet."""
        self._client = client
        self._catalog = catalog
        self._stirred = Signal()
        self._tree = Tree(client, client.location.base, self._stirred.fire, _DEPTH)
        self._known: dict[str, tuple[Read, Instance | None]] = {}
        self._denied: str | None = None

    def trouble(self) -> str | None:
        """Return what keeps the mirror from its store, or None."""
        return self._denied or self._client.trouble()

    async def run(self, ready: Callable[[], None]) -> None:
        """Follow the store; ready after the first full read."""
        backoff = Backoff(0.1, 1.0)
        try:
            while True:
                try:
                    await self._tree.read()
                except (StoreUnavailable, StoreDenied) as error:  # the catalogue stays
                    self._denied = str(error) if isinstance(error, StoreDenied) else None
                    await self._client.pause(backoff.next())
                    continue
                backoff.reset()
                self._denied = None
                self._commit()
                ready()
                while not self._tree.is_stirred:
                    await self._stirred.wait()
        finally:
            await self._client.close()

    def _commit(self) -> None:
        instances = list(self._instances())
        held = self._catalog.snapshot
        here = Snapshot(services=held.services, nodes=held.nodes)
        there = Snapshot(services=_by_service(instances), nodes=_nodes(instances))
        self._catalog.commit(diff(here, there))
        self._catalog.mark_synced()

    def _instances(self) -> Iterator[Instance]:
        """Yield what can be read; say once of each entry why it cannot."""
        known, self._known = self._known, {}
        for name, read in self._tree.data.items():
            before = known.get(name)
            if before is None or before[0].held.data != read.held.data:
                before = read, self._decoded(name, read)
            self._known[name] = before
            if before[1] is not None:
                yield before[1]

    def _decoded(self, name: str, read: Read) -> Instance | None:
        service, _, leaf = name.partition("/")
        try:
            return decoded(service, leaf, read.held.data)
        except ValueError as error:
            _log.warning("entry left out", path=name, reason=error)
            return None


def _by_service(instances: Iterable[Instance]) -> dict[str, tuple[Instance, ...]]:
    found: dict[str, list[Instance]] = {}
    for each in sorted(instances, key=key_of):
        found.setdefault(each.service, []).append(each)
    return {service: tuple(members) for service, members in found.items()}


def _nodes(instances: Iterable[Instance]) -> dict[str, Node]:
    return {each.node: Node(name=each.node, address=each.address) for each in instances}
