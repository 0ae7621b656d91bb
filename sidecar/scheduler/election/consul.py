"""The lock in Consul's keys, or in Pinnace's own catalogue by the same API.

A session with a TTL ends up to twice that time later, and 10 s is the least. So the session hangs
on a TTL *check*, which an agent judges within its time to the moment. The check is that of a
service of ours, never of the node: a critical check of a node takes all its services out of DNS.
The session has a TTL too, for the case that the agent goes with us. The agent takes our word also
when it is cut off from the servers: each renewal reads the key again from the leader.
"""

from secrets import token_hex
from typing import Final

import msgspec

from sidecar.errors import StoreUnavailable
from sidecar.runtime.clock import Clock
from sidecar.scheduler.election.lock import KEY, Grip, Lost
from sidecar.stores.consul.client import Client, following
from sidecar.stores.consul.pairs import Pair

__all__ = ["ConsulLock"]

_LEAST_SESSION: Final = 10.0
_SYNC_TRIES: Final = 60
_SYNC_PAUSE: Final = 0.05
_SERVICE: Final = "pinnace-scheduler"


class _Made(msgspec.Struct):
    id: str = msgspec.field(name="ID")


_Keys: Final = list[Pair]


class ConsulLock:
    """A Lock on one agent."""

    def __init__(
        self, client: Client, name: str, *, ttl: float, clock: Clock, key: str = KEY
    ) -> None:
        """``name`` stands in the key while we hold it; ``ttl`` in seconds."""
        self.url = client.url
        self._client = client
        self._name = name
        self._ttl = ttl
        self._clock = clock
        self._path = f"kv/{key}"
        self._check = ""
        self._session = ""

    async def take(self) -> Grip:
        """Return when the key is ours."""
        index = 0
        while True:
            answer = await self._client.wait(self._path, index)
            index = following(index, answer.index)
            found = self._client.decoded(answer, _Keys) if answer.status == 200 else []
            if found and found[0].session:
                continue
            if grip := await self._acquire():
                return grip
            await self.release()
            await self._clock.sleep(_SYNC_PAUSE)
            index = 0

    async def _acquire(self) -> Grip | None:
        await self._prepare()
        begun = self._clock.monotonic()
        await self._beat()
        held = await self._client.call(
            "PUT", self._path, {"acquire": self._session}, self._name.encode()
        )
        if held.body.strip() != b"true":
            return None
        key = await self._read()
        if key is None or key.session != self._session:
            return None
        return Grip(key.lock_index, begun, self._ttl)

    async def _prepare(self) -> None:
        """Make a check and a session that ends with it."""
        self._check = f"{_SERVICE}-{self._name}-{token_hex(4)}"
        check = {
            "CheckID": self._check, "Name": "holds the lease of the scheduler",
            "TTL": f"{self._ttl:g}s", "Status": "passing", "DeregisterCriticalServiceAfter": "1m",
        }  # fmt: skip
        body = {"ID": self._check, "Name": _SERVICE, "Check": check}
        await self._client.call("PUT", "agent/service/register", None, msgspec.json.encode(body))
        session = {
            "Name": f"{_SERVICE} {self._name}", "LockDelay": "0s", "Behavior": "release",
            "NodeChecks": [self._check], "TTL": f"{max(self._ttl, _LEAST_SESSION):g}s",
        }  # fmt: skip
        for attempt in range(_SYNC_TRIES):
            try:
                answer = await self._client.call(
                    "PUT", "session/create", None, msgspec.json.encode(session)
                )
            except StoreUnavailable as error:  # the servers do not know the check yet
                if "check" not in str(error) or attempt == _SYNC_TRIES - 1:
                    raise
                await self._clock.sleep(_SYNC_PAUSE)
                continue
            self._session = self._client.decoded(answer, _Made).id
            return

    async def renew(self) -> float:
        """Pass the check, renew the session, and have the leader say that the key is ours."""
        await self._beat()
        answer = await self._client.call("PUT", f"session/renew/{self._session}")
        if answer.status == 404:
            raise Lost("the session is gone")
        key = await self._read()
        if key is None or key.session != self._session:
            raise Lost("the key is not ours any more")
        return self._ttl

    async def _beat(self) -> None:
        body = msgspec.json.encode({"Status": "passing"})
        path = f"agent/check/update/{self._check}"
        answer = await self._client.exchange("PUT", path, None, body)
        if answer.status in {404, 500} and not self._client.is_away(answer):
            raise Lost("the agent lost the check")
        self._client.checked(answer)

    async def _read(self) -> Pair | None:
        answer = await self._client.get(self._path, {"consistent": ""})
        found = self._client.decoded(answer, _Keys) if answer.status == 200 else []
        return found[0] if found else None

    async def release(self) -> None:
        """Destroy the session, which frees the key, and remove the check."""
        session, self._session = self._session, ""
        check, self._check = self._check, ""
        if session:
            await self._client.call("PUT", f"session/destroy/{session}")
        if check:
            await self._client.exchange("PUT", f"agent/service/deregister/{check}")

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()
