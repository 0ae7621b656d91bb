"""What every edge does on a store that is well."""

import asyncio
from dataclasses import replace

import pytest

from sidecar.catalog.model import Instance, key_of
from sidecar.stores.base import EdgeOptions, Holder
from tests.integration.stores.conformance.backend import Backend
from tests.integration.stores.conformance.kit import (
    HERE,
    THERE,
    entry,
    quiet,
    running,
    seconds,
    wanted,
)
from tests.support.pace import allowed

PLAIN = entry()
NAMESAKE = Holder("registrar:engine-3", HERE.node)

KINDS = {
    "plain": (PLAIN,),
    "tags": (entry(tags=("b", "a", "with blank"), tags_given=True),),
    "meta": (entry(meta={"env": "prod", "empty": ""}, meta_given=True),),
    "ipv6": (entry(address="2001:db8::7"),),
    "udp": (entry("dns", 21053, protocol="udp", inside=53),),
    "udp and tcp on one port": (
        entry("dns", 21053, inside=53),
        entry("dns", 21053, protocol="udp", inside=53),
    ),
    "two of one service": (entry(), entry(port=21002)),
    "two services": (entry("web-80", 21001), entry("web-443", 21002, inside=443)),
    "one draining": (entry(draining=True), entry(port=21002)),
    "quotes and letters": (entry(tags=('say "hi"', "größe", "a\\b"), tags_given=True),),
}


@pytest.mark.parametrize("instances", KINDS.values(), ids=KINDS)
async def test_a_write_makes_exactly_the_entries_readers_expect(
    backend: Backend, instances: tuple[Instance, ...]
) -> None:
    edge = backend.edge()
    async with running(edge):
        await edge.ping()
        assert await edge.write(wanted(*instances)) == {}
        assert await backend.raw() == backend.expected(instances)
        assert await edge.audit({key_of(each): each for each in instances}, HERE) == frozenset()
        assert edge.trouble() is None


@pytest.mark.parametrize("instances", KINDS.values(), ids=KINDS)
async def test_writing_the_same_again_writes_nothing(
    backend: Backend, instances: tuple[Instance, ...]
) -> None:
    edge = backend.edge()
    async with running(edge):
        await edge.write(wanted(*instances))
        before = await backend.revision()
        assert await edge.write(wanted(*instances)) == {}
        await edge.audit({key_of(each): each for each in instances}, HERE)
        assert await backend.revision() == before


async def test_without_marks_the_entries_are_the_same(backend: Backend) -> None:
    edge = backend.edge(EdgeOptions(is_marked=False))
    async with running(edge):
        await edge.write(wanted(PLAIN))
        assert await backend.raw() == backend.expected([PLAIN])
        assert await edge.audit({}, HERE) == {key_of(PLAIN)}


async def test_another_process_finds_what_the_last_one_wrote_and_loses_nothing(
    backend: Backend,
) -> None:
    first, second = backend.edge(), backend.edge()
    async with running(first):
        await first.write(wanted(PLAIN))
    async with running(second):
        assert await second.audit({key_of(PLAIN): PLAIN}, HERE) <= {key_of(PLAIN)}
        await second.write(wanted(PLAIN))
        assert await backend.raw() == backend.expected([PLAIN])


@pytest.mark.parametrize(
    "changed",
    [
        replace(PLAIN, port=21009),
        replace(PLAIN, address="192.0.2.9"),
        replace(PLAIN, tags=("canary",), tags_given=True),
        replace(PLAIN, draining=True),
    ],
    ids=["port", "address", "tags", "draining"],
)
async def test_what_changed_is_replaced(backend: Backend, changed: Instance) -> None:
    other = entry(port=21002)
    edge = backend.edge()
    async with running(edge):
        await edge.write(wanted(PLAIN, other))
        await edge.write(wanted(changed))
        assert await backend.raw() == backend.expected([changed, other])
        assert not await edge.audit({key_of(each): each for each in (changed, other)}, HERE)
        await edge.write(wanted(PLAIN))
        assert await backend.raw() == backend.expected([PLAIN, other])


async def test_what_was_let_go_and_comes_back_elsewhere_leaves_nothing_behind(
    backend: Backend,
) -> None:
    again = replace(PLAIN, port=21009)
    edge = backend.edge()
    async with running(edge):
        await edge.write(wanted(PLAIN))
        edge.let_go([key_of(PLAIN)])
        await edge.write(wanted(again))
        assert await backend.raw() == backend.expected([again])
        assert await edge.audit({key_of(again): again}, HERE) == frozenset()


async def test_none_removes_that_entry_and_only_that(backend: Backend) -> None:
    mine, sibling, other = entry(), entry(port=21002), entry("api", 21003)
    theirs = entry(port=21004, holder=THERE, address="192.0.2.2")
    edge, there = backend.edge(), backend.edge()
    async with running(edge, there):
        await there.write(wanted(theirs))
        await edge.write(wanted(mine, sibling, other))
        assert await edge.write({key_of(mine): None, key_of(other): None}) == {}
        assert await backend.raw() == backend.expected([sibling, theirs])
        assert await edge.write({key_of(mine): None}) == {}
        assert await backend.raw() == backend.expected([sibling, theirs])


