"""Where answers come from: a Consul agent, local files, Vault. Each waits for news as it can."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

from sidecar.errors import ProtocolError, StoreDenied, StoreUnavailable
from sidecar.gotemplate.values import Map, Slice
from sidecar.runtime.clock import Clock
from sidecar.stores.consul.client import Client, quoted
from templater.backends.secrets import Mount
from templater.consul_template.answers import request_of, value_of
from templater.consul_template.queries import (
    DatacentersQuery,
    FileQuery,
    NodeQuery,
    Query,
    SecretQuery,
    SecretsQuery,
)
from templater.consul_template.records import STRINGS, Secret
from templater.consul_template.vault import Vault

__all__ = ["SHARE", "ConsulSource", "Fetched", "FileSource", "Source", "VaultSource"]

SHARE: Final = 0.9
"""Of the life of what Vault gives, when it is asked for again."""
_FILE_LOOK: Final = 0.25
_DATACENTERS_LOOK: Final = 15.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer before it is read: equal bodies are equal answers."""

    body: bytes | None
    index: int


class Source(Protocol):
    """What answers some kinds of queries."""

    async def fetch(self, query: Query, index: int) -> Fetched:
        """Return the answer; with an index, when there may be a newer one or after a while.

        Raises TransientError and StoreDenied.
        """

    def read(self, query: Query, body: bytes | None) -> object:
        """Return the value of an answer. Raises ProtocolError."""


class ConsulSource:
    """A Consul agent, asked by blocking queries; stale answers count while they are young."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        max_stale: float = 2.0,
        wait: float = 60.0,
        namespace: str = "",
    ) -> None:
        """``max_stale`` 0: only the leader answers."""
        self._client = client
        self._clock = clock
        self._max_stale = max_stale
        self._wait = wait
        self._base = {"ns": namespace} if namespace else {}
        self._node = ""

    async def fetch(self, query: Query, index: int) -> Fetched:
        """Return the answer, of the leader when another server's is too old."""
        if isinstance(query, DatacentersQuery):
            return await self._datacenters(query, index)
        if isinstance(query, NodeQuery) and not query.name:
            query = NodeQuery(await self._own_node(), query.scope)
        request = request_of(query)
        path = "/".join(map(quoted, request.parts))
        params = {**self._base, **request.params}
        stale = {"stale": "", **params} if self._max_stale else params
        answer = await self._client.wait(path, index, stale, self._wait)
        if self._max_stale and answer.last_contact > self._max_stale:
            answer = await self._client.wait(path, index, params, self._wait)
        return Fetched(None if answer.status == 404 else answer.body, answer.index)

    def read(self, query: Query, body: bytes | None) -> object:
        """Return the value of an answer."""
        return value_of(query, body)

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    async def _datacenters(self, query: DatacentersQuery, index: int) -> Fetched:
        """Ask now and then: this cannot be waited for."""
        if index:
            await self._clock.sleep(_DATACENTERS_LOOK)
        answer = await self._client.get("catalog/datacenters")
        if not query.ignores_failing:
            return Fetched(answer.body, index + 1)
        found = []
        for name in self._client.decoded(answer, list[str]):
            try:
                await self._client.get("catalog/services", {"dc": name, "consistent": ""})
            except (StoreUnavailable, StoreDenied):
                continue
            found.append(name)
        return Fetched(json.dumps(found).encode(), index + 1)

    async def _own_node(self) -> str:
        if not self._node:
            answer = await self._client.get("agent/self")
            config = self._client.decoded(answer, dict[str, Any]).get("Config") or {}
            self._node = str(config.get("NodeName") or "")
        return self._node


