"""Requests that are refused, or look as if they should be. Pure."""

from typing import Final

from tests.compat.consul.steps import Dice, Step, get, put

__all__ = ["REFUSED", "STRICT", "refused"]

_SERVICE: Final = "/v1/agent/service/register"
_CHECK: Final = "/v1/agent/check/register"
_LONG: Final = b"x" * (512 * 1024 + 1)
_MANY: Final = {f"k{number}": "v" for number in range(65)}


def _method(method: str, path: str) -> Step:
    return Step(method=method, path=path)


BODIES: Final = (
    put(_SERVICE, b""),
    put(_SERVICE, b"{"),
    put(_SERVICE, b"[]"),
    put(_SERVICE, b"null"),
    put(_SERVICE, b'{"Name": "web"} trailing'),
    put(_SERVICE, b'{"Name": "web", "Bogus": 1}'),
    put(_SERVICE, {"Name": "web", "Namespace": "x"}),
    put(_SERVICE, {"Name": "web", "Port": "80"}),
    put(_SERVICE, {"Name": "web", "Port": 1.5}),
    put(_SERVICE, {"Name": "web", "Tags": "prod"}),
    put(_SERVICE, {"Name": 7}),
    put(_SERVICE, {"Port": 80}),
    put(_SERVICE, {"Name": ""}),
    put(_SERVICE, {"Name": "web", "Address": "0.0.0.0"}),
    put(_SERVICE, {"Name": "web", "Address": "::"}),
    put(_SERVICE, {"Name": "web", "Meta": _MANY}),
    put(_SERVICE, {"Name": "web", "Meta": {"bad key": "v"}}),
    put(_SERVICE, {"Name": "web", "Meta": {"k": "v" * 513}}),
    put(_SERVICE, {"Name": "web", "Weights": {"Passing": 0, "Warning": 1}}),
    put(_SERVICE, {"Name": "web", "Weights": {"Passing": 1, "Warning": -1}}),
    put(_SERVICE, {"Name": "web", "Check": {"TTL": "x"}}),
    put(_SERVICE, {"Name": "web", "Check": {"HTTP": "http://127.0.0.1/"}}),
    put(_SERVICE, {"Name": "web", "Check": {"TTL": "10s", "Status": "weird"}}),
    put(_SERVICE, {"Name": "web", "Check": {"Args": ["true"], "Interval": "1h"}}),
    put(_CHECK, b""),
    put(_CHECK, b"{"),
    put(_CHECK, {"TTL": "10s"}),
    put(_CHECK, {"Name": "c", "CheckID": "c"}),
    put(_CHECK, {"Name": "c"}),
    put(_CHECK, {"Name": "c", "TTL": "-1s"}),
    put(_CHECK, {"Name": "c", "TTL": "10s", "Interval": "10s"}),
    put(_CHECK, {"Name": "c", "HTTP": "http://127.0.0.1/", "Interval": "0s"}),
    put(_CHECK, {"Name": "c", "TTL": "10s", "Status": "weird"}),
    put(_CHECK, {"Name": "c", "TTL": "10s", "ServiceID": "nope"}),
    put(_CHECK, {"Name": "scripted", "Args": ["true"], "Interval": "10s"}),  # see unlike()
    put(_CHECK, {"Name": "c", "TTL": 10**15}),
    put("/v1/agent/check/update/c1", b'{"Status":'),
    put("/v1/agent/check/update/c1", {"Status": "passing", "Nope": 1}),
    put("/v1/catalog/register", b""),
    put("/v1/catalog/register", b"{"),
    put("/v1/catalog/register", {}),
    put("/v1/catalog/register", {"Node": "ext1"}),
    put("/v1/catalog/register", {"Address": "192.0.2.1"}),
    put("/v1/catalog/register", {"Node": "n", "Address": "192.0.2.1", "Datacenter": "dc9"}),
    put("/v1/catalog/register", {"Node": "n", "Address": "192.0.2.1", "Bogus": 1}),
    put("/v1/catalog/register", {"Node": "n", "Address": "192.0.2.1", "Service": {"Port": 1}}),
    put("/v1/catalog/deregister", b"{"),
    put("/v1/catalog/deregister", {}),
    put("/v1/session/create", b"{"),
    put("/v1/session/create", {"TTL": "5s"}),
    put("/v1/session/create", {"TTL": "25h"}),
    put("/v1/session/create", {"TTL": "x"}),
    put("/v1/session/create", {"Behavior": "boo"}),
    put("/v1/session/create", {"Node": "nowhere"}),
    put("/v1/session/create", {"Checks": ["nope"]}),
    put("/v1/session/create", {"LockDelay": "x"}),
    put("/v1/session/create", {"LockDelay": "90s"}),
    put("/v1/txn", b"{"),
    put("/v1/txn", []),
    put("/v1/txn", [{}]),
    put("/v1/txn", [{"KV": {"Verb": "set", "Key": ""}}]),
    put("/v1/txn", [{"KV": {"Verb": "set", "Key": "a", "Value": "%%"}}]),
    put("/v1/txn", [{"KV": {"Verb": "get", "Key": f"k{number}"}} for number in range(65)]),
    put("/v1/kv/big", _LONG),
    put("/v1/kv/"),
    put("/v1/kv/a?flags=bogus", b"x"),
    put("/v1/kv/a?flags=-1", b"x"),
    put("/v1/kv/a?cas=bogus", b"x"),
    put("/v1/kv/a?cas=0&acquire=11111111-2222-4333-8444-555555555555", b"x"),
    put("/v1/kv/a?acquire=one&release=two", b"x"),
    put("/v1/event/fire/"),
)

