"""A commit wakes the readers whose index it moves, and of one service only its own."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog import Drop, Put, PutNode, Status, apply, topics
from sidecar.catalog.changes import Change, DropNode
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import EMPTY, Check, InstanceId, Node
from sidecar.web.consul.filters import compiled
from sidecar.web.consul.listings import Params
from sidecar.web.consul.reads import reads
from sidecar.web.consul.view import View
from tests.support.catalog import instance, puts, snapshot
from tests.support.served import LOCAL

NAMES = st.sampled_from(["web", "Web", "api", "consul"])
NODES = st.sampled_from(["node-1", "other"])
STATUS = st.sampled_from(Status)
CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(
        lambda name, id_, node, port, status: Put(
            instance(
                name, id_, node=node, port=port, status=status,
                checks=(Check(id="c", name="c", status=status),),
            )
        ),
        NAMES, st.sampled_from("ab"), NODES, st.integers(1, 2), STATUS,
    ),
    st.builds(lambda name, id_: Drop(name, InstanceId(id_)), NAMES, st.sampled_from("ab")),
    st.builds(
        lambda name, status: PutNode(
            Node(name=name, address="192.0.2.1", checks=(Check(id="n", name="n", status=status),))
        ),
        NODES, STATUS,
    ),
    st.builds(DropNode, NODES),
)  # fmt: skip
READS = reads(compiled)


@given(st.lists(st.lists(CHANGES, max_size=3), max_size=8), st.sampled_from(list(READS)))
def test_whatever_moves_an_index_wakes_its_readers(
    commits: Sequence[Sequence[Change]], path: str
) -> None:
    names = ["web", "WEB", "api", "consul", "absent", "node-1", "any"]
    params = Params(node_meta=(("a", "b"),)), Params()
    found = [READS[path](name, each) for name in names for each in params]
    old = EMPTY
    for changes in commits:
        new = apply(old, changes)
        before, after = View(old, LOCAL), View(new, LOCAL)
        for read in found:
            if read.index(after) > read.index(before):
                assert list(topics.moved(old, new, read.topics(before)))
        old = new


def test_another_service_moves_nothing_of_this_one() -> None:
    old = snapshot(instance(), instance("api"))
    new = apply(old, puts(instance("api", port=1)))
    watched = [topics.service("web"), topics.service("api"), topics.SERVICES, topics.CHECKS]
    assert list(topics.moved(old, new, watched)) == ["service/api", "services"]
    read = READS["health/service/"]("web", Params())
    assert read.topics(View(old, LOCAL)) == ("service/web",)


async def test_a_reader_of_one_service_is_not_even_woken_by_another() -> None:
    catalog = Catalog(snapshot(instance(), instance("api")))
    async with asyncio.TaskGroup() as group:
        web = group.create_task(catalog.moved([topics.service("web")]))
        both = group.create_task(catalog.moved([topics.service("api"), topics.CHECKS]))
        await asyncio.sleep(0)
        catalog.commit(puts(instance("api", port=1)))
        async with asyncio.timeout(5):
            await both
        await asyncio.sleep(0)
        assert not web.done()
        catalog.commit(puts(instance(port=1)))
        async with asyncio.timeout(5):
            await web


async def test_who_gives_up_is_forgotten() -> None:
    catalog = Catalog()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await catalog.moved([topics.NODES, topics.service("web")])
    assert not list(catalog._topics.names)
