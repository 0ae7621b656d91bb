"""Our own templates at work in this process, and what they write."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sidecar.catalog.live import Catalog
from sidecar.config.model import TemplateSettings
from sidecar.stores.embedded import EmbeddedStore
from templater.own.component import Templates

__all__ = ["Site", "keeping_files"]


class Site:
    """A directory with templates, a store, and the component."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = EmbeddedStore(Catalog())
        self.settings: list[TemplateSettings] = []
        self.component: Templates | None = None

    @property
    def catalog(self) -> Catalog:
        return self.store.catalog

    def add(self, name: str, text: str, **fields: Any) -> Path:
        """Configure a template; return its destination."""
        source = self.path / f"{name}.j2"
        source.write_text(text)
        destination = self.path / name
        self.settings.append(
            TemplateSettings(source=str(source), destination=str(destination), **fields)
        )
        return destination

    def trouble(self) -> str | None:
        assert self.component is not None
        return self.component.trouble()

    async def until(self, path: Path, text: str, within: float = 30.0) -> None:
        """Wait for the content of a file."""
        found = ""
        try:
            async with asyncio.timeout(within):
                while (found := await asyncio.to_thread(_read, path)) != text:
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"{path} holds {found!r}, not {text!r}") from None

    async def until_trouble(self, words: str, within: float = 30.0) -> None:
        async with asyncio.timeout(within):
            while words not in (self.trouble() or ""):
                await asyncio.sleep(0.005)


@asynccontextmanager
async def keeping_files(site: Site) -> AsyncIterator[Site]:
    """Run the component over a site."""
    site.component = Templates(site.catalog, site.store.kv, site.settings)
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(site.component.run(ready.set))
        await ready.wait()
        try:
            yield site
        finally:
            task.cancel()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
