"""Consul's JSON to records: statuses, orders, names, and what is no answer."""

import base64
import json

import pytest

from sidecar.errors import ProtocolError
from sidecar.gotemplate.printing import text
from templater.consul_template import queries
from templater.consul_template.answers import members, request_of, value_of
from templater.consul_template.queries import Query


def _pair(key: str, value: str = "") -> dict[str, object]:
    coded = base64.b64encode(value.encode()).decode() or None
    return {"Key": key, "Value": coded, "Flags": 3, "CreateIndex": 1, "ModifyIndex": 2}


def _read(query: Query, body: object) -> object:
    return value_of(query, json.dumps(body).encode())


def _entry(id_: str, *statuses: str, node: str = "n1", address: str = "") -> dict[str, object]:
    checks = [{"CheckID": f"c{at}", "Status": status} for at, status in enumerate(statuses)]
    service = {
        "ID": id_, "Service": "web", "Tags": ["b", "a"], "Port": 80, "Address": address,
        "TaggedAddresses": {"lan": {"Address": "192.0.2.9", "Port": 81}}, "Meta": None,
        "Weights": {"Passing": 5, "Warning": 2},
    }  # fmt: skip
    return {"Node": {"Node": node, "Address": "192.0.2.1"}, "Service": service, "Checks": checks}


@pytest.mark.parametrize(
    ("query", "path", "params"),
    [
        (queries.key("a/b@dc1"), "kv/a/b", {"dc": "dc1"}),
        (queries.listing("a/"), "kv/a/", {"recurse": ""}),
        (queries.keys("a"), "kv/a", {"keys": ""}),
        (queries.health("a.web~n1"), "health/service/web",
         {"near": "n1", "tag": "a", "passing": "1"}),
        (queries.health("web|any"), "health/service/web", {}),
        (queries.health("web|warning", is_connect=True), "health/connect/web", {}),
        (queries.services("?ns=x"), "catalog/services", {"ns": "x"}),
        (queries.nodes("~n1"), "catalog/nodes", {"near": "n1"}),
        (queries.node("n1"), "catalog/node/n1", {}),
        (queries.datacenters(), "catalog/datacenters", {}),
    ],
)  # fmt: skip
def test_a_query_becomes_a_request(query: Query, path: str, params: dict[str, str]) -> None:
    request = request_of(query)
    assert "/".join(request.parts) == path
    assert dict(request.params) == params


def test_what_consul_does_not_answer_is_no_request() -> None:
    with pytest.raises(TypeError):
        request_of(queries.file("/a"))


def test_keys_are_relative_and_absent_ones_are_nothing() -> None:
    assert _read(queries.key("a"), [_pair("a", "x")]) == "x"
    assert value_of(queries.key("a"), None) is None
    found = _read(queries.listing("app"), [_pair("app/", ""), _pair("app/a", "1"), _pair("apple")])
    assert text(found) == "[{app/   1 2 0 3 } {app/a a 1 1 2 0 3 } {apple le  1 2 0 3 }]"
    assert members(found) == {"app/", "app/a", "apple"}
    assert text(_read(queries.keys("app/"), ["app/a", "app/b/c"])) == "[a b/c]"


def test_instances_are_chosen_by_their_worst_status_and_sorted() -> None:
    entries = [
        _entry("b", "passing", node="n2"), _entry("b", "passing", "warning"),
        _entry("a", address="192.0.2.5"), _entry("c", "critical", "warning"),
        _entry("d", "odd"),
    ]  # fmt: skip
    everything = _read(queries.health("web|any"), entries)
    assert [(s.node, s.id, s.status) for s in everything] == [  # type: ignore[attr-defined]
        ("n1", "a", "passing"), ("n1", "b", "warning"), ("n1", "c", "critical"), ("n1", "d", ""),
        ("n2", "b", "passing"),
    ]  # fmt: skip
    near = _read(queries.health("web~n2|passing,warning"), entries)
    assert [(s.node, s.id, s.address) for s in near] == [  # type: ignore[attr-defined]
        ("n2", "b", "192.0.2.1"), ("n1", "b", "192.0.2.1"), ("n1", "a", "192.0.2.5"),
    ]  # fmt: skip
    assert members(near) == {("n2", "b"), ("n1", "b"), ("n1", "a")}


def test_maintenance_is_told_by_the_checks_id() -> None:
    entry = _entry("a", "critical")
    entry["Checks"] = [{"CheckID": "_service_maintenance:a", "Status": "critical"}]
    found = _read(queries.health("web|maintenance"), [entry])
    assert [s.status for s in found] == ["maintenance"]  # type: ignore[attr-defined]


def test_a_service_prints_as_the_peers_struct() -> None:
    found = _read(queries.health("web|any"), [_entry("a")])
    assert text(found) == (
        "[{n1  192.0.2.1 map[] map[] map[] 192.0.2.1 map[lan:{192.0.2.9 81}] a web [a b] [] "
        "passing 80 {5 2}}]"
    )


def test_services_nodes_and_datacenters_are_sorted() -> None:
    assert text(_read(queries.services(""), {"web": ["b", "a"], "db": None})) == (
        "[{db []} {web [a b]}]"
    )
    nodes = [{"Node": "b", "Address": "2"}, {"Node": "a", "ID": "i", "Datacenter": "dc1"}]
    found = _read(queries.nodes(""), nodes)
    assert text(found) == "[{i a  dc1 map[] map[]} { b 2  map[] map[]}]"
    assert members(found) == {"a", "b"}
    assert text(_read(queries.nodes("~b"), nodes)).startswith("[{ b")
    assert text(_read(queries.datacenters(), ["b", "a"])) == "[a b]"
    assert members(_read(queries.services(""), {"web": []})) == {"web"}
    assert members(_read(queries.datacenters(), ["a"])) == {"a"}
    assert members("text") == frozenset()


def test_a_node_comes_with_its_services_and_an_unknown_one_is_nil() -> None:
    services = {
        "w": {"ID": "w", "Service": "web", "Port": 1, "Tags": ["b", "a"]},
        "d": {"ID": "d", "Service": "db", "EnableTagOverride": True},
    }
    body = {"Node": {"Node": "n", "Meta": {"a": "b"}}, "Services": services}
    assert text(_read(queries.node("n"), body)) == (
        "{{ n   map[] map[a:b]} [{d db [] map[] 0  true} {w web [a b] map[] 1  false}]}"
    )
    assert text(_read(queries.node("n"), None)) == "{<nil> []}"


@pytest.mark.parametrize("body", [b"{", b'{"a":1}', b'[{"Key":1}]', b"[1]"])
def test_what_consul_would_not_say_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        value_of(queries.key("a"), body)
