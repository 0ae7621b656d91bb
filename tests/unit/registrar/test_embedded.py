import asyncio
from collections.abc import Sequence

import pytest

from registrar.embedded import EmbeddedEdge
from sidecar.catalog.changes import Change, Drop
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Node, key_of
from sidecar.errors import StoreUnavailable
from sidecar.stores.base import Edge, Holder
from sidecar.stores.embedded import EmbeddedStore
from tests.support.catalog import instance, puts

OWNER = "registrar:e"
HOLDER = Holder(OWNER, "vm")
NODE = Node(name="vm", address="192.0.2.7")
WEB = instance("web", "vm:a:80", node="vm", owner=OWNER)
KEY = key_of(WEB)


class Store(EmbeddedStore):
    """The embedded store; counts commits and can fail after they are visible."""

    def __init__(self) -> None:
        super().__init__(Catalog())
        self.commits: list[Sequence[Change]] = []
        self.is_full = False

    async def commit(self, changes: Sequence[Change]) -> None:
        self.commits.append(changes)
        await super().commit(changes)
        if self.is_full:
            raise StoreUnavailable("disk full")


async def test_a_write_is_visible_and_the_next_audit_finds_nothing() -> None:
    store = Store()
    edge: Edge = EmbeddedEdge(store, NODE)
    await edge.ping()
    assert await edge.audit({KEY: WEB}, HOLDER) == {KEY}
    assert await edge.write({KEY: WEB}) == {}
    assert store.snapshot.nodes == {"vm": NODE}
    assert await edge.audit({KEY: WEB}, HOLDER) == frozenset()
    assert await edge.audit({}, HOLDER) == {KEY}, "a leftover"
    assert await edge.write({KEY: None}) == {}
    assert store.snapshot.services == {}
    assert (edge.url, edge.trouble(), edge.components) == ("embedded:", None, ())
    edge.let_go([KEY])
    await edge.close()


async def test_nothing_to_do_is_no_commit_but_what_is_not_durable_is_asked_for_again() -> None:
    store = Store()
    edge = EmbeddedEdge(store, NODE)
    store.is_full = True
    with pytest.raises(StoreUnavailable):
        await edge.write({KEY: WEB})
    with pytest.raises(StoreUnavailable):
        await edge.write({})
    store.is_full = False
    await edge.write({})
    await edge.write({})
    assert [len(changes) for changes in store.commits] == [2, 0, 0]


async def test_an_id_of_the_api_is_told_once_left_alone_and_taken_when_it_is_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store()
    edge = EmbeddedEdge(store, NODE)
    foreign = instance("other", "vm:a:80", node="vm", owner="api")
    await store.commit(puts(foreign))
    for _ in range(3):
        assert await edge.write({KEY: WEB}) == {}
    assert await edge.audit({KEY: WEB}, HOLDER) == frozenset()
    assert store.snapshot.services == {"other": (store.snapshot.services["other"][0],)}
    assert [r.getMessage() for r in caplog.records] == ["id is held by another"]
    await store.commit([Drop("other", foreign.id)])
    assert await edge.audit({KEY: WEB}, HOLDER) == {KEY}


async def test_it_is_never_disturbed() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await EmbeddedEdge(Store(), NODE).disturbed()


async def test_completeness_is_the_catalogues() -> None:
    store = Store()
    EmbeddedEdge(store, NODE).complete()
    assert store.catalog.synced
