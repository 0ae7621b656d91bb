"""Requests to Vault, with a token that is given, wrapped, or kept by Vault's agent."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar.errors import StoreUnavailable
from sidecar.stores.json_client import JsonClient

__all__ = ["Vault"]


class Vault:
    """One server and one token."""

    def __init__(
        self,
        client: JsonClient,
        *,
        token: str = "",
        token_file: str = "",
        is_wrapped: bool = False,
        namespace: str = "",
        user_agent: str = "",
    ) -> None:
        """``token_file``, which Vault's agent writes, is read for each request and wins.

        A wrapped token is exchanged once, before the first request.
        """
        self._client = client
        self._token = token
        self._token_file = Path(token_file) if token_file else None
        self._is_wrapped = is_wrapped
        self._unwrapping = asyncio.Lock()
        self._fixed = {"X-Vault-Request": "true"}
        if namespace:
            self._fixed["X-Vault-Namespace"] = namespace
        if user_agent:
            self._fixed["User-Agent"] = user_agent

    async def ask(self, method: str, path: str, *, body: Mapping[str, Any] | None = None) -> Any:
        """Return the decoded answer, None when there is no such thing.

        Raises StoreUnavailable or StoreDenied.
        """
        headers = {**self._fixed, "X-Vault-Token": await self._current()}
        return await self._client.ask(method, path, headers=headers, body=body)

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    async def _current(self) -> str:
        if self._token_file is not None:
            return await asyncio.to_thread(_text, self._token_file)
        if self._is_wrapped:
            async with self._unwrapping:
                if self._is_wrapped:
                    self._token = await self._unwrapped()
                    self._is_wrapped = False
        return self._token

    async def _unwrapped(self) -> str:
        headers = {**self._fixed, "X-Vault-Token": self._token}
        answer = await self._client.ask("PUT", "/v1/sys/wrapping/unwrap", headers=headers)
        token = (answer or {}).get("auth", {}).get("client_token", "")
        if not token:
            raise StoreUnavailable("vault: the wrapped token holds no token")
        return str(token)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreUnavailable(f"vault: cannot read the token: {path}: {error}") from error
