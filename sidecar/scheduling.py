"""The scheduler's parts put together, for ``pinnace up`` and ``pinnace scheduler``."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sidecar.config.model import SchedulerSettings, Settings
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
from sidecar.scheduler.nodes.node import NodeSettings
from sidecar.scheduler.nodes.settings import merged, settings_of
from sidecar.scheduler.orders import Orders
from sidecar.scheduler.scaling import Scaling
from sidecar.scheduler.serving import panels
from sidecar.scheduler.sources.reading import Reading
from sidecar.scheduler.sources.web import Web
from sidecar.scheduler.stash import Stash
from sidecar.stores.base import KeyValue

__all__ = ["Scheduling", "nodes_of", "scheduled"]

_MARGIN = 1.0


def nodes_of(settings: SchedulerSettings) -> list[NodeSettings]:
    """Return the nodes of a file, or of all files of a folder. Blocks. Raises ConfigError."""
    if not settings.nodes:
        return []
    path = Path(settings.nodes)
    found = [path]
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.suffix in {".toml", ".json"})
    return merged(settings_of(_text(each), str(each)) for each in found)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: this is no UTF-8 at byte {error.start}"]) from None


def _link(host: Host, settings: SchedulerSettings, clock: Clock, stack: AsyncExitStack) -> Link:
    files = host.settings.files
    tls = None
    if files is not None:
        tls = Tls(files.ca, files.cert, files.key, files.is_verified)
    operations = Operations(host.settings.endpoint, tls=tls)
    stack.push_async_callback(operations.close)
    return Link(host.settings, host.engine, operations, clock=clock, times=settings)


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
    hosts: Sequence[Host],
    keys: KeyValue,
    *,
    clock: Clock,
    stack: AsyncExitStack,
    balancer: Balancer | None,
    shared: KeyValue | None,
    health: Callable[[], Mapping[str, Health]],
) -> Scheduling:
    """Return the scheduler; ``shared`` is a store that other hosts have too, if there is one."""
    given = settings.scheduler
    if shared is None and not settings.store.state_dir:
        stash = Stash(keys, _state_file(settings, os.environ))
        await stash.restore()
        keys = stash
    journal = Journal(clock.wall)
    control = Control(keys, journal, lost_after=given.down_after)
    orders = Orders(control, clock.wall)
    fleet = Fleet({host.settings.name: host for host in hosts}, clock, balancer=balancer)
    state = Path(settings.store.state_dir) if settings.store.state_dir else None
    url = given.election or (None if shared is None else settings.store.url)
    if url is None and state is None:  # another engine of this host has a scheduler of its own
        url = f"file://{_state_file(settings, os.environ).with_suffix('.lock').absolute()}"
    election = await asyncio.to_thread(
        open_election, url, settings.registrar.node, ttl=given.lease, state_dir=state
    )
    policy = Policy(seed=given.seed, domain=given.failure_domain)
    links = [_link(host, given, clock, stack) for host in hosts]
    scheduler = Scheduler(
        links,
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
    engines = {link.name: link.operations for link in links}
    autoscaler = Autoscaler(
        Scaling(control, orders),
        election,
        Reading(engines.get, fleet, shared or keys, web, clock),
        clock=clock,
    )
    parts: list[Component] = [control, fleet, scheduler, autoscaler, *doors]
    if given.stack:
        path = Path(given.stack)
        await asyncio.to_thread(_check, path)
        parts.insert(1, StackFile(path, control, orders, clock=clock, environ=dict(os.environ)))
    return Scheduling(tuple(parts), control, orders, journal)
