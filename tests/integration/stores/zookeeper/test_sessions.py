"""Entries live as long as a session: what happens when it ends, and between two of them."""

import asyncio
import signal
import threading

import pytest
from kazoo.client import KazooClient

from sidecar.catalog.model import InstanceId, key_of
from sidecar.stores.base import EdgeOptions, Holder
from tests.integration.stores.conformance.kit import (
    HERE,
    Keeper,
    entry,
    eventually,
    quiet,
    running,
    wanted,
)
from tests.integration.stores.conformance.zookeeper import BASE, ZooKeeperBackend
from tests.integration.stores.zookeeper.harness import (
    Onlooker,
    edge_on,
    end_session,
    keeper_process,
    stands,
)

pytestmark = pytest.mark.zookeeper
PORTS = (21001, 21002, 21003)
ENTRIES = [entry(port=port) for port in PORTS]
DESIRED = {key_of(each): each for each in ENTRIES}


async def test_entries_stay_when_the_edge_closes_and_go_with_its_session(
    zookeeper: ZooKeeperBackend,
) -> None:
    edge, _ = edge_on(zookeeper, session=1.0)
    async with running(edge):
        await edge.write(wanted(*ENTRIES))
    assert await zookeeper.raw() == zookeeper.expected(ENTRIES)
    await eventually(stands(zookeeper), 3.0, "the end of the session")


async def test_a_process_frozen_beyond_its_session_is_back_within_two_seconds(
    zookeeper: ZooKeeperBackend,
) -> None:
    async with keeper_process(zookeeper, 1.0, *PORTS) as process:
        assert await zookeeper.raw() == zookeeper.expected(ENTRIES)
        process.send_signal(signal.SIGSTOP)
        await eventually(stands(zookeeper), 4.0, "the end of the session")
        process.send_signal(signal.SIGCONT)
        await eventually(stands(zookeeper, *ENTRIES), 2.0, "the entries of the new session")


async def test_a_session_that_the_server_ends_is_followed_by_another(
    zookeeper: ZooKeeperBackend,
) -> None:
    edge, client = edge_on(zookeeper)
    keeper = Keeper(edge)
    async with keeper.at_work():
        keeper.want(*ENTRIES)
        await keeper.settled()
        first = client.session
        kazoo = client._kazoo
        assert kazoo is not None
        await asyncio.to_thread(end_session, zookeeper, kazoo.client_id)
        await eventually(stands(zookeeper, *ENTRIES), 2.0, "the entries of the new session")
        assert client.session != first


async def test_a_client_whose_threads_ended_begins_anew(zookeeper: ZooKeeperBackend) -> None:
    edge, client = edge_on(zookeeper)
    keeper = Keeper(edge)
    async with keeper.at_work():
        keeper.want(*ENTRIES)
        await keeper.settled()
        kazoo = client._kazoo
        assert kazoo is not None
        await asyncio.to_thread(kazoo.stop)  # ends the session too
        await eventually(stands(zookeeper, *ENTRIES), 2.0, "the entries of the new session")
        assert client._kazoo is not kazoo


async def test_a_quick_restart_takes_entries_over_without_a_gap(
    zookeeper: ZooKeeperBackend,
) -> None:
    async with keeper_process(zookeeper, 2.0, *PORTS, 21099) as process:
        with Onlooker(zookeeper, PORTS) as onlooker:
            process.kill()
            await process.wait()
            edge, _ = edge_on(zookeeper)
            keeper = Keeper(edge)
            async with keeper.at_work():
                for each in ENTRIES:
                    keeper.desired[key_of(each)] = each
                unnamed = Holder(HERE.owner, "")  # a registrar that adopts nothing
                found = await edge.audit(keeper.desired, unnamed)
                assert {key.service for key in found} == {"web"}
                assert len(found) == 4  # one that the last process left is not wanted any more
                named = {key._replace(node=HERE.node) for key in found}
                await edge.write({key: keeper.desired.get(key) for key in named})
                assert await zookeeper.raw() == zookeeper.expected(ENTRIES)
                await asyncio.sleep(3)  # the old session ends meanwhile
                assert await zookeeper.raw() == zookeeper.expected(ENTRIES)
                assert not await edge.audit(keeper.desired, HERE)
    assert onlooker.looks > 100
    assert onlooker.missed == 0


