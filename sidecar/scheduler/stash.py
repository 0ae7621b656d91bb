"""The keys of the scheduler in a file, where no store keeps them: a restart finds what was wanted.

The file is the store's own kind of copy: written whole, with a checksum for each row, and named
last. One that is damaged is put aside and told of; what runs goes on as its labels say.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Final

from sidecar.catalog.kv import Entry, Listing
from sidecar.runtime.log import get_logger
from sidecar.scheduler.wanted import AVAILABILITY, STACKS
from sidecar.stores.base import KeyValue
from sidecar.stores.statefile import Content, connect, read, write_copy

__all__ = ["Stash"]

_PREFIXES: Final = (STACKS, AVAILABILITY)
_log = get_logger("scheduler")


class Stash:
    """Keys that are in a file as well: written before an order is acknowledged."""

    def __init__(self, keys: KeyValue, path: Path) -> None:
        """Put the scheduler's keys of ``keys`` into the file at ``path``."""
        self._keys = keys
        self._path = path
        self._lock = asyncio.Lock()

    async def restore(self) -> None:
        """Bring back what the file holds; what the store has already stays."""
        for entry in await asyncio.to_thread(self._read):
            if await self._keys.get(entry.key) is None:
                await self._keys.put(entry.key, entry.value)

    async def get(self, key: str) -> Entry | None:
        """Return one entry, or None."""
        return await self._keys.get(key)

    async def list(self, prefix: str) -> Listing:
        """Return the entries below a prefix."""
        return await self._keys.list(prefix)

    def watch(self, prefix: str, after: int = -1) -> AsyncIterator[Listing]:
        """Yield the present listing first, then newer ones."""
        return self._keys.watch(prefix, after)

    async def put(self, key: str, value: bytes, *, flags: int = 0, cas: int | None = None) -> None:
        """Write a key, and the file."""
        await self._keys.put(key, value, flags=flags, cas=cas)
        await self._save()

    async def delete(self, key: str) -> None:
        """Remove a key, and write the file."""
        await self._keys.delete(key)
        await self._save()

    async def close(self) -> None:
        """Close the keys."""
        await self._keys.close()

    async def _save(self) -> None:
        async with self._lock:
            listings = [await self._keys.list(each) for each in _PREFIXES]
            entries = tuple(entry for each in listings for entry in each.entries)
            try:
                await asyncio.to_thread(_write, self._path, Content(entries=entries))
            except (OSError, sqlite3.Error) as error:
                _log.error("state cannot be written", file=self._path, error=error)

    def _read(self) -> tuple[Entry, ...]:
        if not self._path.exists():
            return ()
        try:
            with closing(connect(self._path, mode="ro")) as database:
                return read(database).entries
        except (OSError, sqlite3.Error, ValueError) as error:
            aside = self._path.with_name(self._path.name + ".broken")
            _log.error("state is damaged and put aside", file=aside, error=error)
            self._path.replace(aside)
            return ()


def _write(path: Path, content: Content) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_copy(path, content)
    path.chmod(0o600)
