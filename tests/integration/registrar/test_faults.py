"""The registrar on a real engine that is absent, restarted, cut off or lied about."""

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Status
from tests.support.catalog import instance, puts
from tests.support.containers import Containers
from tests.support.registering import Registering, registering
from tests.support.relay import Relay

pytestmark = pytest.mark.engine


@pytest.fixture
def relay(engine: PrivateEngine, tmp_path: Path) -> Relay:
    return Relay(tmp_path / "relay.sock", engine.socket)


def running(engine: PrivateEngine) -> set[str]:
    return set(engine.docker("ps", "--format", "{{.Names}}").split())


def told(caplog: pytest.LogCaptureFixture, event: str) -> int:
    return [record.getMessage() for record in caplog.records].count(event)


async def test_containers_are_found_drained_and_removed(containers: Containers) -> None:
    first = await asyncio.to_thread(containers.run, "first", "-e", "SERVICE_NAME=web")
    async with registering(containers.engine.url) as world:
        assert world.boxes() == {first}
        assert world.catalog.synced
        second = await asyncio.to_thread(containers.run, "second", "-e", "SERVICE_NAME=web")
        await world.until(lambda: world.boxes() == {first, second}, 2)
        entry = world.entries()[f"vm:{second}:80"]
        port = await asyncio.to_thread(containers.port, second)
        assert (entry.address, entry.port, entry.service) == ("192.0.2.7", port, "web")
        async with asyncio.TaskGroup() as group:
            group.create_task(
                asyncio.to_thread(containers.engine.docker, "kill", "-s", "INT", second)
            )
            await world.until(lambda: second not in world.boxes() or is_draining(world, second), 5)
        await asyncio.to_thread(containers.remove, first)
        await world.until(lambda: first not in world.boxes(), 2)


def is_draining(world: Registering, name: str) -> bool:
    return world.entries()[f"vm:{name}:80"].draining


async def test_pause_unpause_and_rename_are_followed(containers: Containers) -> None:
    docker = containers.engine.docker
    async with registering(containers.engine.url) as world:
        name = await asyncio.to_thread(containers.run, "box")
        id_ = f"vm:{name}:80"
        await world.until(lambda: id_ in world.entries(), 2)
        await asyncio.to_thread(docker, "pause", name)
        await world.until(lambda: world.entries()[id_].status is Status.CRITICAL, 2)
        await asyncio.to_thread(docker, "unpause", name)
        await world.until(lambda: world.entries()[id_].status is Status.PASSING, 2)
        await asyncio.to_thread(docker, "rename", name, f"{name}-new")
        await world.until(lambda: world.boxes() == {f"{name}-new"}, 2)
        await asyncio.to_thread(containers.remove, f"{name}-new")


async def test_a_healthcheck_is_mirrored(containers: Containers) -> None:
    async with registering(containers.engine.url) as world:
        name = await asyncio.to_thread(
            containers.run, "box", "--health-cmd", "test -e /tmp/well", "--health-interval", "100ms"
        )
        id_ = f"vm:{name}:80"
        await world.until(lambda: id_ in world.entries(), 2)
        assert world.entries()[id_].status is Status.CRITICAL
        await asyncio.to_thread(containers.engine.docker, "exec", name, "touch", "/tmp/well")
        await world.until(lambda: world.entries()[id_].status is Status.PASSING, 10)
        assert [check.output for check in world.entries()[id_].checks] == ["healthy"]


async def test_networks_are_followed(containers: Containers) -> None:
    docker = containers.engine.docker
    network = containers.name("net")
    await asyncio.to_thread(docker, "network", "create", network)
    try:
        async with registering(containers.engine.url) as world:
            name = await asyncio.to_thread(
                containers.run, "box", "--expose", "80",
                "-e", f"SERVICE_NETWORK={network}", publish=False,
            )  # fmt: skip
            id_ = f"vm:{name}:80"
            await world.until(lambda: id_ in world.entries(), 2)
            before = world.entries()[id_].address
            await asyncio.to_thread(docker, "network", "connect", network, name)
            await world.until(lambda: world.entries()[id_].address != before, 2)
            await asyncio.to_thread(docker, "network", "disconnect", network, name)
            await world.until(lambda: world.entries()[id_].address == before, 2)
            await asyncio.to_thread(containers.clean)
    finally:
        await asyncio.to_thread(docker, "network", "rm", network)


