"""A store that is cut off, compacted, wiped, half open: what the edge and the mirror make of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deploy.tools.etcd import Etcd
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import key_of
from sidecar.errors import StoreUnavailable
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import EdgeOptions, Mirror
from sidecar.stores.etcd import gateway, legacy
from sidecar.stores.etcd.keyspace import Outrun
from sidecar.stores.etcd.opening import open_edge, open_mirror
from tests.integration.stores.conformance.kit import (
    HERE,
    Keeper,
    entry,
    eventually,
    mirrored,
    quiet,
    running,
    wanted,
)
from tests.integration.stores.etcd.harness import v3_entries
from tests.support.ports import free_port
from tests.support.relay import TcpRelay

pytestmark = pytest.mark.etcd
CLOCK = SystemClock()
SCHEMES = ["etcd", "etcd2"]


@asynccontextmanager
async def followed(*ports: int, scheme: str = "etcd") -> AsyncIterator[tuple[Catalog, Mirror]]:
    """Run a mirror that knows members at these ports."""
    members = ",".join(f"127.0.0.1:{port}" for port in ports)

    async with mirrored(
        lambda catalog: open_mirror(f"{scheme}://{members}/s", catalog, clock=CLOCK, environ={})
    ) as pair:
        yield pair


def put(etcd: Etcd, scheme: str, name: str, value: str) -> None:
    """Write an entry as somebody else would."""
    if scheme == "etcd":
        etcd.put(f"/s/web/{name}", value)
        return
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert etcd.ask("PUT", f"/v2/keys/s/web/{name}", f"value={value}", **form)[0] < 300


def delete(etcd: Etcd, scheme: str, name: str) -> None:
    if scheme == "etcd":
        etcd.delete(f"/s/web/{name}")
    else:
        assert etcd.ask("DELETE", f"/v2/keys/s/web/{name}")[0] == 200


def names(catalog: Catalog) -> set[str]:
    return {each.id for each in catalog.snapshot.services.get("web", ())}


async def shown(catalog: Catalog, *expected: str) -> None:
    async def are_shown() -> bool:
        return names(catalog) == set(expected)

    await eventually(are_shown, 3.0, f"exactly {expected}")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_what_changed_during_a_cut_is_exact_afterwards(server: Etcd, scheme: str) -> None:
    relay = TcpRelay(server.port)
    async with relay.running(), followed_by(relay, server, scheme) as catalog:
        relay.shut()
        delete(server, scheme, "a")
        put(server, scheme, "c", "10.0.0.3:80")
        await asyncio.sleep(0.3)
        assert names(catalog) == {"a", "b"}
        await relay.open()
        await shown(catalog, "b", "c")
        put(server, scheme, "d", "10.0.0.4:80")
        await shown(catalog, "b", "c", "d")


@asynccontextmanager
async def followed_by(relay: TcpRelay, etcd: Etcd, scheme: str) -> AsyncIterator[Catalog]:
    """Run a mirror behind the relay that has seen two entries."""
    put(etcd, scheme, "a", "10.0.0.1:80")
    put(etcd, scheme, "b", "10.0.0.2:80")
    async with followed(relay.port, scheme=scheme) as (catalog, _):
        await shown(catalog, "a", "b")
        yield catalog


async def test_history_that_was_compacted_during_a_cut_is_not_missed(server: Etcd) -> None:
    relay = TcpRelay(server.port)
    async with relay.running(), followed_by(relay, server, "etcd") as catalog:
        relay.shut()
        delete(server, "etcd", "a")
        for number in range(5):
            put(server, "etcd", "c", f"10.0.0.3:{80 + number}")
        server.compact()
        await relay.open()
        await shown(catalog, "b", "c")
        assert {each.port for each in catalog.snapshot.services["web"]} == {80, 84}


async def test_a_watch_at_a_compacted_revision_is_told_so(server: Etcd) -> None:
    put(server, "etcd", "a", "10.0.0.1:80")
    put(server, "etcd", "a", "10.0.0.1:81")
    server.compact()
    keys = open_edge(url(server), EdgeOptions(), clock=CLOCK, environ={})
    keyspace = await keys._choice.keyspace()
    with pytest.raises(Outrun):
        await anext(keyspace.follow("/s/", 1))
    with pytest.raises(Outrun):  # a store that was wiped counts from the beginning
        await anext(keyspace.follow("/s/", 1_000_000))
    await keys.close()


async def test_more_events_than_v2_remembers_are_not_missed(server: Etcd) -> None:
    relay = TcpRelay(server.port)
    async with relay.running(), followed_by(relay, server, "etcd2") as catalog:
        relay.shut()
        delete(server, "etcd2", "a")
        for number in range(1_010):
            put(server, "etcd2", "c", f"10.0.0.3:{80 + number}")
        await relay.open()
        await shown(catalog, "b", "c")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_peer_that_vanished_without_a_word_is_noticed(
    server: Etcd, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (gateway, legacy):
        monkeypatch.setattr(module, "_IDLE", 0.4)
    relay = TcpRelay(server.port)
    async with relay.running():
        put(server, scheme, "a", "10.0.0.1:80")
        async with followed(relay.port, scheme=scheme) as (catalog, mirror):
            await shown(catalog, "a")
            await asyncio.sleep(1)  # silence alone is no trouble, and loses nothing
            assert mirror.trouble() is None
            put(server, scheme, "b", "10.0.0.2:80")
            await shown(catalog, "a", "b")
            relay.freeze()

            async def is_troubled() -> bool:
                return mirror.trouble() is not None

            await eventually(is_troubled, 6.0, "trouble")
            delete(server, scheme, "a")
            relay.cut()
            relay.thaw()
            await shown(catalog, "b")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_directory_removed_by_hand_takes_its_entries_along(
    server: Etcd, scheme: str
) -> None:
    for name in "ab":
        put(server, scheme, name, "10.0.0.1:80")
    async with followed(server.port, scheme=scheme) as (catalog, _):
        await shown(catalog, "a", "b")
        if scheme == "etcd2":
            server.ask("DELETE", "/v2/keys/s/web?recursive=true")
        else:
            for name in "ab":
                delete(server, scheme, name)
        await shown(catalog)


@pytest.mark.parametrize("size", [200_000, 400_000], ids=["for etcd", "for its gateway"])
async def test_an_entry_that_is_too_large_harms_only_itself(server: Etcd, size: int) -> None:
    edge = open_edge(url(server), EdgeOptions(), clock=CLOCK, environ={})
    good, bad = entry(), entry(id="x" * size)
    async with running(edge):
        refused = await edge.write(wanted(good, bad))
        assert set(refused) == {key_of(bad)}
        assert "large" in refused[key_of(bad)]
        assert len(v3_entries(server)) == 1


async def test_an_entry_where_v2_has_a_directory_harms_only_itself(server: Etcd) -> None:
    good, bad = entry(), entry(port=21002)
    put(server, "etcd2", f"{bad.id}/x", "1")
    url = f"etcd2://127.0.0.1:{server.port}/s"
    edge = open_edge(url, EdgeOptions(), clock=CLOCK, environ={})
    async with running(edge):
        refused = await edge.write(wanted(good, bad))
        assert set(refused) == {key_of(bad)}
        assert "Not a file" in refused[key_of(bad)]
        assert await edge.write({key_of(bad): None}) == {}


async def test_a_key_where_v2_needs_a_directory_is_told(server: Etcd) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert server.ask("PUT", "/v2/keys/s", "value=1", **form)[0] == 201
    url = f"etcd2://127.0.0.1:{server.port}/s"
    edge = open_edge(url, EdgeOptions(), clock=CLOCK, environ={})
    async with running(edge):
        assert await edge.audit({key_of(entry()): entry()}, HERE) == {key_of(entry())}
        assert "Not a directory" in (await edge.write(wanted(entry())))[key_of(entry())]
    assert server.ask("DELETE", "/v2/keys/s")[0] == 200


async def test_a_wiped_store_has_all_entries_back_within_two_seconds(etcd: Etcd) -> None:
    instances = [entry(port=port) for port in range(21001, 21041)]
    edge = open_edge(url(etcd), EdgeOptions(ttl=30), clock=CLOCK, environ={})
    keeper = Keeper(edge)
    async with keeper.at_work():
        keeper.want(*instances)
        await keeper.settled()
        await asyncio.to_thread(etcd.wipe)

        async def are_back() -> bool:
            return len(v3_entries(etcd)) == 40

        await eventually(are_back, 2.0, "the entries")
        await keeper.settled()
        await quiet(edge, keeper.desired)
        assert all(lease for _, lease in v3_entries(etcd).values())


async def test_a_member_that_is_away_is_passed_over(server: Etcd) -> None:
    nobody = free_port()
    members = f"127.0.0.1:{nobody},127.0.0.1:{server.port}"
    edge = open_edge(f"etcd://{members}/s", EdgeOptions(), clock=CLOCK, environ={})
    async with running(edge):
        await edge.ping()
        assert await edge.write(wanted(entry())) == {}
        assert edge.trouble() is None


async def test_another_member_takes_over_when_one_goes(server: Etcd) -> None:
    relay = TcpRelay(server.port)
    async with relay.running():
        put(server, "etcd", "a", "10.0.0.1:80")
        async with followed(relay.port, server.port) as (catalog, _):
            await shown(catalog, "a")
            relay.shut()
            put(server, "etcd", "b", "10.0.0.2:80")
            await shown(catalog, "a", "b")


async def test_a_server_that_answers_nonsense_is_unavailable() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nnot json\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        for scheme in SCHEMES:
            edge = open_edge(
                f"{scheme}://127.0.0.1:{port}/s", EdgeOptions(), clock=CLOCK, environ={}
            )
            for act in (edge.write(wanted(entry())), edge.audit({}, HERE), edge.ping()):
                with pytest.raises(StoreUnavailable):
                    await act
            assert edge.trouble()
            await edge.close()


async def test_garbage_is_told_once(server: Etcd, caplog: pytest.LogCaptureFixture) -> None:
    put(server, "etcd", "bad", "garbage")
    put(server, "etcd", "good", "10.0.0.1:80")
    async with followed(server.port) as (catalog, _):
        await shown(catalog, "good")
        put(server, "etcd", "bad", "other garbage")
        put(server, "etcd", "next", "10.0.0.1:81")
        await shown(catalog, "good", "next")
    told = [record for record in caplog.records if record.message == "entry cannot be read"]
    assert len(told) == 1


def url(etcd: Etcd) -> str:
    return f"etcd://127.0.0.1:{etcd.port}/s"
