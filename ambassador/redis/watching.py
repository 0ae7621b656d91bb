"""Ask a server again and again who it is and how far, on a connection of its own."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ambassador.frame.health import State
from ambassador.redis.commands import Table, names_of
from ambassador.redis.greeting import DEFAULT, Refused
from ambassador.redis.link import Link
from ambassador.redis.resp import Failure, packed
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
        link.node, node.watcher = node, link
        hub.monitors.take(link)
        begun = hub.now()
        try:
            is_known = node.observation is not None
            async with asyncio.timeout(settings.probe_timeout if is_known else None):
                await link.open()
            while True:
                begun = hub.now()
                async with asyncio.timeout(settings.probe_timeout):
                    role, info = await link.ask(_PROBE, 2)
                node.heard = hub.now()
                if node.observation is not None and _is_busy(role):
                    node.health.succeed()  # a script runs: it is who it was
                else:
                    await _take(node, link, observation_of(role, info, hub.now()))
                backoff.reset()
                # What is not sure yet is asked again soon.
                pause = settings.probe_every if node.health.is_up else settings.probe_every / 10
                await _pause(node, pause)
        except TimeoutError:
            if not _is_alive(node, begun):
                _failed(node, "", is_silent=True)
        except (UpstreamUnavailable, Refused, ProtocolError) as error:
            _failed(node, str(error), is_silent=False)
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


def _is_busy(role: object) -> bool:
    return isinstance(role, Failure) and role.startswith(b"BUSY ")


def _is_alive(node: "Node", begun: float) -> bool:
    """Say whether a probe without an answer tells nothing of the server."""
    if node.hub.now() - begun > 2 * node.hub.settings.probe_timeout:
        return True  # it was this program that did not run
    return any(link.heard > begun for link in node.every_link())


def _failed(node: "Node", why: str, *, is_silent: bool) -> None:
    """Take a failed probe; who only takes long is believed gone after the third one."""
    was = node.health.state
    node.health.fail()
    if node.health.state != was:
        reason = why or "no answer in time"
        _log.warning("server fails", server=node.label, state=node.health.state, reason=reason)
    if node.observation is not None and not (is_silent and _may_only_be_slow(node)):
        node.observation = None
        node.offset = -1
        node.hub.rejudge()


def _may_only_be_slow(node: "Node") -> bool:
    """Say whether clients are to wait for a silent server, as they would without us.

    Where there is no other, nothing can take its place as long as it takes connections.
    """
    if node.health.state is not State.DOWN:
        return True
    return len(node.hub.nodes) == 1 and node.watcher is not None and bool(node.watcher.port)


async def _take(node: "Node", link: Link, seen: Observation) -> None:
    hub, before = node.hub, node.observation
    node.health.succeed()
    if before is not None and before.role == seen.role:
        seen = replace(seen, since=before.since)
    node.observation, node.tells_role = seen, seen.is_told
    hub.tallies.last_look = hub.now()
    is_new = before is None or _program(before) != _program(seen)
    if seen.role == "master" and is_new and not seen.is_loading:
        await _learn(node, link)
    if seen.role == "slave":
        node.offset = seen.offset
    if before is None or _differs(before, seen) or not node.is_readable or hub.held:
        hub.rejudge()
    hub.probed(node, seen.offset)


def _program(seen: Observation) -> tuple[object, ...]:
    """Return what decides which commands there are."""
    return seen.run_id, seen.version, seen.modules


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
