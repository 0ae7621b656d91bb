"""``pinnace lb show`` for people."""

from typing import Any

import pytest

from sidecar.web.lb_table import only, services_of, table

WORK = {
    "sessions": 3, "queued": 0, "requests": 1200, "rate": 34, "latency": 0.0123, "failures": 0,
    "retries": 2, "health": "no check",
}  # fmt: skip
ENDPOINT = {
    "node": "n1", "id": "web:80", "address": "192.0.2.1:80", "weight": 1, "state": "ready",
    "work": WORK,
}  # fmt: skip


WHOLE = """\
haproxy 2.6.12 on 127.0.0.1:8080: connections 12, requests/s 34, requests 12,345
last change at run time, 12 s ago, in 3 ms: 2 commands
last reload 10 min ago, in 60 ms: new upstream

ROUTE              SERVICE
a.example.org/api  api
api.localhost      api
*.example.org      web
TCP port 5432      web
web.localhost      web

SERVICE  VIA          INSTANCE   ADDRESS       STATE  WEIGHT  SESSIONS  QUEUED  REQUESTS  REQ/S   TIME  FAILED  RETRIED
web      http         n1/web:80  192.0.2.1:80  ready       1         3       0      1200     34  12 ms       0        2
api      http source  none: 503

left out:
  web, pinnace-http-host: no"""  # noqa: E501


def status(**fields: Any) -> dict[str, Any]:
    return {
        "kind": "haproxy",
        "listen": "127.0.0.1:8080",
        "attached": None,
        "proxy": {"program": "haproxy 2.6.12", "connections": 12, "requests": 12345, "rate": 34,
                  "lacks": ""},
        "hosts": {"web.localhost": "web", "api.localhost": "api"},
        "wildcards": {"*.example.org": "web"},
        "paths": {"a.example.org/api": "api"},
        "listeners": {"5432": "web"},
        "upstreams": [
            {"service": "web", "protocol": "http", "shape": "", "endpoints": [ENDPOINT]},
            {"service": "api", "protocol": "http", "shape": " source", "endpoints": []},
        ],
        "problems": [{"service": "web", "field": "pinnace-http-host", "reason": "no"}],
        "trouble": None,
        "last": {"kind": "runtime", "why": "2 commands", "seconds": 0.0034, "ago": 12.3},
        "last_reload": {"kind": "reload", "why": "new upstream", "seconds": 0.06, "ago": 600.0},
        **fields,
    }  # fmt: skip


def test_all_of_it_is_a_table_for_a_terminal() -> None:
    assert table(status()) == WHOLE


def test_what_the_proxy_does_not_count_has_no_column_and_is_said() -> None:
    bare = {**ENDPOINT, "work": dict.fromkeys(WORK) | {"sessions": 1}}
    upstream = {"service": "web", "protocol": "tcp", "shape": "", "endpoints": [bare]}
    proxy = {"program": "nginx 1.22.1", "connections": 2, "requests": None, "rate": None,
             "lacks": "nginx counts little"}  # fmt: skip
    text = table(status(upstreams=[upstream], proxy=proxy, problems=[]))
    head = next(line for line in text.splitlines() if line.startswith("SERVICE"))
    assert head.split() == ["SERVICE", "VIA", "INSTANCE", "ADDRESS", "STATE", "WEIGHT", "SESSIONS"]
    assert text.startswith("nginx 1.22.1 on 127.0.0.1:8080: connections 2\n")
    assert text.endswith("\n\nnginx counts little")


def test_a_proxy_that_does_not_answer_and_its_trouble_are_said() -> None:
    text = table(
        status(proxy=None, trouble="haproxy lost", last=None, last_reload=None, upstreams=[],
               hosts={}, wildcards={}, paths={}, listeners={}, problems=[], attached="/run/m.sock")
    )  # fmt: skip
    assert text == (
        "haproxy on 127.0.0.1:8080, attached by /run/m.sock: does not answer now\n"
        "not ready: haproxy lost\n\nnothing is routed yet"
    )


def test_a_start_is_called_so_and_what_was_last_is_not_said_twice() -> None:
    start = {"kind": "start", "why": "start", "seconds": 0.1, "ago": 200_000.0}
    text = table(status(last_reload=start))
    assert "last start 2 d ago, in 100 ms: start\n" in text
    assert table(status(last=start, last_reload=start)).count(" ago, ") == 1


def test_text_from_outside_cannot_write_to_the_terminal() -> None:
    evil = {**ENDPOINT, "id": "\x1b[31mred"}
    upstream = {"service": "web\n", "protocol": "http", "shape": "", "endpoints": [evil]}
    text = table(status(upstreams=[upstream], hosts={"a\x07b": "web\n"}, trouble="x\x1by"))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "n1/\\x1b[31mred" in text


def test_health_has_a_column_when_it_says_something() -> None:
    up = {**ENDPOINT, "work": {**WORK, "health": "down"}}
    text = table(
        status(upstreams=[{"service": "w", "protocol": "http", "shape": "", "endpoints": [up]}])
    )
    assert "STATE  HEALTH  WEIGHT" in text


@pytest.mark.parametrize("service", ["web", "api"])
def test_some_services_can_be_asked_for(service: str) -> None:
    found = only(status(), frozenset({service}))
    assert services_of(found) == {service}
    routes = [*found["hosts"].values(), *found["paths"].values(), *found["listeners"].values()]
    assert set(routes) == {service}
    assert len(found["problems"]) == (service == "web")
    assert services_of(status()) == {"web", "api"}