async def test_two_registrars_of_one_host_do_not_take_entries_from_each_other(
    zookeeper: ZooKeeperBackend,
) -> None:
    (first, _), (second, _) = edge_on(zookeeper), edge_on(zookeeper, session=1.0)
    ours = Keeper(first)
    async with ours.at_work():
        ours.want(*ENTRIES)
        await ours.settled()
        theirs = Keeper(second)
        async with theirs.at_work():
            theirs.desired.update(ours.desired)
            theirs.want(*ENTRIES)
            await theirs.settled()
            await asyncio.sleep(0.3)
            before = await zookeeper.revision()
            await quiet(first, DESIRED)
            assert await first.audit(DESIRED, HERE) == frozenset()
            assert await zookeeper.revision() == before
        # The second is gone; when its session ends, the first has all to itself again.
        await asyncio.sleep(1.5)
        await eventually(stands(zookeeper, *ENTRIES), 2.0, "the first's entries")
        assert await zookeeper.revision() != before


async def test_what_was_let_go_stays_and_comes_back_no_more(zookeeper: ZooKeeperBackend) -> None:
    kept, *others = ENTRIES
    successor = entry(port=PORTS[0], id=InstanceId("vm-1:later:80"))
    edge, _ = edge_on(zookeeper)
    async with running(edge):
        await edge.write(wanted(*ENTRIES))
        edge.let_go([key_of(kept)])
        assert await zookeeper.raw() == zookeeper.expected(ENTRIES)
        assert await edge.audit({key_of(each): each for each in others}, HERE) == {key_of(kept)}
        await edge.write({key_of(kept): None})
        assert await zookeeper.raw() == zookeeper.expected(others)
        await edge.write(wanted(kept))
        edge.let_go([key_of(kept)])
        await edge.write(wanted(successor))
        await edge.write({key_of(successor): None})
        assert await zookeeper.raw() == zookeeper.expected(others)


async def test_a_forged_mark_makes_nothing_ours(zookeeper: ZooKeeperBackend) -> None:
    foreign = entry(port=21055, address="192.0.2.55")
    edge, client = edge_on(zookeeper)

    def forge(kazoo: KazooClient) -> None:
        for session in ("0000000000000000", "none", f"{client.session % (1 << 64):016x}"):
            path = f"/pinnace-owners/registrar%3Aengine-1@{session}"
            kazoo.create(path, b"", makepath=True)

    async with running(edge):
        await edge.ping()
        await zookeeper.ask(forge)
        await zookeeper.put_foreign(foreign)
        assert await edge.audit({}, HERE) == frozenset()
        assert await edge.write({}) == {}
        assert await zookeeper.raw() == zookeeper.expected([foreign])


async def test_without_marks_nothing_is_left_beside_the_entries(
    zookeeper: ZooKeeperBackend,
) -> None:
    def top(client: KazooClient) -> set[str]:
        return set(client.get_children("/")) - {"zookeeper"}

    edge = zookeeper.edge(EdgeOptions(is_marked=False))
    async with running(edge):
        await edge.write(wanted(*ENTRIES))
        assert await zookeeper.ask(top) == {"services"}


async def test_with_the_base_at_the_root_services_are_top_nodes(
    zookeeper: ZooKeeperBackend,
) -> None:
    edge, _ = edge_on(zookeeper, base="/")

    def top(client: KazooClient) -> set[str]:
        return set(client.get_children("/")) - {"zookeeper", "pinnace-owners"}

    async with running(edge):
        await edge.write(wanted(*ENTRIES))
        assert await zookeeper.ask(top) == {"web"}
        assert await edge.audit(DESIRED, HERE) == frozenset()
        await edge.write(dict.fromkeys(DESIRED))
        assert await zookeeper.ask(top) == set()


async def test_a_service_node_goes_with_its_last_entry_and_not_before(
    zookeeper: ZooKeeperBackend,
) -> None:
    edge, _ = edge_on(zookeeper)
    foreign = entry(port=21055, address="192.0.2.55")

    def services(client: KazooClient) -> list[str]:
        return client.get_children(BASE)

    async with running(edge):
        await zookeeper.put_foreign(foreign)
        await edge.write(wanted(*ENTRIES))
        await edge.write(dict.fromkeys(DESIRED))
        assert await zookeeper.ask(services) == ["web"]
        await zookeeper.remove(foreign)
        await edge.write(wanted(ENTRIES[0]))
        await edge.write({key_of(ENTRIES[0]): None})
        assert await zookeeper.ask(services) == []


async def test_the_threads_end_with_the_client(zookeeper: ZooKeeperBackend) -> None:
    edge, _ = edge_on(zookeeper)
    await asyncio.to_thread(int)  # a worker thread stays
    before = {each.ident for each in threading.enumerate() if "asyncio" not in each.name}
    async with running(edge):
        await edge.ping()
        assert len(threading.enumerate()) >= len(before) + 3
    after = {each.ident for each in threading.enumerate() if "asyncio" not in each.name}
    assert after <= before
