"""Marks of ownership beside the entries: one key per owner that holds the ids it wrote.

The key lies in Consul's own key-value store, ``pinnace/owners/<owner>``, so what others read is
what Registrator would have written. It is written before the entries are, and changed by
compare-and-set, as an engine may have two registrars for a moment. A token that may not write
keys is told once; without marks everything else goes on.
"""

import asyncio
import base64
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.log import get_logger
from sidecar.stores.consul.client import Client, quoted

__all__ = ["Marks"]

_log = get_logger("consul")

_FOLDER: Final = "pinnace/owners/"
_ATTEMPTS: Final = 5
_PATIENCE: Final = 3.0  # seconds; a cluster without a leader must not hold an agent's entries up


class _Ids(msgspec.Struct, frozen=True):
    ids: tuple[str, ...] = ()


class _Pair(msgspec.Struct, frozen=True):
    key: str = msgspec.field(name="Key")
    value: str | None = msgspec.field(name="Value", default=None)
    modified: int = msgspec.field(name="ModifyIndex", default=0)


class _Result(msgspec.Struct, frozen=True):
    pair: _Pair = msgspec.field(name="KV")


class _Results(msgspec.Struct, frozen=True):
    results: list[_Result] = msgspec.field(name="Results")


_pairs = msgspec.json.Decoder(list[_Pair])
_ids = msgspec.json.Decoder(_Ids)
_results = msgspec.json.Decoder(_Results)


class Marks:
    """The ids that one owner has written through one agent."""

    def __init__(self, client: Client, *, is_on: bool = True) -> None:
        """Keep nothing when not ``is_on``."""
        self._client = client
        self._is_on = is_on
        self._is_refused = False
        self._is_told = False
        self._owner = ""
        self._kept: frozenset[str] = frozenset()
        self._index = 0
        self._new: set[str] = set()
        self._gone: set[str] = set()
        self._writing = asyncio.Lock()

    @property
    def owner(self) -> str:
        """Whose marks these are; empty before anybody said."""
        return self._owner

    @property
    def ids(self) -> frozenset[str]:
        """What is marked, or will be."""
        return (self._kept | self._new) - self._gone

    @property
    def is_pending(self) -> bool:
        """Whether something is not written yet."""
        return self._works and bool(self._new - self._kept or self._gone & self._kept)

    @property
    def _works(self) -> bool:
        return self._is_on and not self._is_refused and bool(self._owner)

    def belong_to(self, owner: str) -> None:
        """Say whose marks these are."""
        if owner and owner != self._owner:
            self._owner = owner
            self._kept, self._index = frozenset(), 0

    def add(self, ids: Iterable[str]) -> None:
        """Mark these with the next flush."""
        ids = frozenset(ids)
        self._new |= ids
        self._gone -= ids

    def remove(self, ids: Iterable[str]) -> None:
        """Unmark these with the next flush."""
        ids = frozenset(ids)
        self._gone |= ids
        self._new -= ids

    async def load(self) -> None:
        """Read what is marked; a token that was refused is tried again. Raises StoreUnavailable."""
        if self._is_on and self._owner:
            async with self._writing:
                await self._read()

    async def flush(self) -> None:
        """Write what is pending; what cannot be written now stays pending."""
        if not self.is_pending:
            return
        async with self._writing:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._write()
            except (StoreUnavailable, TimeoutError):
                return

    async def others(self) -> Mapping[str, str]:
        """Return the ids that other owners have marked, with the owner."""
        if not self._works:
            return {}
        try:
            answer = await self._client.get(f"kv/{_FOLDER}", {"recurse": ""})
        except StoreDenied as error:
            self._refuse(error)
            return {}
        pairs = _pairs.decode(answer.body) if answer.status == 200 else []
        found: dict[str, str] = {}
        for pair in pairs:
            owner = pair.key.removeprefix(_FOLDER)
            if owner != self._owner:
                found.update(dict.fromkeys(_decoded(pair), owner))
        return found

    async def _read(self) -> None:
        try:
            answer = await self._client.get(self._path)
        except StoreDenied as error:
            self._refuse(error)
            return
        self._is_refused = False
        pairs = _pairs.decode(answer.body) if answer.status == 200 else []
        self._kept = _decoded(pairs[0]) if pairs else frozenset()
        self._index = pairs[0].modified if pairs else 0

    async def _write(self) -> None:
        for _ in range(_ATTEMPTS):
            new, gone = frozenset(self._new), frozenset(self._gone)
            wanted = (self._kept | new) - gone
            if wanted != self._kept and not await self._put(wanted):
                if self._is_refused:
                    return
                await self._read()
                continue
            self._new -= new
            self._gone -= gone
            return

    async def _put(self, wanted: frozenset[str]) -> bool:
        """Compare and set; by a transaction, as its answer tells the new index."""
        value = base64.b64encode(msgspec.json.encode(_Ids(tuple(sorted(wanted))))).decode()
        change = {"Verb": "cas", "Key": self._key, "Value": value, "Index": self._index}
        body = msgspec.json.encode([{"KV": change}])
        answer = await self._client.exchange("PUT", "txn", None, body)
        if answer.status == 409:
            return False
        try:
            results = _results.decode(self._client.checked(answer).body).results
        except StoreDenied as error:
            self._refuse(error)
            return False
        self._kept, self._index = wanted, results[0].pair.modified
        return True

    @property
    def _key(self) -> str:
        return f"{_FOLDER}{self._owner}"

    @property
    def _path(self) -> str:
        return f"kv/{_FOLDER}{quoted(self._owner)}"

    def _refuse(self, error: StoreDenied) -> None:
        self._is_refused = True
        if not self._is_told:
            self._is_told = True
            _log.warning("no marks of ownership: the token may not use keys", reason=error)


def _decoded(pair: _Pair) -> frozenset[str]:
    try:
        return frozenset(_ids.decode(base64.b64decode(pair.value or "")).ids)
    except (ValueError, msgspec.DecodeError):
        return frozenset()  # written by something else; it is overwritten by the next change