class FileSource:
    """Local files, looked at four times a second."""

    def __init__(self, clock: Clock) -> None:
        """Look by this clock."""
        self._clock = clock
        self._seen: dict[str, tuple[int, int, int]] = {}

    async def fetch(self, query: Query, index: int) -> Fetched:
        """Return the content; with an index, once the file looks different."""
        path = query.path if isinstance(query, FileQuery) else ""
        while True:
            try:
                look, content = await asyncio.to_thread(self._look, path, index)
            except OSError as error:
                raise StoreUnavailable(f"file({path}): {error.strerror or error}") from error
            if content is not None:
                self._seen[path] = look
                return Fetched(content, index + 1)
            await self._clock.sleep(_FILE_LOOK)

    def read(self, _query: Query, body: bytes | None) -> object:
        """Return the text."""
        return (body or b"").decode("utf-8", "surrogateescape")

    def _look(self, path: str, index: int) -> tuple[tuple[int, int, int], bytes | None]:
        found = Path(path).stat()
        look = found.st_mtime_ns, found.st_size, found.st_ino
        if index and look == self._seen.get(path):
            return look, None
        return look, Path(path).read_bytes()


class VaultSource:
    """Secrets of Vault. It cannot be waited for: asked again before what was read ends."""

    def __init__(
        self,
        vault: Vault,
        clock: Clock,
        pause: float,
        share: float = SHARE,
    ) -> None:
        """``pause``: seconds between two looks at what has no lease.

        What has one is asked for again when ``share`` of it is over.
        """
        self._vault = vault
        self._clock = clock
        self._share = share
        self._pause = pause
        self._due: dict[Query, float] = {}

    async def fetch(self, query: Query, index: int) -> Fetched:
        """Return the answer; with an index, when it is due again."""
        if index:
            await self._clock.sleep(self._due.get(query, self._pause))
        answer = await self._answer(query)
        lease = answer.get("lease_duration")
        share = self._share * lease if isinstance(lease, int | float) and lease > 0 else self._pause
        self._due[query] = max(share, 1.0)
        return Fetched(json.dumps(answer, sort_keys=True).encode(), index + 1)

    def read(self, query: Query, body: bytes | None) -> object:
        """Return a secret, or the names of secrets."""
        answer = json.loads(body or b"{}")
        data = answer.get("data") or {}
        if not isinstance(data, dict):
            raise ProtocolError(f"{query}: not Vault's answer")
        if isinstance(query, SecretsQuery):
            return Slice(sorted(map(str, data.get("keys") or ())), STRINGS)
        return Secret(
            request_id=str(answer.get("request_id") or ""),
            lease_id=str(answer.get("lease_id") or ""),
            lease_duration=int(answer.get("lease_duration") or 0),
            renewable=bool(answer.get("renewable")),
            data=Map(data),
        )

    async def close(self) -> None:
        """Close connections."""
        await self._vault.close()

    async def _answer(self, query: Query) -> Mapping[str, Any]:
        match query:
            case SecretsQuery(path):
                mount = await self._mount(path)
                url = f"{mount.url(path, 'metadata')}?list=true"
                answer = await self._vault.ask("GET", url)
            case SecretQuery(path, data) if data:
                answer = await self._vault.ask("PUT", f"/v1/{quote(path)}", body=dict(data))
            case SecretQuery(path):
                mount = await self._mount(path)
                url = mount.url(path, "data")
                answer = await self._vault.ask("GET", url)
            case _:
                raise TypeError(f"{query} is no query of Vault")
        if not isinstance(answer, dict) or not answer:
            raise StoreUnavailable(f"{query}: no secret exists at that path")
        return answer

    async def _mount(self, path: str) -> Mount:
        """Ask where the path's engine hangs; who may not know treats it as version 1."""
        url = f"/v1/sys/internal/ui/mounts/{quote(path)}"
        try:
            answer = await self._vault.ask("GET", url)
        except StoreDenied:
            return Mount("", is_versioned=False)
        data = (answer.get("data") if isinstance(answer, dict) else None) or {}
        options = data.get("options") or {}
        return Mount(str(data.get("path") or ""), str(options.get("version")) == "2")
