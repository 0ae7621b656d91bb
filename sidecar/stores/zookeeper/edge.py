"""ZooKeeper as Registrator uses it: an ephemeral node for each endpoint, for other programs.

Entries live as long as our session; when it runs out, or somebody removes one, ``disturbed``
returns. Beside them, below ``/pinnace-owners``, an ephemeral node says whose session this is:
so the next process of the same owner knows what the last one left in its final seconds.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final
from urllib.parse import quote

from sidecar.catalog.model import Instance, InstanceId, Key
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.component import Component
from sidecar.runtime.signal import Signal
from sidecar.stores.base import EdgeOptions, Holder
from sidecar.stores.zookeeper.answers import Fault, Read
from sidecar.stores.zookeeper.client import Client
from sidecar.stores.zookeeper.codec import Place, unfit
from sidecar.stores.zookeeper.layout import Layout
from sidecar.stores.zookeeper.nodes import Nodes
from sidecar.stores.zookeeper.steps import Held

__all__ = ["ZooKeeperEdge"]

_MARKS: Final = "/pinnace-owners"


class ZooKeeperEdge:
    """The entries of one host; the session is the lease."""

    def __init__(self, client: Client, options: EdgeOptions) -> None:
        """Prepare; nothing is sent yet. ``ttl`` and ``refresh`` mean nothing to a session."""
        self._client = client
        self._options = options
        self._nodes = Nodes(client)
        self._layout = Layout(is_original=options.is_original)
        self._unsettled: set[Place] = set()
        self._stood: dict[Place, Key] = {}
        self._leftovers: dict[tuple[str, str], Place] = {}
        self._marked = (0, "")
        self._guard = _Guard(client, self._nodes, self._layout)

    @property
    def url(self) -> str:
        """The servers and the base path."""
        return self._client.location.url

    @property
    def components(self) -> tuple[Component, ...]:
        """What watches the entries."""
        return (self._guard,)

    async def ping(self) -> None:
        """Return when a server answers."""
        await self._client.run([self._client.exists("/")])

    async def write(self, wanted: Mapping[Key, Instance | None]) -> Mapping[Key, str]:
        """Make each of these entries what is wanted (``Edge.write``)."""
        refused = {
            key: why for key, each in wanted.items() if each is not None and (why := unfit(each))
        }
        fit = {key: None if key in refused else each for key, each in wanted.items()}
        async with self._nodes.lock:
            self._unsettled |= self._left(fit)
            self._unsettled |= self._layout.change(fit)
            targets = self._layout.targets(self._unsettled, self._nodes.made)
            nodes = {at: node for at, node in targets.items() if node is not None}
            data = {at: nodes[at].data if at in nodes else None for at in targets}
            await self._mark(fit.values())
            troubled = await self._nodes.bring(data)
            services = {service for service, _ in targets}
            await self._nodes.tidy([each for each in services if self._layout.is_empty(each)])
            self._unsettled.clear()
            self._note(targets.keys(), {at: node.key for at, node in nodes.items()})
        return refused | {nodes[at].key: why for at, why in troubled.items() if at in nodes}

    def _left(self, keys: Iterable[Key]) -> set[Place]:
        """Return where entries of these keys stand or were found, wanted there or not."""
        names = {(key.service, key.id) for key in keys}
        left = {at for at, key in self._stood.items() if (key.service, key.id) in names}
        return left | {self._leftovers.pop(name) for name in names & self._leftovers.keys()}

    def _note(self, touched: Collection[Place], stands: Mapping[Place, Key]) -> None:
        """Remember who stands where, and watch it."""
        for at in touched:
            self._stood.pop(at, None)
        self._stood |= stands
        self._guard.look_at(stands)

    async def audit(self, desired: Mapping[Key, Instance], holder: Holder) -> frozenset[Key]:
        """Compare what is desired with what is there (``Edge.audit``)."""
        wanted = {key: each for key, each in desired.items() if unfit(each) is None}
        nodes = Layout(wanted, is_original=self._options.is_original).nodes()
        async with self._nodes.lock:
            self._nodes.earlier = await self._earlier_sessions(holder)
            await self._nodes.read({*nodes, *self._nodes.made}, self._guard.watch)
            wrong = {
                node.key for at, node in nodes.items() if not self._nodes.is_right(at, node.data)
            }
            left = {
                at
                for at in self._nodes.made - nodes.keys()
                if isinstance(held := self._nodes.actual(at), Held)
                and held.session == self._client.session
            }
            if self._nodes.earlier:
                left |= await self._left_by(self._nodes.earlier) - nodes.keys()
            keys = {self._stood.get(at) or _key(at, holder): at for at in left}
            self._leftovers = {(key.service, key.id): at for key, at in keys.items()}
            self._guard.is_disturbed = False
        return frozenset(wrong | keys.keys())

    def let_go(self, keys: Iterable[Key]) -> None:
        """Leave these to the session's end: nobody writes them again."""
        self._layout.change(dict.fromkeys(keys))

    async def disturbed(self) -> None:
        """Return when entries were removed or changed by another, or the session is new."""
        await self._guard.disturbed()

    def trouble(self) -> str | None:
        """Return what keeps the edge from its store, or None."""
        return self._client.trouble()

    async def close(self) -> None:
        """Hang up; entries stay until the session runs out."""
        await self._client.close()

    async def _mark(self, instances: Iterable[Instance | None]) -> None:
        """Say whose session this is; where that is not allowed, go on without."""
        owner = next((each.owner for each in instances if each is not None and each.owner), "")
        await self._client.connect()
        mark = (self._client.session, owner)
        if self._options.is_marked and owner and mark != self._marked:
            name = f"{_MARKS}/{_mark_of(owner)}{_hex(self._client.session)}"
            create = self._client.create
            await self._client.run([create(_MARKS), create(name, ephemeral=True)])
            self._marked = mark

    async def _earlier_sessions(self, holder: Holder) -> frozenset[int]:
        if not self._options.is_marked:
            return frozenset()
        (names,) = await self._client.run([self._client.children(_MARKS)])
        if isinstance(names, Fault):
            return frozenset()
        mark = _mark_of(holder.owner)
        sessions = {name.removeprefix(mark) for name in names if name.startswith(mark)}
        return frozenset(map(_session, sessions)) - {self._client.session, 0}

    async def _left_by(self, sessions: frozenset[int]) -> set[Place]:
        """Look through all entries of all hosts for those of these sessions."""
        run, path = self._client.run, self._nodes.path
        (services,) = await run([self._client.children(path())])
        if isinstance(services, Fault):
            return set()
        found = await run([self._client.children(path(each)) for each in services])
        places = [
            (service, leaf)
            for service, leaves in zip(services, found, strict=True)
            if not isinstance(leaves, Fault)
            for leaf in leaves
        ]
        reads = await run([self._client.get(path(*at)) for at in places])
        return {
            at
            for at, read in zip(places, reads, strict=True)
            if isinstance(read, Read) and read.held.session in sessions
        }


