"""Secrets from Vault over its HTTP API, KV version 1 and 2. It cannot watch: it is polled.

Tested against a server of that shape only; the real one could not be had.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sidecar.errors import StoreDenied
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.stores.json_client import JsonClient
from templater.backends.base import Values
from templater.backends.polling import polled
from templater.backends.secrets import Login, Mount, secret_values

__all__ = ["JWT", "VaultBackend", "service_account"]

JWT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_POLL: Final = 30.0
_MOST_PATHS: Final = 10_000


class VaultBackend:
    """Reads a key and all below it; logs in at first and when its token is refused."""

    def __init__(
        self,
        client: JsonClient,
        login: Callable[[], Login],
        *,
        clock: Clock | None = None,
        poll: float = _POLL,
    ) -> None:
        """``login`` says how to log in; it may read files and is called when that is due."""
        self._client = client
        self._login = login
        self._clock = clock if clock is not None else SystemClock()
        self._poll = poll
        self._token = ""
        self.address = client.url

    async def read(self, keys: Sequence[str]) -> Values:
        """Return the secrets at and below the keys."""
        if not self._token:
            await self._log_in()
        try:
            return await self._read(keys)
        except StoreDenied:
            await self._log_in()  # the token may have ended
            return await self._read(keys)

    def watch(self, key: str) -> AsyncGenerator[Values]:
        """Yield what is there now, and what differs from it at a later look."""
        return polled(lambda: self.read([key]), self._clock, self._poll)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _log_in(self) -> None:
        self._token = ""
        login = await asyncio.to_thread(self._login)
        if login.path:
            answer = await self._client.ask("POST", login.path, body=dict(login.body))
            auth = answer.get("auth") if isinstance(answer, dict) else None
            self._token = str((auth or {}).get("client_token") or "")
        else:
            self._token = login.token
        if not self._token:
            raise StoreDenied(f"{self.address} gave no token")

    async def _read(self, keys: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for key in dict.fromkeys(keys):
            mount = await self._mount(key)
            for path in await self._walk(key, mount):
                data = await self._data(mount.url(path, "data"))
                if mount.is_versioned and isinstance(inner := data.get("data"), dict):
                    data = inner if mount.url(path, "data") != f"/v1/{path.strip('/')}" else data
                if data:
                    found |= secret_values("/" + path.strip("/"), data)
        return found

    async def _walk(self, key: str, mount: Mount) -> list[str]:
        """Return the key and every path below it."""
        found: list[str] = []
        waiting = [key.rstrip("/") or "/"]
        while waiting and len(found) < _MOST_PATHS:
            path = waiting.pop()
            found.append(path)
            listed = (await self._data(f"{mount.url(path, 'metadata')}?list=true")).get("keys")
            names = listed if isinstance(listed, list) else []
            waiting += [f"{path.rstrip('/')}/{str(name).rstrip('/')}" for name in names]
        return sorted(set(found))

    async def _mount(self, key: str) -> Mount:
        """Ask where the key's engine hangs; who may not know treats it as version 1."""
        path = quote(key.strip("/"))
        try:
            data = await self._data(f"/v1/sys/internal/ui/mounts/{path}")
        except StoreDenied:
            return Mount("", is_versioned=False)
        options = data.get("options") or {}
        versioned = isinstance(options, dict) and str(options.get("version")) == "2"
        return Mount(str(data.get("path") or ""), versioned)

    async def _data(self, path: str) -> dict[str, Any]:
        headers = {"X-Vault-Token": self._token, "X-Vault-Request": "true"}
        answer = await self._client.ask("GET", path, headers=headers)
        data = answer.get("data") if isinstance(answer, dict) else None
        return data if isinstance(data, dict) else {}


def service_account() -> str:
    """Return the token that a cluster gives its pods. Blocks."""
    try:
        return JWT.read_text().strip()
    except OSError as error:
        raise StoreDenied(f"{JWT}: {error.strerror}") from error
