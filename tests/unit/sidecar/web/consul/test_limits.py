"""Each limit of a registration, and one more (reliability T14)."""

from collections.abc import Callable
from typing import Any

import pytest

from sidecar.config.model import HttpSettings
from tests.support.served import World, served

SERVICE, NODE = "/v1/agent/service/register", "/v1/catalog/register"


def service(**fields: Any) -> dict[str, Any]:
    return {"Name": "web"} | fields


def on_node(**fields: Any) -> dict[str, Any]:
    return {"Node": "n", "Address": "192.0.2.1", "Service": {"Service": "web"} | fields}


def nested(depth: int) -> bytes:
    """Return a body of so many objects, one in the other, where Consul takes anything."""
    return b'{"Name":"web","Proxy":{"Config":' + b'{"a":' * (depth - 2) + b"1" + b"}" * depth


LIMITS: dict[str, tuple[int, Callable[[int], dict[str, Any]]]] = {
    "pairs of meta": (64, lambda n: {"Meta": {f"k{i}": "v" for i in range(n)}}),
    "a key of meta": (128, lambda n: {"Meta": {"k" * n: "v"}}),
    "a value of meta": (512, lambda n: {"Meta": {"k": "v" * n}}),
    "tags": (128, lambda n: {"Tags": [f"t{i}" for i in range(n)]}),
    "a tag": (255, lambda n: {"Tags": ["t" * n]}),
    "an id": (512, lambda n: {"ID": "i" * n}),
    "a port": (65535, lambda n: {"Port": n}),
    "tagged addresses": (64, lambda n: {"TaggedAddresses": {f"t{i}": {} for i in range(n)}}),
}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(("path", "whole"), [(SERVICE, service), (NODE, on_node)])
async def test_the_most_is_taken_and_one_more_is_refused(name: str, path: str, whole: Any) -> None:
    most, fields = LIMITS[name]
    world = World()
    async with served(world) as client:
        refused = await client.put(path, whole(**fields(most + 1)))
        assert (refused.status, refused.text[:8]) == (400, "Invalid "), refused.text
        assert world.catalog.snapshot.services == {}
        taken = await client.put(path, whole(**fields(most)))
        assert taken.status == 200, taken.text


@pytest.mark.parametrize(("label", "status"), [(63, 200), (64, 400)])
async def test_a_label_of_a_name_has_at_most_63_characters(label: int, status: int) -> None:
    async with served(World()) as client:
        assert (await client.put(SERVICE, service(Name="a." + "n" * label))).status == status
        node = on_node() | {"Node": "n" * label}
        assert (await client.put(NODE, node)).status == status


@pytest.mark.parametrize(("depth", "status"), [(64, 200), (65, 400), (80_000, 400)])
async def test_json_is_nested_at_most_64_deep(depth: int, status: int) -> None:
    async with served(World()) as client:
        answer = await client.put(SERVICE, nested(depth))
        assert answer.status == status, answer.text
        if status == 400:
            assert "exceeded max depth" in answer.text


def test_the_limits_of_the_server_are_those_of_consul() -> None:
    assert HttpSettings().max_connections == 200
    assert HttpSettings().max_waiting == 10_000
