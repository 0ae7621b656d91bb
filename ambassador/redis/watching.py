"""Ask a server again and again who it is and how far, on a connection of its own."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ambassador.redis.commands import Table, names_of
from ambassador.redis.link import DEFAULT, Link, Refused
from ambassador.redis.resp import packed
from ambassador.redis.roles import Observation, observation_of
from sidecar.errors import ProtocolError, UpstreamUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.log import get_logger

if TYPE_CHECKING:
    from ambassador.redis.node import Node

__all__ = ["watch"]

_log = get_logger("ambassador")
_PROBE: Final = packed(b"ROLE") + packed(b"INFO")
_LEARN: Final = packed(b"COMMAND") + packed(b"HELLO", b"2")
_LEARN_LIMIT: Final = 5.0


async def watch(node: "Node") -> None:
    """Probe a server until cancelled; its place among the others is judged at every change."""
    hub, settings = node.hub, node.hub.settings
    backoff = Backoff(0.05, 2.0)
    while True:
        link = Link(hub.dialer.to(node.address), hub.with_login(DEFAULT), name=b"ambassador:watch")
        try:
            await link.open()
            while True:
                async with asyncio.timeout(settings.probe_timeout):
                    role, info = await link.ask(_PROBE, 2)
                await _take(node, link, observation_of(role, info, hub.now()))
                backoff.reset()
                # What is not sure yet is asked again soon.
                pause = settings.probe_every if node.health.is_up else settings.probe_every / 10
                await _pause(node, pause)
        except (UpstreamUnavailable, Refused, TimeoutError, ProtocolError) as error:
            _failed(node, str(error) or "no answer in time")
        finally:
            link.close("watch ends")
        await _pause(node, backoff.next())


async def _pause(node: "Node", seconds: float) -> None:
    node.poked.clear()
    try:
        async with asyncio.timeout(seconds):
            await node.poked.wait()
    except TimeoutError:
        pass


def _failed(node: "Node", why: str) -> None:
    was = node.health.state
    node.health.fail()
    if node.health.state != was:
        _log.warning("server fails", server=node.label, state=node.health.state, reason=why)
    if node.observation is not None:
        node.observation = None
        node.offset = -1
        node.hub.rejudge()


async def _take(node: "Node", link: Link, seen: Observation) -> None:
    hub, before = node.hub, node.observation
    node.health.succeed()
    if before is not None and before.role == seen.role:
        seen = replace(seen, since=before.since)
    node.observation = seen
    hub.tallies.last_look = hub.now()
    is_new = before is None or (before.run_id, before.version) != (seen.run_id, seen.version)
    if seen.role == "master" and is_new and not seen.is_loading:
        await _learn(node, link)
    if seen.role == "slave":
        node.offset = seen.offset
    if before is None or _differs(before, seen) or not node.is_readable or hub.held:
        hub.rejudge()
    hub.probed(node, seen.offset)


def _differs(before: Observation, seen: Observation) -> bool:
    return (before.role, before.replid, before.is_linked, before.is_loading, before.followers) != (
        seen.role, seen.replid, seen.is_linked, seen.is_loading, seen.followers,
    )  # fmt: skip


async def _learn(node: "Node", link: Link) -> None:
    """Read the commands that a primary knows."""
    async with asyncio.timeout(_LEARN_LIMIT):
        commands, hello = await link.ask(_LEARN, 2)
    found = names_of(commands)
    if not found:
        _log.warning("commands are not told, those of Redis 7.0 are assumed", server=node.label)
    node.hub.learn(Table(found))
    if isinstance(hello, list):
        node.hub.hello = {
            key: value
            for key, value in zip(hello[::2], hello[1::2], strict=False)
            if isinstance(key, bytes) and isinstance(value, bytes)
        }