async def test_removing_one_protocol_of_a_port_leaves_the_other(backend: Backend) -> None:
    tcp, udp = KINDS["udp and tcp on one port"]
    edge = backend.edge()
    async with running(edge):
        for gone, stays in ((udp, tcp), (tcp, udp)):
            await edge.write(wanted(tcp, udp))
            await edge.write({key_of(gone): None})
            assert set(await backend.raw()) <= set(backend.expected([tcp, udp]))
            assert not await edge.audit({key_of(stays): stays}, HERE)
            assert len(await backend.raw()) == 1


async def test_an_audit_sees_what_is_missing_and_what_was_changed(backend: Backend) -> None:
    instances = [entry(port=port) for port in (21001, 21002, 21003)]
    never_written = entry(port=21004)
    desired = {key_of(each): each for each in (*instances, never_written)}
    edge = backend.edge()
    async with running(edge):
        await edge.write(wanted(*instances))
        await backend.remove(instances[0])
        await backend.spoil(instances[1])
        before = await backend.revision()
        found = await edge.audit(desired, HERE)
        assert found == {key_of(each) for each in (*instances[:2], never_written)}
        assert await backend.revision() == before
        await edge.write({key: desired[key] for key in found})
        assert await backend.raw() == backend.expected(desired.values())
        assert not await edge.audit(desired, HERE)


async def test_an_audit_sees_own_entries_that_nobody_wants(backend: Backend) -> None:
    kept, left = entry(), entry(port=21002)
    edge = backend.edge()
    async with running(edge):
        await edge.write(wanted(kept, left))
        found = await edge.audit({key_of(kept): kept}, HERE)
        assert found == {key_of(left)}
        await edge.write(dict.fromkeys(found))
        assert await backend.raw() == backend.expected([kept])


async def test_an_audit_sees_what_an_earlier_process_of_the_holder_left(backend: Backend) -> None:
    kept, left = entry(), entry(port=21002)
    dead, edge = backend.edge(), backend.edge()
    async with running(dead):
        await dead.write(wanted(kept, left))
    async with running(edge):
        await edge.write(wanted(kept))
        found = await edge.audit({key_of(kept): kept}, HERE)
        await edge.write(dict.fromkeys(found))
        assert await backend.raw() == backend.expected([kept])
        assert not await edge.audit({key_of(kept): kept}, HERE)


async def test_an_audit_never_names_entries_of_others(backend: Backend) -> None:
    theirs = [
        entry("web", 21005, holder=THERE, address="192.0.2.2"),
        entry("api", 21006, holder=NAMESAKE),
    ]
    by_hand = entry("web", 21007, holder=Holder("", "vm-9"), address="192.0.2.9")
    mine = entry()
    edge, there, namesake = (backend.edge() for _ in range(3))
    async with running(edge, there, namesake):
        await there.write(wanted(theirs[0]))
        await namesake.write(wanted(theirs[1]))
        await backend.put_foreign(by_hand)
        await edge.write(wanted(mine))
        assert await edge.audit({key_of(mine): mine}, HERE) == frozenset()
        assert await edge.audit({}, HERE) == {key_of(mine)}
        assert await backend.raw() == backend.expected([mine, *theirs, by_hand])


async def test_an_entry_the_store_refuses_harms_only_itself(backend: Backend) -> None:
    bad = backend.refused()
    if bad is None:
        pytest.skip("this store takes every entry")
    good = [entry(port=port) for port in (21001, 21002)]
    edge = backend.edge()
    async with running(edge):
        refused = await edge.write(wanted(good[0], bad, good[1]))
        assert set(refused) == {key_of(bad)}
        assert refused[key_of(bad)]
        assert await backend.raw() == backend.expected(good)


async def test_a_hundred_entries_take_at_most_a_second(backend: Backend) -> None:
    instances = [entry(f"svc-{port % 10}", port) for port in range(21000, 21100)]
    edge = backend.edge()
    async with running(edge):
        await edge.ping()
        with seconds(1.0):
            assert await edge.write(wanted(*instances)) == {}
        assert await backend.raw() == backend.expected(instances)
        with seconds(1.0):
            assert not await edge.audit({key_of(each): each for each in instances}, HERE)
        with seconds(1.0):
            await edge.write(dict.fromkeys(map(key_of, instances)))
        assert await backend.raw() == {}


async def test_own_writes_disturb_nobody_for_long(backend: Backend) -> None:
    instances = [entry(port=port) for port in range(21001, 21006)]
    edge = backend.edge()
    async with running(edge):
        await edge.write(wanted(*instances))
        await edge.write({key_of(instances[0]): None})
        await quiet(edge, {key_of(each): each for each in instances[1:]})


@pytest.mark.parametrize("harm", ["remove", "spoil"])
async def test_an_entry_harmed_by_hand_disturbs(backend: Backend, harm: str) -> None:
    edge = backend.edge()
    async with running(edge):
        await edge.write(wanted(PLAIN))
        await quiet(edge, {key_of(PLAIN): PLAIN})
        await getattr(backend, harm)(PLAIN)
        async with asyncio.timeout(allowed(2)):
            await edge.disturbed()
            while not await edge.audit({key_of(PLAIN): PLAIN}, HERE):
                await edge.disturbed()


async def test_a_disturbance_while_nobody_waits_is_not_lost(backend: Backend) -> None:
    edge = backend.edge()
    async with running(edge):
        await edge.write(wanted(PLAIN))
        await quiet(edge, {key_of(PLAIN): PLAIN})
        await backend.remove(PLAIN)
        await asyncio.sleep(0.5)
        async with asyncio.timeout(allowed(1)):
            await edge.disturbed()
