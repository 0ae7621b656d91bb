"""/v1/coordinate as a client sees it; answers recorded from Consul 1.8.7."""

import asyncio
from typing import Any

import pytest

from tests.support.served import World, served

UPDATE = "/v1/coordinate/update"
ZERO = {"Vec": [0] * 8, "Error": 1.5, "Adjustment": 0, "Height": 0}


async def test_the_own_node_is_there_from_the_start() -> None:
    async with served(World()) as client:
        found = await client.get("/v1/coordinate/nodes")
        (own,) = found.json
        assert (own["Node"], own["Segment"], own["Coord"]["Height"]) == ("node-1", "", 1e-05)
        assert (found.index, found.headers["X-Consul-Knownleader"]) == (1, "true")
        (area,) = (await client.get("/v1/coordinate/datacenters")).json
        assert area == {"Datacenter": "dc1", "AreaID": "wan", "Coordinates": [own]}
        assert (await client.get("/v1/coordinate/node/nope")).status == 404


async def test_what_a_node_says_is_shown_and_wakes_a_reader() -> None:
    async with served(World()) as client:
        body = {"node": "node-1", "Coord": ZERO | {"Error": 0.5, "vec": [1.5, *[0] * 7]}}
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(client.get("/v1/coordinate/node/node-1?index=1&wait=10s"))
            answer = await client.put(UPDATE, body)
        assert (answer.status, answer.body) == (200, b"")
        woken = reader.result()
        assert woken.index == 2
        coord = {"Vec": [1.5, *[0] * 7], "Error": 0.5, "Adjustment": 0, "Height": 0}
        assert woken.json == [{"Node": "node-1", "Segment": "", "Coord": coord}]
        await client.put(UPDATE, body)
        assert (await client.get("/v1/coordinate/nodes")).index == 2


async def test_unknown_nodes_are_taken_and_dropped() -> None:
    async with served(World()) as client:
        assert (await client.put(UPDATE, {"Node": "nope", "Coord": ZERO})).status == 200
        assert (await client.put(UPDATE, {"Coord": ZERO})).status == 200
        assert len((await client.get("/v1/coordinate/nodes")).json) == 1


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"Node": "n", "Coord": {"Vec": [1]}}, 500, "incompatible coordinate"),
        ({"Node": "n", "Coord": {"Vec": [None] * 8}}, 500, "incompatible coordinate"),
        ({"Node": "n"}, 500, "incompatible coordinate"),
        ({"Datacenter": "dc2", "Coord": ZERO}, 500, "No path to datacenter"),
        ({"Nod": 1}, 400, 'Request decode failed: json: unknown field "Nod"'),
        (
            {"Node": 3},
            400,
            (
                "Request decode failed: json: cannot unmarshal number into"
                " Go struct field CoordinateUpdateRequest.Node of type string"
            ),
        ),
    ],
)
async def test_wrong_coordinates_are_refused(body: Any, status: int, text: str) -> None:
    async with served(World()) as client:
        answer = await client.put(UPDATE, body)
        assert (answer.status, answer.text) == (status, text)


async def test_a_huge_number_is_kept() -> None:
    async with served(World()) as client:
        await client.put(UPDATE, {"Node": "node-1", "Coord": ZERO | {"Height": 1e300}})
        (own,) = (await client.get("/v1/coordinate/nodes")).json
        assert own["Coord"]["Height"] == 1e300


async def test_a_number_beyond_a_float_is_refused() -> None:
    async with served(World()) as client:
        answer = await client.put(UPDATE, b'{"Node":"node-1","Coord":{"Height":1e999}}')
        assert (answer.status, answer.text[:22]) == (400, "Request decode failed:")
