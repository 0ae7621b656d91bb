"""Values from Rancher's metadata service: JSON over HTTP, flattened. It is polled."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final
from urllib.parse import quote

from sidecar.runtime.clock import Clock, SystemClock
from sidecar.stores.json_client import JsonClient
from templater.backends.base import Values
from templater.backends.flatten import flattened
from templater.backends.polling import polled

__all__ = ["RancherBackend"]

_POLL: Final = 5.0


class RancherBackend:
    """Reads ``/latest/KEY``."""

    def __init__(
        self, client: JsonClient, *, clock: Clock | None = None, poll: float = _POLL
    ) -> None:
        """Ask this server."""
        self._client = client
        self._clock = clock if clock is not None else SystemClock()
        self._poll = poll
        self.address = client.url

    async def read(self, keys: Sequence[str]) -> Values:
        """Return what is below the keys."""
        found: dict[str, str] = {}
        for key in dict.fromkeys(keys):
            path = key.strip("/")
            answer = await self._client.ask(
                "GET", f"/latest/{quote(path)}", headers={"Accept": "application/json"}
            )
            found |= flattened(answer, f"/{path}" if path else "")
        return found

    def watch(self, key: str) -> AsyncGenerator[Values]:
        """Yield what is there now, and what differs from it at a later look."""
        return polled(lambda: self.read([key]), self._clock, self._poll)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
