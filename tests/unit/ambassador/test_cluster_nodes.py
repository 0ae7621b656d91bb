"""Several nodes of a cluster: who is asked, and which replicas are read."""

import asyncio

import pytest

from ambassador.frame.address import Address
from ambassador.frame.health import State
from ambassador.redis import errors
from ambassador.redis.cluster.fanout import Fetched, asked_of_all, nodes_for
from ambassador.redis.cluster.reading import Readers
from ambassador.redis.cluster.slots import SLOTS, ShardView, View
from ambassador.redis.greeting import DEFAULT
from ambassador.redis.resp import packed
from ambassador.redis.run import ClientRun
from ambassador.redis.tokens import MOVED
from tests.support.redis_memory import Reply, cluster_in_memory

ONE, TWO, FOLLOWER = (Address("192.0.2.1", port) for port in (1, 2, 3))
SHARDS = ((ONE, FOLLOWER), (TWO,))


def saying(reply: bytes | None) -> Reply:
    return lambda _: reply


async def asked(one: bytes | None, other: bytes | None, name: bytes = b"DBSIZE") -> bytes:
    replies = {ONE: saying(one), TWO: saying(other)}
    async with cluster_in_memory(replies, SHARDS) as (hub, client):
        found = hub.command(name)
        return await asked_of_all(client, packed(name), found, nodes_for(client, found.request))


async def test_primaries_are_asked_and_with_them_their_replicas_where_all_nodes_are_meant() -> None:
    async with cluster_in_memory({}, SHARDS) as (_, client):
        assert [node.address for node in nodes_for(client, "all_shards")] == [ONE, TWO]
        assert [node.address for node in nodes_for(client, "all_nodes")] == [ONE, TWO, FOLLOWER]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (b":3\r\n", b":4\r\n", b":7\r\n"),
        (b":3\r\n", b"-ERR no\r\n", b"-ERR no\r\n"),
        (b":3\r\n", None, errors.UNKNOWN_OUTCOME),
        (b"+what\r\n", b":4\r\n", b"+what\r\n"),  # of another kind than its policy speaks of
    ],
)
async def test_one_reply_is_made_of_those_of_all(
    one: bytes | None, other: bytes | None, expected: bytes
) -> None:
    assert await asked(one, other) == expected


async def test_a_node_that_takes_no_connection_is_told_and_suspected() -> None:
    async with cluster_in_memory({ONE: saying(b":1\r\n")}, SHARDS) as (hub, client):
        found = hub.command(b"DBSIZE")
        nodes = nodes_for(client, "all_shards")
        assert await asked_of_all(client, packed(b"DBSIZE"), found, nodes) == errors.NOT_SERVED
        assert hub.nodes[TWO].health.state is State.SUSPECT


async def test_a_node_that_refuses_the_client_says_why() -> None:
    replies = {ONE: saying(b"-NOAUTH first\r\n"), TWO: saying(b":1\r\n")}
    async with cluster_in_memory(replies, SHARDS) as (hub, client):
        client.session.attributes = DEFAULT._replace(db=0, password=b"secret")
        found = hub.command(b"DBSIZE")
        nodes = [hub.nodes[ONE]]
        told = await asked_of_all(client, packed(b"DBSIZE"), found, nodes)
        assert told == b"-NOAUTH first\r\n"


async def test_while_slots_are_without_a_primary_nobody_is_asked() -> None:
    async with cluster_in_memory({}, SHARDS) as (hub, client):
        found = hub.command(b"DBSIZE")
        assert await asked_of_all(client, b"", found, []) == errors.NOT_SERVED
        hub.nodes[TWO].observation = None
        hub.rejudge()
        nodes = nodes_for(client, "all_shards")
        assert await asked_of_all(client, b"", found, nodes) == errors.NOT_SERVED


async def test_what_was_not_sent_is_not_unknown() -> None:
    run = Fetched(b"")
    run.lost("gone", was_sent=False)
    run.lost("gone", was_sent=True)  # said once
    run.finish(b"+OK\r\n")
    assert await run.answer == errors.NOT_SERVED


async def test_each_shard_has_a_reader_in_the_mode_of_the_client() -> None:
    async with cluster_in_memory({}, SHARDS) as (hub, client):
        readers = Readers(client)
        first = readers.of(hub.shards[0])
        assert readers.of(hub.shards[0]) is first
        readers.take_mode("eventual")
        assert (readers.mode, first.mode) == ("eventual", "eventual")
        assert readers.of(hub.shards[1]).mode == "eventual"


async def test_readers_of_shards_that_are_gone_are_forgotten() -> None:
    async with cluster_in_memory({}, SHARDS) as (hub, client):
        readers = Readers(client)
        gone = hub.shards.pop(0)
        first = readers.of(gone)
        readers.of(hub.shards[0])
        assert readers.of(gone) is not first


async def test_reads_go_to_the_primary_until_it_is_known_how_far_it_is() -> None:
    async with cluster_in_memory({}, SHARDS) as (hub, client):
        readers = Readers(client)
        token = readers.of(hub.shards[0]).token
        assert token is not None
        readers.hides()  # of messages, where nothing is written
        readers.shows()
        assert token.offset == 0
        readers.moved()
        assert token.offset == MOVED
        readers.forget_link()
        readers.leave()


async def test_what_a_client_wrote_alone_is_noted_where_it_was_written() -> None:
    replies = {ONE: saying(b":1\r\n"), TWO: saying(b":1\r\n")}
    async with cluster_in_memory(replies, SHARDS) as (hub, client):
        readers = Readers(client)
        followed = await hub.nodes[ONE].lease(DEFAULT)
        readers.wrote_alone(followed)
        token = readers.of(hub.shards[0]).token
        assert token is not None
        assert token.uncovered == 1
        alone = await hub.nodes[TWO].lease(DEFAULT)
        readers.wrote_alone(alone)
        assert hub.shards[1].is_unfollowed
        hub.take_view(hub_without_two())
        readers.wrote_alone(alone)  # of a server that is no member any more: nothing to note


def hub_without_two() -> View:
    return View(2, True, (ShardView(ONE, (FOLLOWER,), ((0, SLOTS - 1),)),))


async def test_a_read_that_failed_on_a_replica_is_asked_of_the_primary() -> None:
    async with cluster_in_memory({FOLLOWER: saying(b":1\r\n")}, SHARDS) as (hub, client):
        readers = Readers(client)
        run = ClientRun(client, b"", 1, 1, 0.0)
        assert not readers.elsewhere(run)
        run.link = await hub.nodes[FOLLOWER].lease(DEFAULT)
        assert not readers.elsewhere(run)
        assert hub.nodes[FOLLOWER].health.state is State.SUSPECT
        await asyncio.sleep(0)
