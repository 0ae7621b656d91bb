"""What the conformance suite asks of a store under test.

A backend runs one real store on loopback, for the whole session when that is slow to start, and
looks into it by a way that is not ours: the store's own client or plain HTTP. It also states, on
its own, what the store must hold for an instance; the suite compares the two.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Protocol, Self

from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance
from sidecar.stores.base import Edge, EdgeOptions, Mirror

__all__ = ["Backend"]


class Backend(Protocol):
    """One store. Entered once, at its first test; ``fresh`` comes before each test.

    ``carries`` says what a reader gets back besides service, address and port: any of "tags",
    "meta", "id", "node", "draining".
    """

    carries: frozenset[str]

    def __enter__(self) -> Self:
        """Prepare, or skip (fail where CI is set) when the store cannot be had."""

    def __exit__(self, *_: object) -> None:
        """Leave no process and no file behind."""

    # --- the process ---------------------------------------------------------------------------

    async def fresh(self) -> None:
        """Return with the store running, thawed and empty, whatever the last test did to it."""

    async def start(self) -> None:
        """Start it again on its data and its old address; return when it answers."""

    async def stop(self) -> None:
        """End it as an administrator does; its data stay."""

    async def kill(self) -> None:
        """End it as ``kill -9`` does; its data stay."""

    async def wipe(self) -> None:
        """Kill it and start it at the same address with no data."""

    async def freeze(self) -> None:
        """Stop it by SIGSTOP: connections stay open, nothing answers."""

    async def thaw(self) -> None:
        """Let it go on by SIGCONT."""

    # --- our side ------------------------------------------------------------------------------

    def edge(
        self, options: EdgeOptions | None = None, *, host: str = "127.0.0.1", secret: str = ""
    ) -> Edge:
        """Return an edge on the store, not yet running.

        ``host`` is the name or address in its URL, ``secret`` a credential it is given as users
        give theirs; the store need not ask for one.
        """

    def mirror(self, catalog: Catalog) -> Mirror:
        """Return a mirror of the store, not yet running."""

    # --- the other way in ----------------------------------------------------------------------

    async def raw(self) -> Mapping[str, str]:
        """Return what a reader of the entries finds: key and content, as text, without marks."""

    async def revision(self) -> Hashable:
        """Return what differs after any write to the entries, even of the same content."""

    def expected(self, instances: Iterable[Instance]) -> Mapping[str, str]:
        """Return what ``raw`` must be when exactly these are written (draining ones included)."""

    async def put_foreign(self, instance: Instance) -> None:
        """Write this as a program does that leaves no marks and is not ours."""

    async def spoil(self, instance: Instance) -> None:
        """Change by hand what the store holds for this instance."""

    async def remove(self, instance: Instance) -> None:
        """Remove by hand what the store holds for this instance."""

    async def put_garbage(self) -> bool:
        """Write entries that mean nothing; False when the store takes none."""

    def refused(self) -> Instance | None:
        """Return an instance that the store refuses for itself, or None when it takes all."""
