"""What the admin address tells of servers and clients."""

from dataclasses import replace
from typing import Any

import pytest

from ambassador.frame.address import Address
from ambassador.frame.health import State
from ambassador.redis.ambassador import RedisAmbassador
from ambassador.redis.cluster.hub import ClusterHub
from ambassador.redis.routes import routes_of
from sidecar.errors import UpstreamUnavailable
from tests.support.redis_memory import cluster_in_memory

ONE, FOLLOWER = Address("192.0.2.1", 1), Address("192.0.2.1", 2)
SHARDS = ((ONE, FOLLOWER),)


class Nowhere:
    """A source of servers that is not asked."""

    async def follow(self, hub: object) -> None:
        raise AssertionError


def serving(hub: ClusterHub) -> RedisAmbassador:
    ambassador = RedisAmbassador(hub.settings, Nowhere())
    ambassador.hub = hub
    return ambassador


async def told(hub: ClusterHub, path: str, rest: str = "", method: str = "GET") -> tuple[int, Any]:
    async def reload() -> None:
        hub.stopping = True  # something to see

    answer = await routes_of(serving(hub), reload)[method, path](rest)
    return answer.status, answer.body


async def states(hub: ClusterHub) -> dict[str, str]:
    _, topology = await told(hub, "/topology")
    return {node["address"]: node["state"] for node in topology["nodes"]}


async def test_a_process_lives_whatever_its_servers_do() -> None:
    async with cluster_in_memory({}, SHARDS) as (hub, _):
        assert await told(hub, "/health/ready") == (200, {"ready": True, "trouble": None})
        hub.nodes[ONE].observation = None
        hub.rejudge()
        assert (await told(hub, "/health/live"))[0] == 200
        status, body = await told(hub, "/health/ready")
        assert status == 503
        assert "have no primary" in body["trouble"]


async def test_each_state_of_a_server_has_a_word() -> None:
    async with cluster_in_memory({}, SHARDS) as (hub, _):
        one, follower = hub.nodes[ONE], hub.nodes[FOLLOWER]
        assert await states(hub) == {one.label: "up", follower.label: "up"}
        assert follower.observation is not None
        follower.observation = replace(follower.observation, is_loading=True)
        hub.rejudge()
        assert (await states(hub))[follower.label] == "loading"
        follower.observation = replace(follower.observation, is_loading=False, is_linked=False)
        hub.rejudge()
        assert (await states(hub))[follower.label] == "stale"
        follower.health.state = State.DOWN
        assert (await states(hub))[follower.label] == "down"
        follower.is_draining = True
        assert (await states(hub))[follower.label] == "draining"


async def test_a_server_is_drained_and_taken_back() -> None:
    async with cluster_in_memory({}, SHARDS) as (hub, _):
        follower = hub.nodes[FOLLOWER]
        status, body = await told(hub, "/drain/", follower.label, "POST")
        assert (status, body["draining"]) == (200, True)
        assert not hub.readable
        await told(hub, "/undrain/", follower.label, "POST")
        assert [node.label for node in hub.readable] == [follower.label]
        status, body = await told(hub, "/drain/", "192.0.2.9:1", "POST")
        assert (status, body) == (404, {"error": "there is no server 192.0.2.9:1"})


async def test_clients_and_slow_commands_are_listed() -> None:
    async with cluster_in_memory({}, SHARDS) as (hub, client):
        assert await told(hub, "/slowlog") == (200, [])
        hub.clients.add(client)
        client.session.name = b"me"
        status, [one] = await told(hub, "/clients")
        assert (status, one["name"], one["alone"]) == (200, "me", False)


async def test_servers_are_asked_anew_and_the_file_is_read_again() -> None:
    async with cluster_in_memory({}, SHARDS) as (hub, _):
        assert await told(hub, "/refresh", method="POST") == (200, {"refreshed": True})
        assert [node.observation for node in hub.nodes.values()] == [None, None]
        assert hub.nodes[ONE].poked.is_set()
        assert await told(hub, "/reload", method="POST") == (200, {"reloaded": True})
        assert hub.stopping


async def test_before_it_serves_there_is_nothing_to_tell() -> None:
    async with cluster_in_memory({}, SHARDS) as (hub, _):
        ambassador = serving(hub)
        ambassador.hub = None
        with pytest.raises(UpstreamUnavailable):
            await routes_of(ambassador, lambda: told(hub, ""))["GET", "/topology"]("")  # type: ignore[arg-type, return-value]
