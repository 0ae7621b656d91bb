"""Configurations for tests."""

from dataclasses import replace
from typing import Any

from sidecar.catalog.changes import Put, apply
from sidecar.catalog.model import EMPTY, Instance, InstanceId
from templater.names import Address, Port, SocketAddress
from templater.nginx.render import Config, Place, Renderer
from templater.routes import Routes, routes_of

HOST = Address("127.0.0.1")
PLACE = Place(
    listen=SocketAddress(HOST, Port(8080)),
    host=HOST,
    socket="/run/lb/status.sock",
    workers=2,
    files=1024,
    user=None,
    stream="",
    has_stub_status=True,
    temporary=("client_body", "proxy"),
)


def instance(id_: str = "x", service: str = "web", **fields: Any) -> Instance:
    values: dict[str, Any] = {"node": "n", "address": "192.0.2.1", "port": 80, **fields}
    return Instance(id=InstanceId(id_), service=service, **values)


def routes_to(*instances: Instance) -> Routes:
    return routes_of(apply(EMPTY, [Put(one) for one in instances]), ("consul",))


def config_of(*instances: Instance, **place: Any) -> Config:
    return Renderer(replace(PLACE, **place)).config(routes_to(*instances))
