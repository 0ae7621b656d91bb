"""The agent's endpoints that an edge uses, as calls. What an agent refuses becomes Refused."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import msgspec

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.stores.consul.client import Answer, Client, quoted
from sidecar.stores.consul.registration import DRAINING, AgentCheck, AgentService, Feed

__all__ = ["Agent", "Refused"]

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
        """Remove a service; no error when it is not there.

        With tokens in use, an agent has no rule by which to judge one that it does not know, and
        refuses. Raises Refused, StoreUnavailable or StoreDenied.
        """
        try:
            self._accepted(await self._put(f"agent/service/deregister/{quoted(id_)}"))
        except Refused:
            found = await self._client.exchange("GET", f"agent/service/{quoted(id_)}")
            if found.status != 404:
                raise

    async def deregister_check(self, id_: str) -> None:
        """Remove a check, if it is there."""
        with suppress(Refused):
            self._accepted(await self._put(f"agent/check/deregister/{quoted(id_)}"))

    async def drain(self, id_: str, *, is_on: bool) -> None:
        """Switch our maintenance of a service."""
        params = {"enable": "true", "reason": DRAINING} if is_on else {"enable": "false"}
        path = f"agent/service/maintenance/{quoted(id_)}"
        self._accepted(await self._client.exchange("PUT", path, params))

    async def tell(self, feeds: Iterable[Feed]) -> bool:
        """Tell the status of these checks; False when the agent misses one."""
        results = [await self.beat(feed) for feed in feeds]
        return all(results)

    async def beat(self, feed: Feed) -> bool:
        """Tell the status of one check; False when the agent has no such TTL check."""
        body = msgspec.json.encode({"Status": feed.status.value, "Output": feed.output})
        answer = await self._put(f"agent/check/update/{quoted(feed.id)}", body)
        if answer.status in {404, 500} and not self._client.is_away(answer):
            return False
        self._client.checked(answer)
        return True

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
