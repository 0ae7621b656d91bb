"""Hosts of a list that changes: those of files, and nodes that register themselves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from sidecar.catalog.live import Catalog
from sidecar.errors import ConfigError, EngineUnavailable
from sidecar.hosts import Host
from sidecar.roster import Roster
from sidecar.runtime.clock import FakeClock
from sidecar.scheduler.fencing import Record, agent_key
from sidecar.scheduler.nodes.links import Links
from sidecar.scheduler.nodes.node import NodeSettings
from sidecar.scheduler.nodes.settings import registered
from sidecar.stores.keyvalue import EmbeddedKeyValue


class _Registrar:
    name = "registrar"

    def __init__(self) -> None:
        self.is_empty = False
        self.away: str | None = None
        self.is_slow = False

    async def run(self, ready: Any) -> None:
        if not self.is_slow:
            ready()
        await asyncio.Event().wait()

    def withdraw_all(self) -> None:
        self.is_empty = True

    async def written(self) -> None:
        assert self.is_empty

    async def forsake(self) -> None:
        self.is_empty = True

    def trouble(self) -> str | None:
        return self.away


@dataclass
class _Kit:
    """Lists and keys, and what became of them."""

    clock: FakeClock = field(default_factory=FakeClock)
    listed: list[NodeSettings] = field(default_factory=list)
    mistake: str = ""
    away: str | None = None
    is_slow: bool = False
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = EmbeddedKeyValue(Catalog(), self.clock)
        maker = cast("Any", lambda _stack: self)
        self.roster = Roster(self.read, self.keys, maker, clock=self.clock)
        self.roster.followers.append(self)

    def read(self) -> list[NodeSettings]:
        if self.mistake:
            raise ConfigError([self.mistake])
        return [*self.listed]

    async def node(self, node: NodeSettings) -> Host:
        if node.endpoint == "tcp://nowhere:1":
            raise EngineUnavailable("no tunnel")
        registrar = _Registrar()
        registrar.away, registrar.is_slow = self.away, self.is_slow
        return Host(node, cast("Any", None), cast("Any", registrar), cast("Any", None), ())

    def join(self, host: Host) -> None:
        self.told.append(f"+{host.settings.name}")

    def leave(self, name: str) -> None:
        self.told.append(f"-{name}")

    def change(self, host: Host) -> None:
        self.told.append(f"={host.settings.name} {dict(host.settings.labels)}")

    async def register(self, name: str, **about: Any) -> None:
        record = Record("boot/1", 1, 10.0, node=about)
        await self.keys.put(agent_key(name), record.packed())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        ready = asyncio.Event()
        await self.roster.open()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.roster.run(ready.set))
            while not ready.is_set():
                await self.turn(0.1)
            yield
            task.cancel()

    async def turn(self, seconds: float = 3.0) -> None:
        """Let time pass, and threads end."""
        for _ in range(3):
            await self.clock.advance(seconds / 3)
            await asyncio.sleep(0.01)

    async def until(self, *told: str) -> None:
        async with asyncio.timeout(20):
            while self.told != [*told]:
                await self.turn()


def _node(name: str, endpoint: str = "tcp://192.0.2.1:1") -> NodeSettings:
    return NodeSettings(name=name, endpoint=endpoint)


@pytest.fixture
async def kit() -> _Kit:
    return _Kit()


async def test_hosts_come_and_go_with_the_files(kit: _Kit) -> None:
    kit.listed = [_node("n1")]
    async with kit.running():
        assert (kit.told, kit.roster.is_complete) == (["+n1"], True)
        kit.listed = [_node("n1"), _node("n2")]
        await kit.until("+n1", "+n2")
        kit.mistake = "a comma is missing"
        await kit.turn()
        assert kit.roster.trouble() == "a comma is missing"
        assert kit.roster.hosts.keys() == {"n1", "n2"}
        kit.mistake, kit.listed = "", [_node("n1", "tcp://192.0.2.9:1")]
        await kit.until("+n1", "+n2", "-n1", "+n1", "-n2")
        assert kit.roster.trouble() is None
    assert kit.roster.hosts == {}


def _registrar(kit: _Kit, name: str = "n1") -> _Registrar:
    return cast("_Registrar", kit.roster.hosts[name].registrar)


async def test_a_host_that_is_reached_in_another_way_stays_in_the_catalogue(kit: _Kit) -> None:
    kit.listed = [_node("n1")]
    async with kit.running():
        first = _registrar(kit)
        kit.listed = [_node("n1", "tcp://nowhere:1")]
        await kit.turn()
        assert (kit.told, kit.roster.trouble()) == (["+n1"], "n1: no tunnel")
        kit.listed = [_node("n1")]
        await kit.turn()
        assert (kit.roster.trouble(), _registrar(kit)) == (None, first)
        kit.listed = [_node("n1", "tcp://192.0.2.9:1")]
        await kit.until("+n1", "-n1", "+n1")
        second = _registrar(kit)
        await kit.turn()
        assert not first.is_empty
        kit.listed = []
        await kit.until("+n1", "-n1", "+n1", "-n1")
        assert (first.is_empty, second.is_empty) == (False, True)


async def test_what_cannot_be_reached_anew_leaves_the_catalogue(kit: _Kit) -> None:
    kit.listed = [_node("n1")]
    async with kit.running():
        first = _registrar(kit)
        kit.away = "docker: connection refused"
        kit.listed = [_node("n1", "tcp://192.0.2.9:1")]
        await kit.until("+n1", "-n1", "+n1")
        await kit.turn()
        await kit.turn()
        assert first.is_empty


async def test_what_was_never_looked_at_anew_leaves_the_catalogue_with_its_host(kit: _Kit) -> None:
    kit.listed = [_node("n1")]
    async with kit.running():
        first = _registrar(kit)
        kit.is_slow = True
        for number in (8, 9):  # changed twice
            kit.listed = [_node("n1", f"tcp://192.0.2.{number}:1")]
            await kit.turn()
        assert (kit.told, first.is_empty) == (["+n1", "-n1", "+n1", "-n1", "+n1"], False)
        kit.listed = []
        await kit.until("+n1", "-n1", "+n1", "-n1", "+n1", "-n1")
        assert first.is_empty


async def test_what_is_set_of_a_host_changes_while_what_it_runs_stays_in_the_catalogue(
    kit: _Kit,
) -> None:
    kit.listed = [_node("n1")]
    await kit.register("n2", endpoint="tcp://192.0.2.2:1")
    async with kit.running():
        registrars = [host.registrar for host in kit.roster.hosts.values()]
        kit.listed = [replace(_node("n1"), labels={"zone": "b"}, overcommit=(2.0, 1.0))]
        await kit.until("+n1", "+n2", "=n1 {'zone': 'b'}")
        assert kit.roster.hosts["n1"].settings == kit.listed[0]
        await kit.register("n2", endpoint="tcp://192.0.2.2:1", labels={"disk": "ssd"})
        await kit.until("+n1", "+n2", "=n1 {'zone': 'b'}", "=n2 {'disk': 'ssd'}")
        assert [host.registrar for host in kit.roster.hosts.values()] == registrars
        assert not any(cast("_Registrar", each).is_empty for each in registrars)


async def test_nodes_that_register_themselves_stay_for_a_while_after_they_fell_silent(
    kit: _Kit,
) -> None:
    kit.listed = [_node("n1")]
    await kit.register("n1", endpoint="tcp://192.0.2.66:1")  # the file says it
    await kit.register("n2", endpoint="tcp://192.0.2.2:1", labels={"zone": "b"})
    await kit.register("bad", endpoint="ssh://-oProxyCommand=x")
    await kit.register("silent")
    async with kit.running():
        assert kit.told == ["+n1", "+n2"]
        assert kit.roster.hosts["n1"].settings.endpoint == "tcp://192.0.2.1:1"
        assert kit.roster.hosts["n2"].settings.labels == {"zone": "b"}
        for _ in range(9):
            await kit.turn(60)
        assert kit.told == ["+n1", "+n2"]
        await kit.until("+n1", "+n2", "-n2")
        await kit.register("n2", endpoint="tcp://192.0.2.2:1")
        await kit.until("+n1", "+n2", "-n2", "+n2")


async def test_a_host_that_cannot_be_made_is_tried_again(kit: _Kit) -> None:
    kit.listed = [_node("n1", "tcp://nowhere:1")]
    async with kit.running():
        assert (kit.told, kit.roster.trouble()) == ([], "n1: no tunnel")
        kit.listed = [_node("n1")]
        await kit.until("+n1")


def test_whoever_registers_itself_names_no_file_and_no_command() -> None:
    found = registered({"name": "n1", "endpoint": "tcp://h:1", "reserve": {"cpus": 1}}, "key")
    assert (found.name, found.reserve.cpu) == ("n1", 10**9)
    for more in ({"ca": "/etc/x"}, {"endpoint": "unix:///x"}, {"endpoint": "ssh://h"}, {"x": 1}):
        with pytest.raises(ConfigError, match=r"key|n1"):
            registered({"name": "n1", "endpoint": "tcp://h:1", **more}, "key")


async def test_a_node_that_left_cannot_be_reached() -> None:
    links = Links((), is_complete=lambda: False)
    assert not links.are_known
    with pytest.raises(EngineUnavailable, match="n1 is listed no more"):
        links["n1"]
