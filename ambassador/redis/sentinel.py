"""Follow Redis Sentinel: who it calls the primary, and which replicas it knows.

Several Sentinels may differ while they agree; the answer with the highest configuration epoch is
the newest. Messages only say that it is time to ask, as they can be lost; so each is also asked
every second. That a server named so is the primary it still has to say itself (``roles``).
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ambassador.frame.address import Address
from ambassador.redis.hub import Hub
from ambassador.redis.link import Attributes, Link, Refused
from ambassador.redis.resp import Failure, packed
from sidecar.errors import ProtocolError, UpstreamUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.log import get_logger

__all__ = ["Sentinels", "View", "newest", "view_of"]

_log = get_logger("ambassador")
_CHANNELS: Final = (
    b"+switch-master", b"+slave", b"+sdown", b"-sdown", b"+odown", b"-odown",
    b"+failover-*", b"-failover-*", b"-odown", b"+promoted-slave", b"+reboot",
    b"+convert-to-slave", b"+config-update-from",
)  # fmt: skip
_PERIOD: Final = 1.0
_LIMIT: Final = 1.0
_FRESH: Final = 10.0


class View(NamedTuple):
    """What one Sentinel says."""

    epoch: int
    primary: Address
    replicas: frozenset[Address]


class Sentinels:
    """Several Sentinels that watch one primary."""

    def __init__(
        self, sentinels: Sequence[Address], name: str, user: str = "", password: str = ""
    ) -> None:
        """Follow what they call ``name``."""
        self._sentinels = sentinels
        self._name = name.encode()
        self._attributes = Attributes(
            user=user.encode(), password=password.encode() if password else None
        )
        self._views: dict[Address, tuple[float, View]] = {}

    async def follow(self, hub: Hub) -> None:
        """Follow each until cancelled."""
        async with asyncio.TaskGroup() as group:
            for address in self._sentinels:
                poke = asyncio.Event()
                group.create_task(self._ask(hub, address, poke), name=f"sentinel {address}")
                group.create_task(self._listen(hub, address, poke), name=f"messages {address}")

    async def _ask(self, hub: Hub, address: Address, poke: asyncio.Event) -> None:
        backoff, was_well = Backoff(0.1, 2.0), True
        question = packed(b"SENTINEL", b"MASTER", self._name)
        question += packed(b"SENTINEL", b"REPLICAS", self._name)
        while True:
            link = Link(hub.dialer.to(address), self._attributes, name=b"ambassador")
            try:
                await link.open()
                while True:
                    poke.clear()
                    async with asyncio.timeout(_LIMIT):
                        master, replicas = await link.ask(question, 2)
                    self._take(hub, address, view_of(master, replicas))
                    backoff.reset()
                    was_well = True
                    await _first(poke, _PERIOD)
            except (UpstreamUnavailable, Refused, TimeoutError, ProtocolError) as error:
                if was_well:
                    was_well = False
                    _log.warning("Sentinel fails", server=str(address), reason=str(error))
            finally:
                link.close("done")
            await asyncio.sleep(backoff.next())

    async def _listen(self, hub: Hub, address: Address, poke: asyncio.Event) -> None:
        """Ask again when a message says that something happened."""
        backoff = Backoff(0.2, 5.0)
        while True:
            ended = asyncio.Event()
            link = Link(
                hub.dialer.to(address),
                self._attributes,
                name=b"ambassador",
                ended=lambda _, ended=ended: ended.set(),  # type: ignore[misc]
            )
            try:
                await link.open()
                link.tap = lambda _: poke.set()
                link.write_raw(packed(b"PSUBSCRIBE", *_CHANNELS))
                backoff.reset()
                await ended.wait()
            except (UpstreamUnavailable, Refused):
                pass  # the questions say so
            finally:
                link.close("done")
            await asyncio.sleep(backoff.next())

    def _take(self, hub: Hub, address: Address, view: View) -> None:
        self._views[address] = (hub.now(), view)
        fresh = [view for at, view in self._views.values() if hub.now() - at < _FRESH]
        best = newest(fresh)
        hub.serve(best.replicas | {best.primary})
        hub.name_primary(best.primary)


def newest(views: Sequence[View]) -> View:
    """Return the view with the highest epoch, with the replicas that any of that epoch knows."""
    best = max(views, key=lambda view: view.epoch)
    same = [view for view in views if view.epoch == best.epoch and view.primary == best.primary]
    return best._replace(replicas=frozenset().union(*(view.replicas for view in same)))


def view_of(master: object, replicas: object) -> View:
    """Return what the replies say. Raises ProtocolError."""
    if not isinstance(master, list) or not isinstance(replicas, list):
        text = master.decode(errors="replace") if isinstance(master, Failure) else "nonsense"
        raise ProtocolError(f"Sentinel answers: {text}")
    facts = _facts(master)
    return View(
        int(facts.get(b"config-epoch", b"0")),
        _address(facts),
        frozenset(_address(_facts(one)) for one in replicas),
    )


def _facts(flat: object) -> Mapping[bytes, bytes]:
    words = flat if isinstance(flat, list) else []
    return {bytes(key): bytes(value) for key, value in zip(words[::2], words[1::2], strict=False)}


def _address(facts: Mapping[bytes, bytes]) -> Address:
    try:
        return Address(facts[b"ip"].decode(), int(facts[b"port"]))
    except (KeyError, ValueError) as wrong:
        raise ProtocolError("Sentinel names no address") from wrong


async def _first(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
