"""The targets of one process: from the file and from the catalogue, and what all of them say."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapter.exposition import Family
from adapter.files import text_of
from adapter.jmx.samples import merged
from adapter.jmx.settings import Settings, Target
from adapter.jmx.target import Probe
from sidecar import __version__
from sidecar.errors import ConfigError, PinnaceError
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

if TYPE_CHECKING:
    from adapter.jmx.javapattern import JavaPattern
    from sidecar.catalog.live import Catalog

__all__ = ["Jmx", "load"]

_MOST_AT_ONCE: Final = 100  # targets that are scraped at a time, when all are asked for

_log = get_logger("jmx")


def load(path: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of a file. Raises ConfigError."""
    from adapter.jmx.config import settings_of  # noqa: PLC0415 - memory

    settings = settings_of(text_of(path), path, environ)
    for warning in settings.warnings:
        _log.warning("not everything is used", reason=warning)
    return settings


class Jmx:
    """A component that keeps the targets; the server asks it."""

    name = "jmx"

    def __init__(
        self, path: str, settings: Settings, clock: Clock, catalog: "Catalog | None" = None
    ) -> None:
        """``catalog`` is filled by somebody else, where the file asks for discovery."""
        self.settings = settings
        self.successes = 0
        self.failures = 0
        self._path = path
        self._clock = clock
        self._catalog = catalog
        self._seen = 0.0
        self._probes: dict[str, Probe] = {}
        self._slow: set[JavaPattern] = set()
        self._reading = asyncio.Lock()
        self._crowd = asyncio.Semaphore(_MOST_AT_ONCE)

    async def run(self, ready: Callable[[], None]) -> None:
        """Keep the targets until cancelled; then end their logins."""
        self._seen = await asyncio.to_thread(_changed, self._path)
        await self._arrange()
        ready()
        try:
            if self._catalog is None:
                await asyncio.get_running_loop().create_future()
            else:
                async for _ in self._catalog.watch():
                    await self._arrange()
        finally:
            probes, self._probes = [*self._probes.values()], {}
            await _closed(probes)

    @property
    def names(self) -> tuple[str, ...]:
        """What the targets are called."""
        return tuple(self._probes)

    @property
    def is_single(self) -> bool:
        """Whether there is one target only, and never another."""
        return self.settings.discovery is None and len(self._probes) == 1

    async def reread(self) -> None:
        """Take the file as it is now, or keep what there is and say why."""
        async with self._reading:
            await self._reread()

    async def _reread(self) -> None:
        self._seen = await asyncio.to_thread(_changed, self._path)
        try:
            settings = await asyncio.to_thread(load, self._path)
            if settings.discovery != self.settings.discovery:
                raise ConfigError([f"{self._path}: discovery is only read at the start"])
        except PinnaceError as error:
            self.failures += 1
            _log.error("configuration not taken", reason=error)
            return
        self.settings = settings
        self.successes += 1
        old, self._probes = self._probes, {}
        await self._arrange()
        for name, probe in self._probes.items():
            if name in old:
                probe.counts_from(old[name])
        await _closed([*old.values()])
        _log.info("configuration taken", targets=len(self._probes))

    async def _follow_file(self) -> None:
        changed = await asyncio.to_thread(_changed, self._path)
        if changed > self._seen:
            await self.reread()

    async def _arrange(self) -> None:
        """Have a probe for each target, and for nothing else."""
        wanted = {target.name: target for target in self._targets()}
        gone = [self._probes.pop(name) for name in [*self._probes] if name not in wanted]
        for name, target in wanted.items():
            if name not in self._probes:
                self._probes[name] = Probe(target, self._clock)
        await _closed(gone)

    def _targets(self) -> list[Target]:
        settings = self.settings
        found = [*settings.targets]
        if self._catalog is not None and settings.discovery and settings.template:
            from adapter.jmx.discovery import targets_in  # noqa: PLC0415 - memory

            # Who may register an instance must not send us on to other hosts.
            template = replace(settings.template, follows_host=False)
            places = targets_in(self._catalog.snapshot, settings.discovery.tag)
            found += [replace(template, name=name, place=places[name]) for name in places]
        return found

    def named(self, text: str) -> str | None:
        """Return the target that is called so, or that lives at this host and port."""
        if text in self._probes:
            return text
        return next(
            (name for name, probe in self._probes.items() if str(probe.target.place) == text), None
        )

    async def everything(self, limit: float | None = None) -> list[Family]:
        """Return what all targets say, each marked by its name if there are several."""
        await self._follow_file()
        probes, is_single = [*self._probes.values()], self.is_single
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._one(probe, limit, named=not is_single), name="scrape")
                for probe in probes
            ]
        parts = [*(task.result() for task in tasks), self._own()]
        return await asyncio.to_thread(merged, parts)

    async def only(self, name: str, limit: float | None = None) -> list[Family]:
        """Return what one target says."""
        await self._follow_file()
        probe = self._probes.get(name)
        found = [] if probe is None else await self._one(probe, limit, named=False)
        return merged([found, self._own()])

    async def _one(self, probe: Probe, limit: float | None, *, named: bool) -> list[Family]:
        async with self._crowd:
            outcome = await probe.scrape(limit)
        return await asyncio.to_thread(probe.families, outcome, named=named)

    def _own(self) -> list[Family]:
        info = Family("jmx_exporter_build_info", "gauge", "Name and version of this exporter.")
        info.add({"name": "pinnace", "version": __version__}, 1.0)
        found = [info]
        for word, count in (("success", self.successes), ("failure", self.failures)):
            text = f"Number of times the configuration was reloaded, by outcome: {word}."
            family = Family(f"jmx_config_reload_{word}_total", "counter", text)
            family.add({}, float(count))
            found.append(family)
        text = "Matches of rules that were given up, because they would take too long."
        family = Family("jmx_rule_gave_up_total", "counter", text)
        family.add({}, float(self._gave_up()))
        return [*found, family]

    def _gave_up(self) -> int:
        """Return how often a rule had no time for a text; tell of each rule once."""
        rules = (rule for probe in self._probes.values() for rule in probe.target.rules)
        patterns = {rule.pattern for rule in rules if rule.pattern is not None}
        for pattern in patterns:
            if pattern.gave_up and pattern not in self._slow:
                _log.warning("rule takes too long on some texts", pattern=pattern.text)
        self._slow = {pattern for pattern in patterns if pattern.gave_up}
        return sum(pattern.gave_up for pattern in patterns)


def _changed(path: str) -> float:
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return 0.0


async def _closed(probes: list[Probe]) -> None:
    async with asyncio.TaskGroup() as group:
        for probe in probes:
            group.create_task(probe.close(), name="close")
