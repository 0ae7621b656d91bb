"""Requests that no honest client sends, from a seed: valid ones, bent in one or several places."""

import json
import random
from typing import Any, NamedTuple

__all__ = ["Request", "requests"]

KEPT = "kept"  # what the generator never touches

_BODIES: dict[str, Any] = {
    "/v1/agent/service/register": {
        "Name": "f-web", "ID": "f-1", "Port": 80, "Address": "192.0.2.1", "Tags": ["a", "b"],
        "Meta": {"k": "v"}, "Weights": {"Passing": 1, "Warning": 1}, "EnableTagOverride": False,
        "TaggedAddresses": {"wan": {"Address": "192.0.2.2", "Port": 1}},
        "Checks": [{"TTL": "1h", "Status": "passing"}, {"TCP": "127.0.0.1:1", "Interval": "1h"}],
    },
    "/v1/agent/check/register": {
        "Name": "f-check", "ID": "f-c", "TTL": "1h", "Notes": "n", "ServiceID": "f-1",
        "DeregisterCriticalServiceAfter": "90m",
    },
    "/v1/agent/check/update/f-c": {"Status": "warning", "Output": "x"},
    "/v1/catalog/register": {
        "Node": "f-node", "Address": "192.0.2.9", "NodeMeta": {"a": "b"},
        "Service": {"Service": "f-db", "ID": "f-db1", "Port": 5, "Tags": ["x"]},
        "Check": {"CheckID": "f-cc", "Name": "c", "Status": "passing", "ServiceID": "f-db1"},
        "SkipNodeUpdate": False,
    },
    "/v1/catalog/deregister": {"Node": "f-node", "ServiceID": "f-db1"},
    "/v1/session/create": {"Name": "s", "TTL": "10s", "LockDelay": "1s", "Behavior": "release",
                           "Checks": ["serfHealth"]},
    "/v1/txn": [{"KV": {"Verb": "set", "Key": "f/t", "Value": "dg==", "Flags": 1}},
                {"KV": {"Verb": "get", "Key": "f/t"}}],
    "/v1/event/fire/f": {"a": 1},
}  # fmt: skip
_PLACES = (
    *_BODIES,
    *(f"/v1/agent/{p}" for p in ("services", "checks", "self", "members", "metrics", "maintenance",
                                 "service/f-1", "service/deregister/f-1", "check/deregister/f-c",
                                 "service/maintenance/f-1", "check/pass/f-c", "check/fail/f-c",
                                 "health/service/name/f-web", "health/service/id/f-1", "join/x")),
    *(f"/v1/catalog/{p}" for p in ("services", "nodes", "datacenters", "service/f-web",
                                   "node/f-node", "node-services/f-node", "connect/f-web")),
    *(f"/v1/health/{p}" for p in ("service/f-web", "checks/f-web", "node/f-node", "state/any",
                                  "state/critical", "connect/f-web", "ingress/x")),
    "/v1/kv/f/a", "/v1/kv/f/b", "/v1/kv/f", "/v1/kv/", "/v1/session/list", "/v1/session/node/f",
    "/v1/session/info/x", "/v1/session/renew/x", "/v1/session/destroy/x", "/v1/event/list",
    "/v1/status/leader", "/v1/status/peers", "/v1/coordinate/nodes", "/v1/query",
    "/v1/acl/tokens", "/v1/connect/ca/roots", "/v1/pinnace/http_sd", "/v1/pinnace/lb", "/v1/bogus",
    "/", "/ui/", "/healthz", "/readyz", "/metrics",
)  # fmt: skip
_METHODS = ("GET", "GET", "PUT", "PUT", "DELETE", "POST", "HEAD", "OPTIONS", "PATCH", "BREW")
_QUERY = (
    *("passing", "stale", "consistent", "pretty", "recurse", "keys", "raw", "cached", "passing=x"),
    *("tag=a", "near=_agent", "node-meta=a:b", "dc=dc1", "dc=x", "ns=x", "separator=/", "cas=0"),
    *("cas=99999999999999999999", "flags=18446744073709551616", "flags=-1", "acquire=x"),
    *("release=" + "a" * 36, "enable=true", "enable=x", "reason=%0a", "note=%00", "format=text"),
    *("index=1", "index=-1", "index=999999999999999999999", "hash=x", "wait=x", "wait=-1s"),
    *("filter=ID==x", "filter=Bogus==x", "filter=((((", "filter=ServiceMeta.k==v", "filter=%FF"),
    *("filter=not+ID+matches+`(a*)*$`", "replace-existing-checks", "token=%ff", "%=%", "&&==", "a"),
)
_ODD = ("%00", "%0a", "%ff", "%", "%zz", "%2e%2e", "..", "//", "%2f", "\u00e9", "%ed%a0%80", "+")
_HEADERS = (
    *("Host: x", "Host: evil.example", "Host:", "Origin: http://x", "X-Consul-Token: t"),
    *("Accept-Encoding: gzip", "Connection: close", "Expect: 100-continue", "Expect: x"),
    *("Authorization: Bearer", "Content-Type: text/xml", "Content-Encoding: gzip", "Cookie: a"),
    *("Transfer-Encoding: chunked", "Range: bytes=0-1", "If-None-Match: *", "X: " + "v" * 5000),
    *("Upgrade: websocket", "TE: trailers", "X-\u00e9: \u00e9", "Content-Length: 1", "bad header"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 2**63, 2**64, 10**400, "", "x" * 300, "\x00", "\n", "\ud800", [], {}),
    *(
        [None],
        [[]],
        {"a": {}},
        "1h",
        "-1s",
        "99999999999h",
        "passing",
        "critical",
        "f-1",
        "0.0.0.0",
    ),
    *("127.0.0.1:1", ["x"] * 130, {f"k{n}": "v" for n in range(66)}, "/../x", "\u2028"),
)


