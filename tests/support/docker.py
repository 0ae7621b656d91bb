"""Builders of Docker's documents and facts with keyword overrides."""

from collections.abc import Mapping
from typing import Any

from registrar.ports import Place
from sidecar.engine.facts import Container, Event, container_of

PLACE = Place(node="vm", address="192.0.2.7", owner="registrar:e")
START = 1_700_000_000_000_000_000
"""When containers of the builders started: 2023-11-14T22:13:20Z in nanoseconds."""


def document(
    name: str = "box",
    *,
    published: Mapping[str, str] | None = None,
    exposed: tuple[str, ...] = (),
    env: tuple[str, ...] = (),
    labels: Mapping[str, str] | None = None,
    mode: str = "default",
    networks: Mapping[str, str] | None = None,
    image: str = "example.org/ns/bb:1.2",
    id_: str | None = None,
    **state: Any,
) -> dict[str, Any]:
    """Return an inspect document; ``published`` is ``{"80/tcp": "0.0.0.0:8080"}``."""
    published = published or {}
    ports: dict[str, Any] = dict.fromkeys(exposed)
    for port, at in published.items():
        address, _, number = at.rpartition(":")
        ports[port] = [{"HostIp": address, "HostPort": number}]
    attached = {"bridge": "172.17.0.2"} if networks is None else networks
    return {
        "Id": id_ or f"{name}-id",
        "Name": f"/{name}",
        "State": {"Running": True, "StartedAt": "2023-11-14T22:13:20Z"} | state,
        "Config": {
            "Image": image,
            "Env": list(env),
            "Labels": dict(labels or {}),
            "ExposedPorts": {port: {} for port in (*published, *exposed)},
        },
        "HostConfig": {"NetworkMode": mode},
        "NetworkSettings": {
            "Ports": {} if mode in ("host", "none") else ports,
            "Networks": {net: {"IPAddress": address} for net, address in attached.items()},
        },
    }


def container(name: str = "box", **fields: Any) -> Container:
    """Return the facts of such a document."""
    return container_of(document(name, **fields))


def event(action: str, id_: str = "box-id", *, after: int = 1, **fields: Any) -> Event:
    """Return an event ``after`` nanoseconds from the start of the builders' containers."""
    return Event(id=id_, action=action, time_nano=START + after, **fields)
