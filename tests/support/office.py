"""The scheduler's control and API without Docker: a simulated cluster does what it wants."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from sidecar.catalog.live import Catalog
from sidecar.config.model import SchedulerSettings
from sidecar.scheduler.cli import main
from sidecar.scheduler.control import Control
from sidecar.scheduler.journal import Journal
from sidecar.scheduler.model import NANO, NodeView, Resources
from sidecar.scheduler.orders import Orders
from sidecar.scheduler.serving import panels
from sidecar.scheduler.simulation import Simulation
from sidecar.stores.base import KeyValue
from sidecar.stores.embedded import EmbeddedStore

__all__ = ["NODES", "STACK", "Office", "Ran", "office", "ran"]

_NONE: Mapping[str, str] = {}
NODES = [NodeView(name=f"n{n}", capacity=Resources(4 * NANO, 4 << 30)) for n in (1, 2, 3)]
STACK = """
name: shop
services:
  web: {image: nginx, deploy: {replicas: 2, update_config: {monitor: 1s}}, x-pinnace: {drain: 1s}}
  db: {image: postgres, volumes: ["data:/data"]}
volumes: {data: }
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command said."""

    status: int
    out: str
    err: str


class Office:
    """A control with its API, and a world that it rules."""

    def __init__(self, keys: KeyValue, folder: Path, settings: SchedulerSettings) -> None:
        self.keys = keys
        self.folder = folder
        self.settings = settings
        self.wall = 1_700_000_000.0
        self.journal = Journal(lambda: self.wall)
        self.control = Control(keys, self.journal)
        self.orders = Orders(self.control, lambda: self.wall)
        self.world = Simulation(NODES, [])
        self.leads = True
        self.befall: Callable[[Simulation], None] = lambda _: None

    def look(self) -> None:
        """Let the scheduler look once, and a second pass."""
        cluster = self.world.cluster()
        self.world.goals = list(self.control.goals(cluster))
        found = self.world.look()
        self.control.looked(cluster, found, self.world.now)
        self.befall(self.world)
        self.world.turn(1.0)

    async def live(self) -> None:
        """Look again and again."""
        while True:
            self.look()
            await asyncio.sleep(0.002)

    async def run(self, *words: str) -> Ran:
        """Run a command of ``pinnace`` against it."""
        program, *arguments = words
        access = ("--api", self.settings.api) if program != "why" or arguments else ()
        return await asyncio.to_thread(ran, program, [*arguments, *access])

    def write(self, text: str, name: str = "compose.yaml") -> str:
        """Write a stack file; return its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)


def ran(program: str, arguments: list[str]) -> Ran:
    """Run a command in this thread."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main(program, arguments)
        except SystemExit as stop:
            status = int(str(stop.code))
    return Ran(status, out.getvalue(), err.getvalue())


@asynccontextmanager
async def office(
    folder: Path,
    settings: Mapping[str, str] = _NONE,
    *,
    keys: KeyValue | None = None,
    lives: bool = True,
) -> AsyncIterator[Office]:
    """Run an office until the block ends."""
    store = EmbeddedStore(Catalog())
    given = SchedulerSettings(**{"api": str(folder / "api.sock"), **settings})  # type: ignore[arg-type]
    here = Office(store.kv if keys is None else keys, folder, given)
    doors = await asyncio.to_thread(
        panels, given, here.control, here.orders, here.journal,
        leads=lambda: here.leads, health=dict, environ={},
    )  # fmt: skip
    async with asyncio.TaskGroup() as group:
        tasks = []
        for part in (here.control, *doors):
            ready = asyncio.Event()
            tasks.append(group.create_task(part.run(ready.set)))
            await ready.wait()
        if lives:
            tasks.append(group.create_task(here.live()))
        try:
            yield here
        finally:
            for task in tasks:
                task.cancel()
    await store.close()
