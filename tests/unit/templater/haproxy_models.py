"""Models for tests."""

from templater.haproxy.model import NOTHING, Model
from templater.haproxy.slots import grown
from templater.names import Address, Host, Port, Weight, Wildcard
from templater.routes import Endpoint, Key, Protocol, Routes, State, Upstream

WEB = Upstream(Protocol.HTTP, "web")


def endpoint(id_: str, port: int = 80, weight: int = 1, state: State = State.READY) -> Endpoint:
    return Endpoint(Key("n1", id_), Address("192.0.2.1"), Port(port), Weight(weight), state)


def routes_to(
    *endpoints: Endpoint,
    upstream: Upstream = WEB,
    hosts: tuple[str, ...] = (),
    wildcards: tuple[str, ...] = (),
    ports: tuple[int, ...] = (),
) -> Routes:
    return Routes(
        {Host(host): upstream for host in hosts},
        {Wildcard(text): upstream for text in wildcards},
        {Port(port): upstream for port in ports},
        {upstream: endpoints},
    )


def model_of(*endpoints: Endpoint) -> Model:
    return grown(NOTHING, routes_to(*endpoints))
