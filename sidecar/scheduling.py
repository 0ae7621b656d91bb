"""The scheduler's parts put together, for ``pinnace up`` and ``pinnace scheduler``."""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sidecar.config.model import SchedulerSettings, Settings
from sidecar.config.text import text_of
from sidecar.engine.connection import Tls
from sidecar.engine.operations import Operations
from sidecar.errors import ConfigError
from sidecar.fleet import Balancer, Fleet
from sidecar.hosts import Host
from sidecar.runtime.clock import Clock, LeaseClock
from sidecar.runtime.component import Component, Health
from sidecar.scheduler.autoscaler import Autoscaler
from sidecar.scheduler.component import Scheduler
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.control import Control
from sidecar.scheduler.election.opening import open_election
from sidecar.scheduler.fencer import Fencer
from sidecar.scheduler.files import StackFile, gather
from sidecar.scheduler.journal import Journal
from sidecar.scheduler.model import Policy
from sidecar.scheduler.nodes.link import Link
from sidecar.scheduler.nodes.links import Links
from sidecar.scheduler.nodes.node import NodeSettings
from sidecar.scheduler.nodes.settings import merged, settings_of
from sidecar.scheduler.orders import Orders
from sidecar.scheduler.scaling import Scaling
from sidecar.scheduler.serving import panels
from sidecar.scheduler.sources.reading import Reading
from sidecar.scheduler.sources.web import Web
from sidecar.scheduler.stash import Stash
from sidecar.stores.base import KeyValue

if TYPE_CHECKING:
    from sidecar.roster import Roster

__all__ = ["STORE", "Nodes", "Scheduling", "nodes_of", "scheduled"]

STORE: Final = "store:"
"""In the list of nodes: those that register themselves in the store."""

_MARGIN = 1.0


def nodes_of(settings: SchedulerSettings) -> list[NodeSettings]:
    """Return the nodes of files, and of all files of folders. Blocks. Raises ConfigError."""
    found: list[Path] = []
    for word in filter(None, settings.nodes.split(",")):
        path = Path(word)
        if word != STORE and path.is_dir():
            found += sorted(each for each in path.iterdir() if each.suffix in {".toml", ".json"})
        elif word != STORE:
            found.append(path)
    return merged(settings_of(text_of(each), str(each)) for each in found)


class Nodes:
    """``sidecar.roster.Follower``: a link of each host; ``close`` ends their connections."""

    def __init__(
        self,
        hosts: Iterable[Host],
        settings: SchedulerSettings,
        clock: Clock,
        is_complete: Callable[[], bool],
    ) -> None:
        """Join these hosts first."""
        self._settings = settings
        self._clock = clock
        self._used: list[Operations] = []
        self.links = Links((), is_complete=is_complete)
        for host in hosts:
            self.join(host)

    def join(self, host: Host) -> None:
        """Take one more."""
        files = host.settings.files
        tls = None
        if files is not None:
            tls = Tls(files.ca, files.cert, files.key, files.is_verified)
        operations = Operations(host.settings.endpoint, tls=tls)
        self._used.append(operations)
        self.links.join(
            Link(host.settings, host.engine, operations, clock=self._clock, times=self._settings)
        )

    def leave(self, name: str) -> None:
        """Let one go; what it was asked last is still answered."""
        self.links.leave(name)

    def operations(self, name: str) -> Operations | None:
        """Return how a host's engine is changed."""
        link = self.links.get(name)
        return link.operations if link is not None else None

    async def close(self) -> None:
        """Hang up."""
        for each in self._used:
            await each.close()


def _state_file(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Return where orders are kept for these hosts, if no store keeps them."""
    if settings.scheduler.state:
        return Path(settings.scheduler.state)
    folder = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if not folder and os.geteuid() == 0 and "XDG_STATE_HOME" not in environ:
        folder = "/var/lib/pinnace"
    if not folder:
        home = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME', '/tmp')}/.local/state"  # noqa: S108
        folder = f"{home}/pinnace"
    which = sha256(f"{settings.docker.url} {settings.scheduler.nodes}".encode()).hexdigest()[:12]
    return Path(folder) / f"scheduler-{which}.db"


def _check(path: Path) -> None:
    """Refuse to start with a wrong stack file; later ones are told of and not taken."""
    problems = Problems()
    gather(path, problems, dict(os.environ))
    if problems.errors:
        raise ConfigError([str(each) for each in problems.errors])


@dataclass(frozen=True, slots=True)
class Scheduling:
    """What runs, in the order of its start, and who takes orders."""

    components: tuple[Component, ...]
    control: Control
    orders: Orders
    journal: Journal


async def scheduled(
    settings: Settings,
    hosts: Mapping[str, Host],
    keys: KeyValue,
    *,
    clock: Clock,
    stack: AsyncExitStack,
    balancer: Balancer | None,
    shared: KeyValue | None,
    health: Callable[[], Mapping[str, Health]],
    roster: "Roster | None" = None,
) -> Scheduling:
    """Return the scheduler; ``shared`` is a store that other hosts have too, if there is one.

    ``hosts`` changes in place when ``roster`` is given.
    """
    given = settings.scheduler
    if shared is None and not settings.store.state_dir:
        stash = Stash(keys, _state_file(settings, os.environ))
        await stash.restore()
        keys = stash
    journal = Journal(clock.wall)
    control = Control(keys, journal, lost_after=given.down_after)
    orders = Orders(control, clock.wall)
    fleet = Fleet(hosts, clock, balancer=balancer)
    state = Path(settings.store.state_dir) if settings.store.state_dir else None
    url = given.election or (None if shared is None else settings.store.url)
    if url is None and state is None:  # another engine of this host has a scheduler of its own
        url = f"file://{_state_file(settings, os.environ).with_suffix('.lock').absolute()}"
    election = await asyncio.to_thread(
        open_election, url, settings.registrar.node, ttl=given.lease, state_dir=state
    )
    policy = Policy(seed=given.seed, domain=given.failure_domain)
    nodes = Nodes(hosts.values(), given, clock, lambda: roster is None or roster.is_complete)
    stack.push_async_callback(nodes.close)
    if roster is not None:
        roster.followers.append(nodes)
    scheduler = Scheduler(
        nodes.links,
        control,
        election,
        fleet,
        fencer=Fencer(
            shared, margin=_MARGIN, clock=LeaseClock(), hook=given.fence, environ=os.environ
        ),
        journal=journal,
        clock=clock,
        policy=policy,
    )
    doors = await asyncio.to_thread(
        panels, given, control, orders, journal,
        leads=lambda: election.epoch is not None, health=health, environ=os.environ,
        policy=policy,
    )  # fmt: skip
    web = Web()
    stack.push_async_callback(web.close)
    autoscaler = Autoscaler(
        Scaling(control, orders),
        election,
        Reading(nodes.operations, fleet, shared or keys, web, clock),
        clock=clock,
    )
    parts: list[Component] = [control, fleet, scheduler, autoscaler, *doors]
    if given.stack:
        path = Path(given.stack)
        await asyncio.to_thread(_check, path)
        parts.insert(1, StackFile(path, control, orders, clock=clock, environ=dict(os.environ)))
    return Scheduling(tuple(parts), control, orders, journal)