PATHS: Final = (
    put("/v1/agent/service/deregister/"),
    put("/v1/agent/service/deregister/nope"),
    put("/v1/agent/service/maintenance/web-1"),
    put("/v1/agent/service/maintenance/nope?enable=true"),
    put("/v1/agent/service/maintenance/nope?enable=maybe"),
    put("/v1/agent/maintenance"),
    put("/v1/agent/check/pass/nope"),
    put("/v1/agent/check/deregister/nope"),
    put("/v1/session/destroy/"),
    put("/v1/session/renew/"),
    put("/v1/session/renew/11111111-2222-4333-8444-555555555555"),
    put("/v1/kv//lead", b"x"),
    get("/v1/session/info/"),
    get("/v1/session/info/short"),
    get("/v1/agent/service/nope"),
    get("/v1/agent/health/service/name/none"),
    get("/v1/agent/health/service/id/none"),
    get("/v1/agent/health/service/name/none?format=text"),
    get("/v1/catalog/service/"),
    get("/v1/catalog/node/"),
    get("/v1/health/service/"),
    get("/v1/health/checks/"),
    get("/v1/health/node/"),
    get("/v1/health/state/"),
    get("/v1/health/service/web?passing=maybe"),
    get("/v1/health/service/web?index=abc"),
    get("/v1/health/service/web?index=-1"),
    get("/v1/health/service/web?wait=10"),
    get("/v1/health/service/web?wait=bad&index=1"),
    get("/v1/kv/a?index=abc"),
    get("/v1/kv/a?wait=bad"),
    get("/v1/catalog/nodes?stale&consistent"),
    get("/v1/kv/a?stale&consistent"),
    get("/v1/catalog/services?dc=nowhere"),
    get("/v1/health/service/web?dc=nowhere"),
    get("/v1/kv/a?dc=nowhere"),
    get("/v1/session/list?dc=nowhere"),
    get("/v1/catalog/services?ns=x"),
    get("/v1/kv/a?ns=x"),
    get("/v1/agent/services?ns=x"),
    get("/v1/kv/"),
    get("/v1/unknown"),
    get("/v2/agent/self"),
    get("/v1/"),
    get("/v1//catalog/nodes"),
    get("/v1/catalog/../agent/self"),
    get("/v1/catalog/%2e%2e/agent/self"),
    get("/v1/acl/list"),
    get("/v1/catalog/services", headers=(("Accept-Encoding", "gzip"),)),
    get("/v1/agent/self", headers=(("Accept-Encoding", "gzip"),)),
    get("/v1/catalog/services", headers=(("X-Consul-Token", "anything"),)),
    get("/v1/catalog/services?token=anything"),
    get("/v1/catalog/services", headers=(("Authorization", "Bearer anything"),)),
    _method("DELETE", "/v1/kv/"),
    _method("DELETE", "/v1/kv/a?recurse&cas=1"),
    _method("DELETE", "/v1/kv/a?cas=bogus"),
)

METHODS: Final = tuple(
    _method(method, path)
    for method in ("POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "GET", "PUT")
    for path in (
        "/v1/agent/service/register", "/v1/catalog/nodes", "/v1/health/service/web", "/v1/kv/a",
        "/v1/session/list", "/v1/txn", "/v1/status/leader", "/v1/agent/check/pass/c1",
        "/v1/catalog/register", "/v1/event/list",
    )
    if (method, path) not in {("DELETE", "/v1/kv/a"), ("PUT", "/v1/kv/a")}
)  # fmt: skip

REFUSED: Final = (*BODIES, *PATHS, *METHODS)


def refused(dice: Dice) -> list[Step]:
    """Send one request of the table."""
    return [dice.pick(dice.pick((BODIES, PATHS, METHODS)))]


STRICT: Final = (
    put(_SERVICE, {"Name": "line\nbreak"}),
    put(_SERVICE, {"Name": "../../etc"}),
    put(_SERVICE, {"Name": "web", "ID": "id\r\nx"}),
    put(_SERVICE, {"Name": "web", "ID": "tag", "Tags": ["a\nb"]}),
    put(_SERVICE, {"Name": "web", "ID": "meta", "Meta": {"k": "a\nb"}}),
    put(_SERVICE, {"Name": "web", "ID": "address", "Address": "a b\n"}),
    put(_SERVICE, {"Name": "web", "ID": "high", "Port": 70000}),
    put(_SERVICE, {"Name": "web", "ID": "low", "Port": -5}),
    put(_SERVICE, {"Name": "web", "ID": "kind", "Kind": "unheard-of"}),
)
"""Dangerous values that Consul takes (200) and Pinnace refuses (400) unless told otherwise."""
