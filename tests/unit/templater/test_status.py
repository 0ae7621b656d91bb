"""What ``/v1/pinnace/lb`` tells."""

import json
from typing import Any

from templater.names import Address, Host, Port, SocketAddress, UrlPath, Wildcard
from templater.proxy import Applied
from templater.routes import Problem, Routes, Site
from templater.status import status
from templater.work import Counters, Work
from tests.unit.templater.haproxy_models import WEB, endpoint, routes_to

LISTEN = SocketAddress(Address("127.0.0.1"), Port(8080))


def told(routes: Routes, counters: Counters | None = None, **fields: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "kind": "haproxy", "listen": LISTEN, "attached": "", "problems": [], "trouble": None,
        "last": None, "last_reload": None, "now": 100.0, **fields,
    }  # fmt: skip
    found: dict[str, Any] = json.loads(json.dumps(status(routes, counters, **values)))
    return found


def test_routes_lead_to_services_and_wildcards_have_their_star() -> None:
    routes = Routes(
        {Host("web.localhost"): WEB}, {Wildcard("*.example.org"): WEB}, {Port(5432): WEB},
        {WEB: ()}, (), {Site(Wildcard("*.example.net"), UrlPath("/api")): WEB,
                        Site(Host("a.example.org"), UrlPath("/b")): WEB},
    )  # fmt: skip
    found = told(routes)
    assert found["hosts"] == {"web.localhost": "web"}
    assert found["wildcards"] == {"*.example.org": "web"}
    assert found["paths"] == {"*.example.net/api": "web", "a.example.org/b": "web"}
    assert found["listeners"] == {"5432": "web"}
    assert found["upstreams"] == [
        {"service": "web", "protocol": "http", "shape": "", "endpoints": []}
    ]


def test_an_endpoint_has_its_work_when_the_proxy_answers() -> None:
    routes = routes_to(endpoint("a", 81), endpoint("b", 82))
    work = Work(3, rate=5)
    counters = Counters("haproxy 2.6", 1, 2, 3.0, {(WEB, endpoint("a").key): work})
    found = told(routes, counters, attached="/run/m.sock")
    first, second = found["upstreams"][0]["endpoints"]
    assert first["work"]["sessions"] == 3
    assert first["work"]["rate"] == 5
    assert first["address"] == "192.0.2.1:81"
    assert second["work"] is None
    assert found["proxy"] == {
        "program": "haproxy 2.6", "connections": 1, "requests": 2, "rate": 3.0, "lacks": "",
    }  # fmt: skip
    assert found["attached"] == "/run/m.sock"
    assert told(routes)["proxy"] is None
    assert told(routes)["attached"] is None


def test_changes_tell_how_long_ago_they_were() -> None:
    last = Applied("runtime", "2 commands", 0.003, 98.0)
    found = told(routes_to(), last=last, problems=[Problem("web", "name", "bad")], trouble="away")
    assert found["last"] == {"kind": "runtime", "why": "2 commands", "seconds": 0.003, "ago": 2.0}
    assert found["last_reload"] is None
    assert found["problems"] == [{"service": "web", "field": "name", "reason": "bad"}]
    assert found["trouble"] == "away"