class Request(NamedTuple):
    """What goes over the wire, and whether it may be blocked."""

    line: str
    data: bytes


def requests(seed: int, count: int) -> "list[Request]":
    """Return so many requests."""
    draw = random.Random(seed)
    return [_request(draw) for _ in range(count)]


def _request(draw: random.Random) -> Request:
    place = draw.choice(_PLACES)
    method = draw.choice(_METHODS)
    if place in _BODIES and draw.random() < 0.7:
        method = "PUT"
    query = draw.sample(_QUERY, draw.choice((0, 0, 1, 1, 2, 4)))
    if method == "DELETE" and not place.startswith("/v1/kv/f"):
        query = [each for each in query if each != "recurse"]
    elif draw.random() < 0.15 and method != "DELETE":
        at = draw.randint(4, len(place)) if len(place) > 4 else len(place)
        place = place[:at] + draw.choice(_ODD) + place[at:]
    if any(each.startswith(("index", "hash")) for each in query):
        query.insert(0, "wait=1ms")
    target = place + ("?" + "&".join(query) if query else "")
    headers = ["Host: localhost"]
    if draw.random() < 0.2:
        headers += draw.sample(_HEADERS, draw.choice((1, 1, 2)))
    body = _body(draw, place.partition("?")[0]) if method not in {"GET", "HEAD"} else b""
    if body:
        headers.append(f"Content-Length: {len(body)}")
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{each}\r\n" for each in headers) + "\r\n"
    return Request(f"{method} {target}", head.encode("utf-8", "surrogatepass") + body)


def _body(draw: random.Random, place: str) -> bytes:
    if place not in _BODIES:
        return draw.choice((b"", b"", b"x", b"{}", draw.randbytes(30)))
    kind = draw.random()
    if kind < 0.05:
        return draw.choice((b"", b" ", b"null", b"[", b'{"Name"', b"\xff\xfe", b"1" * 400, b"NaN"))
    if kind < 0.08:
        opening = draw.choice(("[", '{"Name":', '{"Check":', "[{"))
        return (opening * draw.choice((60, 64, 65, 70, 5_000))).encode()
    value = _bent(draw, _BODIES[place]) if kind < 0.85 else _BODIES[place]
    data = json.dumps(value).encode()
    if draw.random() < 0.1:
        at = draw.randrange(len(data))
        data = data[:at] + draw.randbytes(draw.randint(0, 3)) + data[at + draw.randint(0, 2) :]
    return data


def _bent(draw: random.Random, value: Any) -> Any:
    """Return the value with one place changed, added or taken away."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        bent = dict(value)
        key = draw.choice(list(bent))
        way = draw.random()
        if way < 0.15:
            del bent[key]
        elif way < 0.25:
            bent[key.swapcase()] = draw.choice(_VALUES)
        elif way < 0.3:
            bent[draw.choice(("Bogus", "", "Namespace", "\u017ferviceID"))] = draw.choice(_VALUES)
        else:
            bent[key] = _bent(draw, bent[key])
        return bent
    if isinstance(value, list) and value and draw.random() < 0.8:
        at = draw.randrange(len(value))
        return [*value[:at], _bent(draw, value[at]), *value[at + 1 :]] * draw.choice((1, 1, 1, 40))
    return draw.choice(_VALUES)
