"""The agent's endpoints that an edge uses, as calls. What an agent refuses becomes Refused."""

from collections.abc import Iterable
from typing import Final

import msgspec

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.stores.consul.client import Answer, Client, quoted
from sidecar.stores.consul.registration import DRAINING, AgentCheck, AgentService, Feed

__all__ = ["Agent", "Refused", "tell"]

_Services = dict[str, AgentService]
_Checks = dict[str, AgentCheck]
_BAD_TOKEN: Final = "ACL not found"  # noqa: S105 - what the agent says of a token it does not know


class Refused(Exception):
    """The agent refuses one entry; the words are its own."""


class Agent:
    """One agent's services and checks."""

    def __init__(self, client: Client) -> None:
        """Ask by this client."""
        self._client = client

    async def services(self) -> dict[str, AgentService]:
        """Return the services by id. Raises StoreUnavailable or StoreDenied."""
        answer = await self._client.get("agent/services")
        return self._client.decoded(answer, _Services)

    async def checks(self) -> dict[str, dict[str, AgentCheck]]:
        """Return the checks of services by the service's id and their own."""
        answer = await self._client.get("agent/checks")
        found: dict[str, dict[str, AgentCheck]] = {}
        for id_, check in self._client.decoded(answer, _Checks).items():
            found.setdefault(check.service, {})[id_] = check
        return found

    async def register(self, body: bytes) -> None:
        """Register a service. Raises Refused, StoreUnavailable or StoreDenied."""
        self._accepted(await self._put("agent/service/register", body))

    async def deregister(self, id_: str) -> None:
        """Remove a service; no error when it is not there."""
        self._accepted(await self._put(f"agent/service/deregister/{quoted(id_)}"))

    async def deregister_check(self, id_: str) -> None:
        """Remove a check; no error when it is not there."""
        self._accepted(await self._put(f"agent/check/deregister/{quoted(id_)}"))

    async def drain(self, id_: str, *, is_on: bool) -> None:
        """Switch our maintenance of a service."""
        params = {"enable": "true", "reason": DRAINING} if is_on else {"enable": "false"}
        path = f"agent/service/maintenance/{quoted(id_)}"
        self._accepted(await self._client.exchange("PUT", path, params))

    async def tell(self, feeds: Iterable[Feed]) -> bool:
        """Tell the status of these checks; False when the agent misses one."""
        results = [await tell(self._client, feed) for feed in feeds]
        return all(results)

    async def _put(self, path: str, body: bytes | None = None) -> Answer:
        return await self._client.exchange("PUT", path, None, body)

    def _accepted(self, answer: Answer) -> None:
        """Raise what an answer means: the agent, the token, or this one entry.

        An agent needs no leader to take an entry, so a 500 is about what it was given.
        """
        if answer.status < 300:
            return
        if self._client.is_away(answer):
            raise StoreUnavailable(f"{self._client.url}: {answer.status} {answer.text}")
        if answer.status in {401, 403} and _BAD_TOKEN in answer.text:
            raise StoreDenied(f"{self._client.url}: {answer.text}")
        raise Refused(answer.text or f"status {answer.status}")


async def tell(client: Client, feed: Feed) -> bool:
    """Tell the agent a check's status; False when it runs no such TTL check."""
    body = msgspec.json.encode({"Status": feed.status.value, "Output": feed.output})
    answer = await client.exchange("PUT", f"agent/check/update/{quoted(feed.id)}", None, body)
    if answer.status in {404, 500} and not client.is_away(answer):
        return False
    client.checked(answer)
    return True