class _Guard:
    """Component: watches the entries and says when one is not as it should be."""

    name = "zookeeper edge"

    def __init__(self, client: Client, nodes: Nodes, layout: Layout) -> None:
        self.is_disturbed = False
        self._client = client
        self._nodes = nodes
        self._layout = layout
        self._dirty: set[Place] = set()
        self._stirred = Signal()
        self._disturbed = Signal()
        self.watch = client.watch(lambda path: self.look_at([nodes.place(path)]))
        client.on_turn.append(lambda: self.look_at(layout.nodes()))

    def look_at(self, places: Iterable[Place]) -> None:
        """Look at these soon, and watch them from then on."""
        self._dirty.update(places)
        self._stirred.fire()

    async def disturbed(self) -> None:
        while not self.is_disturbed:
            await self._disturbed.wait()
        self.is_disturbed = False

    async def run(self, ready: Callable[[], None]) -> None:
        """Look at what was stirred, for ever."""
        ready()
        backoff = Backoff(0.1, 1.0)
        while True:
            while not self._dirty:
                await self._stirred.wait()
            try:
                await self._look()
            except (StoreUnavailable, StoreDenied):  # the connection tells of itself
                await self._client.pause(backoff.next())
            else:
                backoff.reset()

    async def _look(self) -> None:
        async with self._nodes.lock:
            nodes = self._layout.nodes()
            places = self._dirty & nodes.keys()
            self._dirty.clear()  # what is stirred while we look is looked at again
            try:
                await self._nodes.read(places, self.watch)
            except BaseException:
                self._dirty |= places
                raise
            if all(self._nodes.is_right(at, nodes[at].data) for at in places):
                return
        self.is_disturbed = True
        self._disturbed.fire()


_64: Final = 1 << 64


def _mark_of(owner: str) -> str:
    return f"{quote(owner, safe='')}@"


def _hex(session: int) -> str:
    return f"{session % _64:016x}"


def _session(text: str) -> int:
    """Return a session's number, signed as ZooKeeper's clients read it; 0 for garbage."""
    try:
        number = int(text, 16)
    except ValueError:
        return 0
    return number - _64 if number >= _64 // 2 else number


def _key(at: Place, holder: Holder) -> Key:
    """Return a key for an entry of which nothing else is known."""
    return Key(at[0], holder.node, InstanceId(at[1]))
