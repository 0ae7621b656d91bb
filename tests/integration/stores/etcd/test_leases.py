"""Leases of v3, the TTLs of v2, and two owners of one key."""

import asyncio

import pytest

from deploy.tools.etcd import Etcd
from sidecar.catalog.model import key_of
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import EdgeOptions
from sidecar.stores.etcd.opening import open_edge
from tests.integration.stores.conformance.kit import HERE, THERE, entry, eventually, running, wanted
from tests.integration.stores.etcd.harness import edge_on, v2_entries, v3_entries
from tests.support.pace import allowed
from tests.support.relay import TcpRelay

pytestmark = pytest.mark.etcd
ONE, TWO = entry(port=21001), entry(port=21002)


async def test_all_entries_of_a_registrar_hang_on_one_lease(server: Etcd) -> None:
    edge = edge_on(server, ttl=30)
    async with running(edge):
        await edge.write(wanted(ONE, TWO))
        leases = {lease for _, lease in v3_entries(server).values()}
        assert {lease for _, lease in v3_entries(server, "_pinnace/").values()} == leases
        assert len(leases) == 1
        assert 0 not in leases


async def test_entries_from_before_a_ttl_was_wanted_get_one(server: Etcd) -> None:
    plain, leased = edge_on(server, ttl=0), edge_on(server, ttl=30)
    async with running(plain, leased):
        await plain.write(wanted(ONE))
        assert await leased.audit({key_of(ONE): ONE}, HERE) == {key_of(ONE)}
        await leased.write(wanted(ONE))
        assert all(lease for _, lease in v3_entries(server).values())
        assert await plain.audit({key_of(ONE): ONE}, HERE) == {key_of(ONE)}
        await plain.write(wanted(ONE))
        assert not any(lease for _, lease in v3_entries(server).values())


async def test_a_lease_that_somebody_revoked_is_granted_again_and_all_written(server: Etcd) -> None:
    edge = edge_on(server, ttl=3)
    async with running(edge):
        await edge.write(wanted(ONE, TWO))
        (lease,) = {lease for _, lease in v3_entries(server).values()}
        server.call("lease/revoke", ID=lease)

        async def are_back() -> bool:
            return len(v3_entries(server)) == 2

        await eventually(are_back, 2.0, "the entries")
        server.call("lease/revoke", ID=lease)
        three = entry(port=21003)
        assert await edge.write(wanted(three)) == {}  # before the loss was noticed


async def test_without_a_ttl_what_is_let_go_stays_for_ever(server: Etcd) -> None:
    edge = edge_on(server, ttl=0)
    async with running(edge):
        await edge.write(wanted(ONE))
        edge.let_go([key_of(ONE)])
        assert not await edge.audit({}, HERE)
        assert v3_entries(server)


async def test_what_is_let_go_while_the_store_is_away_ends_later(server: Etcd) -> None:
    relay = TcpRelay(server.port)
    async with relay.running():
        url = f"etcd://127.0.0.1:{relay.port}/s"
        edge = open_edge(url, EdgeOptions(ttl=30), clock=SystemClock(), environ={})
        async with running(edge):
            await edge.write(wanted(ONE, TWO))
            before = v3_entries(server)
            relay.shut()
            edge.let_go([key_of(ONE)])
            await asyncio.sleep(0.2)
            await relay.open()

            async def has_moved() -> bool:
                return len({lease for _, lease in v3_entries(server).values()}) == 2

            await eventually(has_moved, 3.0, "a lease of its own")
            two = f"/s/web/{TWO.id}"
            assert v3_entries(server)[two] == before[two]


async def test_an_edge_frozen_out_of_its_store_keeps_what_a_long_lease_holds(server: Etcd) -> None:
    edge = edge_on(server, ttl=5)
    async with running(edge):
        await edge.write(wanted(ONE))
        server.freeze()
        await asyncio.sleep(2)
        server.thaw()
        assert v3_entries(server)

        async def is_well() -> bool:
            return edge.trouble() is None

        await eventually(is_well, 4.0, "the next keepalive")


@pytest.mark.parametrize("scheme", ["etcd", "etcd2"])
async def test_of_two_owners_of_one_key_the_later_has_it_and_both_are_quiet(
    server: Etcd, scheme: str
) -> None:
    here, there = edge_on(server, scheme, ttl=0), edge_on(server, scheme, ttl=0)
    entries = v3_entries if scheme == "etcd" else v2_entries
    mine, theirs = entry(port=1, id="same"), entry(port=2, id="same", holder=THERE)
    async with running(here, there):
        await here.write(wanted(mine))
        await there.write(wanted(theirs))
        async with asyncio.timeout(allowed(2)):
            await here.disturbed()
        assert not await here.audit({key_of(mine): mine}, HERE)
        assert not await there.audit({key_of(theirs): theirs}, THERE)
        await here.write({key_of(mine): None})
        assert [value for value, _ in entries(server).values()] == ["192.0.2.1:2"]
        await there.write({key_of(theirs): None})
        assert not entries(server)
        assert await here.audit({key_of(mine): mine}, HERE) == {key_of(mine)}
