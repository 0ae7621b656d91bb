import pytest
from aiohttp import web

from sidecar.web.consul.reading_only import reading_only
from sidecar.web.consul.route import route
from tests.support.served import World, served

STORE = "consul://c.example.org:8500"


async def fine(_: web.Request) -> web.Response:
    return web.Response(text="fine")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/read", 200),
        ("OPTIONS", "/v1/read", 200),
        ("PUT", "/v1/read", 501),
        ("DELETE", "/v1/read", 501),
        ("GET", "/v1/kv/a", 501),
        ("PUT", "/v1/txn", 501),
    ],
)
async def test_only_reading_is_answered(method: str, path: str, status: int) -> None:
    routes = [
        route("/v1/read", GET=fine, PUT=fine, DELETE=fine),
        route("/v1/kv/{key:.*}", GET=fine),
        route("/v1/txn", PUT=fine),
    ]
    async with served(World(), routes=reading_only(routes, STORE)) as client:
        answer = await client.ask(method, path)
    assert answer.status == status
    if status == 501:
        assert STORE in answer.body.decode()
