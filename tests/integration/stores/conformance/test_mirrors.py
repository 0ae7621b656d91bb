"""What every mirror does: the catalogue equals what all hosts have written."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, Status, key_of
from tests.integration.stores.conformance.backend import Backend
from tests.integration.stores.conformance.kit import (
    THERE,
    Keeper,
    entry,
    eventually,
    mirrored,
    running,
    wanted,
)

HERS = entry("web", 21001, tags=("a", "b"), tags_given=True)
THEIRS = entry("web", 21002, holder=THERE, address="192.0.2.2")
API = entry("api", 21003, address="2001:db8::7")
ALL = (HERS, THEIRS, API)

Facts = dict[str, list[tuple[object, ...]]]


def facts(backend: Backend, instances: Iterable[Instance]) -> Facts:
    """Return what must be the same in the catalogue as it was when written."""
    found: Facts = {"web": [], "api": []}
    for each in instances:
        tags = each.tags if "tags" in backend.carries else ()
        id_ = each.id if "id" in backend.carries else ""
        found[each.service].append((each.address, each.port, tags, id_, each.draining))
    return {service: sorted(rows, key=str) for service, rows in found.items()}


def shows(
    backend: Backend, catalog: Catalog, *instances: Instance
) -> Callable[[], Awaitable[bool]]:
    """Return a question whether the catalogue holds exactly these of our services."""

    async def asked() -> bool:
        services = catalog.snapshot.services
        held = [each for name in ("web", "api") for each in services.get(name, ())]
        return facts(backend, held) == facts(backend, instances)

    return asked


async def test_the_first_full_read_makes_the_catalogue_synced(backend: Backend) -> None:
    async with mirrored(backend.mirror) as (catalog, mirror):
        assert catalog.synced
        assert mirror.trouble() is None
        assert await shows(backend, catalog)()
    edge = backend.edge()
    async with running(edge):
        await edge.write(wanted(*ALL))
        async with mirrored(backend.mirror) as (catalog, _):
            assert catalog.synced
            assert await shows(backend, catalog, *ALL)()
            served = [each for all_ in catalog.snapshot.services.values() for each in all_]
            assert all(each.status is Status.PASSING for each in served)


async def test_entries_of_two_hosts_appear_change_and_go(backend: Backend) -> None:
    here, there = backend.edge(), backend.edge()
    async with mirrored(backend.mirror) as (catalog, _), running(here, there):
        await here.write(wanted(HERS, API))
        await there.write(wanted(THEIRS))
        await eventually(shows(backend, catalog, *ALL), 2.0, "both hosts' entries")
        moved = replace(HERS, port=21009, tags=("c",))
        await here.write(wanted(moved))
        await eventually(shows(backend, catalog, moved, THEIRS, API), 2.0, "the change")
        await there.write({key_of(THEIRS): None})
        await here.write({key_of(API): None})
        await eventually(shows(backend, catalog, moved), 2.0, "the removals")
        assert "api" not in catalog.snapshot.services
        await here.write({key_of(moved): None})
        await eventually(shows(backend, catalog), 2.0, "the last removal")


async def test_an_unchanged_service_keeps_its_tuple(backend: Backend) -> None:
    edge = backend.edge()
    async with mirrored(backend.mirror) as (catalog, _), running(edge):
        await edge.write(wanted(HERS, API))
        await eventually(shows(backend, catalog, HERS, API), 2.0, "the entries")
        before = catalog.snapshot
        await edge.write(wanted(THEIRS))
        await eventually(shows(backend, catalog, *ALL), 2.0, "the third entry")
        assert catalog.snapshot.services["api"] is before.services["api"]
        assert catalog.snapshot.index > before.index


async def test_a_draining_instance_takes_nothing_new_from_readers(backend: Backend) -> None:
    edge = backend.edge()
    async with mirrored(backend.mirror) as (catalog, _), running(edge):
        await edge.write(wanted(HERS, THEIRS))
        await eventually(shows(backend, catalog, HERS, THEIRS), 2.0, "the entries")
        await edge.write(wanted(replace(HERS, draining=True)))

        async def only_theirs() -> bool:
            taking = [e for e in catalog.snapshot.services.get("web", ()) if e.takes_new_work]
            return [each.port for each in taking] == [THEIRS.port]

        await eventually(only_theirs, 2.0, "the drain")


async def test_the_catalogue_stays_while_the_store_is_away(backend: Backend) -> None:
    keeper = Keeper(backend.edge())
    async with mirrored(backend.mirror) as (catalog, mirror), keeper.at_work():
        keeper.want(*ALL)
        await eventually(shows(backend, catalog, *ALL), 2.0, "the entries")
        await backend.kill()

        async def troubled() -> bool:
            return mirror.trouble() is not None

        await eventually(troubled, 5.0, "trouble")
        assert await shows(backend, catalog, *ALL)()
        await backend.start()
        keeper.want(fresh := entry("web", 21008))
        keeper.drop(API)
        await eventually(shows(backend, catalog, HERS, THEIRS, fresh), 5.0, "the new state")

        async def well() -> bool:
            return mirror.trouble() is None

        await eventually(well, 2.0, "the end of trouble")


async def test_a_frozen_store_changes_nothing_and_is_followed_again(backend: Backend) -> None:
    keeper = Keeper(backend.edge())
    async with mirrored(backend.mirror) as (catalog, _), keeper.at_work():
        keeper.want(*ALL)
        await eventually(shows(backend, catalog, *ALL), 2.0, "the entries")
        await backend.freeze()
        keeper.drop(API)
        await asyncio.sleep(2)
        assert await shows(backend, catalog, *ALL)()
        await backend.thaw()
        await eventually(shows(backend, catalog, HERS, THEIRS), 5.0, "the removal")


async def test_a_store_that_comes_back_empty_is_believed(backend: Backend) -> None:
    edge = backend.edge()
    async with running(edge):
        await edge.write(wanted(HERS))
        async with mirrored(backend.mirror) as (catalog, _):
            await eventually(shows(backend, catalog, HERS), 2.0, "the entry")
            index = catalog.index
            await backend.wipe()
            await eventually(shows(backend, catalog), 5.0, "the empty catalogue")
            assert catalog.index >= index


async def test_a_store_that_is_down_at_start_is_waited_for(backend: Backend) -> None:
    await backend.stop()
    catalog = Catalog()
    mirror = backend.mirror(catalog)
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(mirror.run(ready.set))

        async def troubled() -> bool:
            return mirror.trouble() is not None

        await eventually(troubled, 10.0, "trouble")
        was_synced = catalog.synced
        assert not was_synced
        assert not ready.is_set()
        await backend.start()
        await eventually(lambda: _is(ready), 5.0, "the first full read")
        assert catalog.synced
        task.cancel()


async def test_what_cannot_be_read_is_left_out(backend: Backend) -> None:
    edge = backend.edge()
    async with running(edge):
        await edge.write(wanted(HERS))
        await backend.put_garbage()
        async with mirrored(backend.mirror) as (catalog, mirror):
            assert await shows(backend, catalog, HERS)()
            await edge.write(wanted(API))
            await eventually(shows(backend, catalog, HERS, API), 2.0, "the next entry")
            assert mirror.trouble() is None


async def test_many_entries_are_followed(backend: Backend) -> None:
    many = [entry("web", port) for port in range(21100, 21200)]
    edge = backend.edge()
    async with mirrored(backend.mirror) as (catalog, _), running(edge):
        await edge.write(wanted(*many))
        await eventually(shows(backend, catalog, *many), 3.0, "a hundred entries")
        await edge.write(dict.fromkeys(map(key_of, many[:50])))
        await eventually(shows(backend, catalog, *many[50:]), 3.0, "the half")


async def _is(event: asyncio.Event) -> bool:
    return event.is_set()
