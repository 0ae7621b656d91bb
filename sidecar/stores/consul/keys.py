"""The calls on Consul's keys that edge, mirror and key-value store share."""

from typing import Final

from sidecar.errors import StoreConflict
from sidecar.stores.consul.client import Client, following, quoted
from sidecar.stores.consul.pairs import Pair

__all__ = ["Keys"]

_Pairs: Final = list[Pair]
_TRUE: Final = b"true"


class Keys:
    """One agent's keys, as calls."""

    def __init__(self, client: Client) -> None:
        """Ask by this client."""
        self._client = client

    async def get(self, key: str) -> Pair | None:
        """Return one key, or None."""
        answer = await self._client.get(_path(key))
        if answer.status == 404:
            return None
        found = self._client.decoded(answer, _Pairs)
        return found[0] if found else None

    async def below(self, prefix: str, index: int = -1) -> tuple[int, list[Pair]]:
        """Return the index and the keys that begin with this text; with an index, newer ones.

        The index is 0 when it fell: the store was reset.
        """
        params = {"recurse": ""}
        if index < 0:
            answer = await self._client.get(_path(prefix), params)
        else:
            answer = await self._client.wait(_path(prefix), index, params)
        pairs = [] if answer.status == 404 else self._client.decoded(answer, _Pairs)
        return following(max(index, 0), answer.index), pairs

    async def put(self, key: str, value: bytes, flags: int = 0, cas: int | None = None) -> None:
        """Write a key. Raises StoreConflict when the comparison is lost."""
        params = {"flags": str(flags)} if flags else {}
        if cas is not None:
            params["cas"] = str(cas)
        answer = await self._client.call("PUT", _path(key), params, value)
        if answer.body.strip() != _TRUE:
            raise StoreConflict(f"{self._client.url}: {key} was changed by another")

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        await self._client.call("DELETE", _path(key))


def _path(key: str) -> str:
    return "kv/" + "/".join(quoted(part) for part in key.split("/"))