async def test_a_container_dead_before_it_is_looked_at_is_never_registered(
    containers: Containers, relay: Relay
) -> None:
    async with relay.running(), registering(relay.url) as world:
        relay.freeze()
        for number in range(5):
            name = await asyncio.to_thread(containers.run, f"short{number}")
            await asyncio.to_thread(containers.engine.docker, "kill", name)
        relay.thaw()  # now the starts are told
        last = await asyncio.to_thread(containers.run, "last")
        await world.until(lambda: last in world.boxes(), 3)
        assert world.ever == {f"vm:{last}:80"}


async def test_a_re_used_name_is_the_new_container(containers: Containers) -> None:
    async with registering(containers.engine.url) as world:
        for _ in range(12):  # as fast as a real engine goes
            name = await asyncio.to_thread(containers.run, "box")
            await asyncio.to_thread(containers.remove, name)
        name = await asyncio.to_thread(containers.run, "box")
        port = await asyncio.to_thread(containers.port, name)
        await world.until(lambda: name in world.boxes(), 2)
        assert world.entries()[f"vm:{name}:80"].port == port


async def test_an_absent_engine_is_told_once_and_found_when_it_comes(
    containers: Containers, relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    name = await asyncio.to_thread(containers.run, "box")
    async with registering(relay.url) as world:
        assert world.entries() == {}
        assert not world.catalog.synced
        await asyncio.sleep(1.5)  # several attempts
        assert "docker:" in str(world.registrar.trouble())
        assert told(caplog, "docker engine unreachable") == 1
        async with relay.running():
            await world.until(lambda: world.boxes() == {name}, 2)
            await world.until(lambda: world.registrar.trouble() is None, 1)
            assert told(caplog, "docker engine connected") == 1


async def test_cut_event_streams_lose_nothing(containers: Containers, relay: Relay) -> None:
    async with relay.running(), registering(relay.url) as world:
        cuts = 0

        async def keep_cutting() -> None:
            nonlocal cuts
            while True:
                await asyncio.sleep(0.3)
                relay.cut()
                cuts += 1

        async with asyncio.TaskGroup() as group:
            cutting = group.create_task(keep_cutting())
            names = [await asyncio.to_thread(containers.run, f"box{n}") for n in range(20)]
            await asyncio.to_thread(containers.remove, *names[::2])
            cutting.cancel()
        await world.until(lambda: world.boxes() == set(names[1::2]), 3)
        assert cuts > 3
        await asyncio.to_thread(containers.remove, *names[1::2])
        await world.until(lambda: world.boxes() == set(), 3)


async def test_a_dropped_event_is_made_good_by_the_next_reconcile(
    containers: Containers, relay: Relay
) -> None:
    async with relay.running(), registering(relay.url, resync=1.0) as world:
        name = await asyncio.to_thread(containers.run, "box")
        await world.until(lambda: world.boxes() == {name}, 2)
        relay.drop = without_deaths
        await asyncio.to_thread(containers.remove, name)
        await world.until(lambda: world.boxes() == set(), 3)


def without_deaths(data: bytes) -> bytes:
    """Take kill, die and destroy events out of a stream (each chunk holds one event)."""
    return b"" if re.search(rb'"Action":"(kill|die|destroy)"', data) else data


async def test_a_silent_stream_is_noticed_by_a_ping(containers: Containers, relay: Relay) -> None:
    async with relay.running(), registering(relay.url, ping=0.3) as world:
        relay.freeze()
        name = await asyncio.to_thread(containers.run, "box")
        await world.until(lambda: "does not answer" in str(world.registrar.trouble()), 8)
        relay.thaw()
        await world.until(lambda: world.boxes() == {name}, 5)
        before = relay.connections
        await asyncio.sleep(1.0)  # several pings, all answered
        assert relay.connections - before <= 1, "a quiet stream stays open"


async def test_orphans_of_an_earlier_run_go_and_strangers_stay(containers: Containers) -> None:
    async with registering(containers.engine.url) as world:
        name = await asyncio.to_thread(containers.run, "box")
        await world.until(lambda: world.boxes() == {name}, 2)
        (ours,) = world.entries().values()
    catalog = Catalog()
    orphan = instance("web", "vm:gone:80", owner=ours.owner)
    catalog.commit(puts(orphan, instance("web", "x:other:80", owner="registrar:other")))
    async with registering(containers.engine.url, catalog=catalog) as world:
        await world.until(lambda: world.boxes() == {name, "other"}, 2)


HOSTILE = {
    "newline": ("SERVICE_A", "x\n    server evil 192.0.2.66:80"),
    "quote": ("SERVICE_B", "\"'`$(id)"),
    "control": ("SERVICE_C", "\x1b[2J\x07"),
    "big": ("SERVICE_D", "x" * 100_000),
    "utf8": ("SERVICE_E", b"\xff\xfe".decode("utf-8", "surrogateescape")),
    "key": ("SERVICE_F.G/H", "1"),
    "tags": ("SERVICE_TAGS", "a\nb," * 500),
    "host": ("pinnace.http.host", 'a.example"\n  acl evil'),
    "listen": ("pinnace.tcp.listen", "70000"),
    "name": ("SERVICE_NAME", "../../etc"),
}


async def test_hostile_labels_harm_nobody_and_are_told_with_container_and_label(
    containers: Containers, caplog: pytest.LogCaptureFixture
) -> None:
    async with registering(containers.engine.url) as world:
        good = await asyncio.to_thread(containers.run, "good", "-e", "SERVICE_NAME=good")
        await world.until(lambda: good in world.boxes(), 2)
        before = world.catalog.snapshot.services["good"]
        names = {
            case: await asyncio.to_thread(containers.run, case, "--label", f"{label}={value}")
            for case, (label, value) in HOSTILE.items()
        }
        expected = set(names.values()) - {names["name"]}
        await world.until(lambda: world.boxes() == expected | {good}, 3)
        assert world.catalog.snapshot.services["good"] is before
        for entry in world.entries().values():
            for text in (*entry.tags, *entry.meta, *entry.meta.values()):
                assert text.isprintable()
                assert len(text.encode()) <= 512
    fields = [getattr(record, "pinnace_fields", {}) for record in caplog.records]
    problems = {(f["container"], f["label"]) for f in fields if "problem" in f}
    harmless = {"quote", "utf8"}  # Docker itself makes U+FFFD of what is no UTF-8
    assert problems == {
        (names[case], label) for case, (label, _) in HOSTILE.items() if case not in harmless
    }


async def test_after_a_restart_of_the_engine_the_catalogue_is_its_container_list() -> None:
    with PrivateEngine() as engine:
        await asyncio.to_thread(engine.build_images, "web")
        containers = Containers(engine)
        async with registering(engine.url) as world:
            gone = await asyncio.to_thread(containers.run, "gone")
            kept = await asyncio.to_thread(containers.run, "kept", "--restart", "always")
            await world.until(lambda: world.boxes() == {gone, kept}, 2)
            await asyncio.to_thread(engine.restart)
            await world.until(lambda: world.boxes() == {kept}, 2)
            assert await asyncio.to_thread(running, engine) == {kept}
            port = await asyncio.to_thread(containers.port, kept)
            await world.until(lambda: world.entries()[f"vm:{kept}:80"].port == port, 2)


async def test_containers_that_outlive_their_engine_keep_their_entries() -> None:
    with PrivateEngine(live_restore=True) as engine:
        await asyncio.to_thread(engine.build_images, "web")
        containers = Containers(engine)
        async with registering(engine.url) as world:
            kept = await asyncio.to_thread(containers.run, "kept")
            gone = await asyncio.to_thread(containers.run, "gone")
            await world.until(lambda: world.boxes() == {kept, gone}, 2)
            pid = int(
                await asyncio.to_thread(engine.docker, "inspect", "-f", "{{.State.Pid}}", gone)
            )
            before = world.entries()
            await asyncio.to_thread(engine.stop_daemon)
            await world.until(lambda: world.registrar.trouble() is not None, 2)
            os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(1.0)
            assert world.entries() == before, "nothing is removed while the engine is away"
            await asyncio.to_thread(engine.start_daemon)
            await world.until(lambda: world.boxes() == {kept}, 2)
            assert world.entries().items() <= before.items()
