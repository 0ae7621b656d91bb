"""Keeps the files of ``[[template]]`` as the live catalogue says.

A change of the catalogue, of a key or of a template's own text wakes the templates that looked at
it, and no other. When most instances go at once, a second look must see the same before it is
believed (reliability F14); before the catalogue is complete nothing is written.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from sidecar.config.model import TemplateSettings
from sidecar.metrics import counter
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import KeyValue, Source
from templater.guard import most_gone
from templater.keeping.group import Groups
from templater.keeping.keeper import Keeper
from templater.own.apply import OwnApplier, rules_of
from templater.own.keys import KeyFeed
from templater.own.render import Renderer, State
from templater.own.world import World

__all__ = ["Templates"]

HELD: Final = counter(
    "pinnace_templater_held_total", "Snapshots not believed at first, as most instances were gone."
)
_LOOK: Final = 1.0
_log = get_logger("templates")


class _Kept:
    """One template at work; ``given`` is what its last rendering started from."""

    def __init__(self, settings: TemplateSettings, clock: Clock) -> None:
        self.settings = settings
        self.renderer = Renderer(settings, clock)
        self.given: State | None = None
        self.is_rendering = False
        self.look: object = None
        self.keeper: Keeper[State] | None = None

    def wake(self) -> None:
        if self.keeper is not None:
            self.keeper.wake()

    def signature(self) -> object:
        """Return what changes when somebody edits the template. Blocks."""
        try:
            found = self.renderer.source.stat()
        except OSError as error:
            return error.errno
        return found.st_mtime_ns, found.st_size, found.st_ino

    def trouble(self) -> str | None:
        if self.keeper is None or not self.keeper.is_done_once:
            known = self.keeper.trouble() if self.keeper is not None else None
            return known or f"{self.settings.destination} is not rendered yet"
        return self.keeper.trouble()


class Templates:
    """Renders templates from a Source and a KeyValue (None: there are no keys)."""

    name = "templates"

    def __init__(
        self,
        source: Source,
        keys: KeyValue | None,
        settings: Sequence[TemplateSettings],
        *,
        clock: Clock | None = None,
    ) -> None:
        """Keep one file for each of the settings."""
        self._source = source
        self._store = keys
        self._clock = clock if clock is not None else SystemClock()
        self._kept = [_Kept(one, self._clock) for one in settings]
        self._world: World | None = None
        self._feed: KeyFeed | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Keep the files until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._feed = KeyFeed(self._store, group, self._clock, self._key_changed)
            rules, groups = rules_of(), Groups()
            for kept in self._kept:
                applier = OwnApplier(
                    kept.settings, kept.renderer, rules, partial(self._rendered, kept)
                )
                # The same reload, word for word, is run once for all (consul-template #1006).
                words = applier.reload_words
                group_of_reload = groups.of(repr((words, kept.settings.run_as)) if words else "")
                kept.keeper = Keeper(
                    applier, partial(self._state, kept), self._clock, group=group_of_reload
                )
                group.create_task(kept.keeper.run(), name=f"keep {kept.settings.destination}")
            group.create_task(self._look(), name="look at templates")
            ready()
            await self._follow()

    def trouble(self) -> str | None:
        """Return what is wrong in one line, or None."""
        return next((line for kept in self._kept if (line := kept.trouble())), None)

    def _state(self, kept: _Kept) -> State | None:
        """Return what to render from; None while the catalogue is not complete."""
        if self._world is None or self._feed is None:
            return None
        kept.is_rendering = True
        kept.given = State(self._world, self._feed.entries)
        return kept.given

    async def _follow(self) -> None:
        while True:
            if self._source.synced and await self._accept():
                self._wake_concerned()
            await self._source.changed()

    async def _accept(self) -> bool:
        """Take the newest snapshot, unless it has to be looked at twice; say whether it is new."""
        snapshot = self._source.snapshot
        if self._world is not None and snapshot is self._world.snapshot:
            return False
        world = World.of(snapshot, self._world)
        if self._world is not None and most_gone(self._world.members(), world.members()):
            HELD.inc()
            _log.warning("most instances are gone; looking again before it is believed")
            await self._clock.sleep(_LOOK)
            world = World.of(self._source.snapshot, self._world)
        self._world = world
        return True

    def _wake_concerned(self) -> None:
        for kept in self._kept:
            world = self._world
            if world is None:
                return
            if kept.given is None or world.differs(kept.given.world, kept.renderer.reads):
                kept.wake()

    def _rendered(self, kept: _Kept, state: State) -> None:
        """Look once more: what was read may have changed while it was rendered."""
        kept.is_rendering = False
        if self._world is not None and self._world.differs(state.world, kept.renderer.reads):
            kept.wake()
        if self._feed is not None and not any(one.is_rendering for one in self._kept):
            self._feed.retain(
                prefix for one in self._kept for prefix in one.renderer.reads.prefixes
            )

    def _key_changed(self, prefix: str) -> None:
        for kept in self._kept:
            if kept.is_rendering or prefix in kept.renderer.reads.prefixes:
                kept.wake()

    async def _look(self) -> None:
        """Notice edits of templates (confd #554)."""
        while True:
            looks = await asyncio.to_thread(self._signatures)
            for kept, look in zip(self._kept, looks, strict=True):
                if kept.look is not None and kept.look != look:
                    _log.info("template changed", source=kept.settings.source)
                    kept.wake()
                kept.look = look
            await self._clock.sleep(_LOOK)

    def _signatures(self) -> list[Any]:
        return [kept.signature() for kept in self._kept]
