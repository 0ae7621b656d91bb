"""Entries over the v2 API: each with a TTL of its own, set again before it ends."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

from sidecar.stores.etcd.entries import MARKS
from sidecar.stores.etcd.keyspace import Held, Refused
from sidecar.stores.etcd.ledger import Want
from sidecar.stores.etcd.legacy import Legacy

__all__ = ["Repeated"]

_FEW: Final = 8  # from so many entries on, one reading of all is cheaper


class Repeated:
    """Keeps entries alive by setting them again; for ever when there is no TTL."""

    def __init__(self, legacy: Legacy, root: str, ttl: int) -> None:
        """Write below this root."""
        self._legacy = legacy
        self._root = root
        self._ttl = ttl

    def keeps(self, held: Held) -> bool:
        """Say whether an entry has a TTL just when it should."""
        return bool(held.lease) == bool(self._ttl)

    async def adopt(self) -> None:
        """Do nothing: each entry has a TTL of its own."""

    async def settle(self, wants: Sequence[Want]) -> Mapping[str, str]:
        """Make entries what is wanted; return why some are refused, by key."""
        standing = await self._standing(wants)
        answers = await _all(self._one(want, standing) for want in wants)
        return {want.key: why for want, why in zip(wants, answers, strict=True) if why}

    async def refresh(self, wants: Sequence[Want]) -> None:
        """Set each again, as Registrator does."""
        if self._ttl:
            await _all(self._one(want, {}) for want in wants)

    async def let_go(self, wants: Sequence[Want]) -> None:
        """Do nothing: who is not refreshed is gone by itself."""

    async def _standing(self, wants: Sequence[Want]) -> Mapping[str, Held]:
        keys = [key for want in wants for key in (want.key, want.mark_key)]
        if len(wants) > _FEW:
            return (await self._legacy.read([self._root, MARKS + self._root])).entries
        found = await _all(self._legacy.get(key) for key in keys)
        return {key: held for key, held in zip(keys, found, strict=True) if held is not None}

    async def _one(self, want: Want, standing: Mapping[str, Held]) -> str | None:
        try:
            if want.value is None:
                await self._remove(want, standing)
            else:
                if want.mark:
                    await self._set(want.mark_key, want.mark, standing)
                await self._set(want.key, want.value, standing)
        except Refused as error:
            return str(error)
        return None

    async def _set(self, key: str, value: bytes, standing: Mapping[str, Held]) -> None:
        held = standing.get(key)
        if held is None or held.value != value or not self.keeps(held):
            await self._legacy.set(key, value, self._ttl)

    async def _remove(self, want: Want, standing: Mapping[str, Held]) -> None:
        mark = standing.get(want.mark_key)
        if mark is not None and want.mark and mark.value != want.mark:
            return  # another owner has it now
        await self._legacy.delete(want.key)
        if mark is not None:
            await self._legacy.delete(want.mark_key, want.mark or None)


async def _all(steps: Any) -> list[Any]:
    """Return all results, or raise the first error once all have ended."""
    coroutines: list[Coroutine[Any, Any, Any]] = list(steps)
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
