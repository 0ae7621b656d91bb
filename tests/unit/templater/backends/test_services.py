"""Services as keys: what is there, and what a label cannot do to other keys."""

from types import MappingProxyType

import pytest

from sidecar.catalog.model import Instance, InstanceId, Node, Snapshot, Status
from templater.backends.services import concerns, services_below


def _snapshot(*instances: Instance) -> Snapshot:
    services: dict[str, tuple[Instance, ...]] = {}
    for one in instances:
        services[one.service] = (*services.get(one.service, ()), one)
    return Snapshot(index=1, services=services, nodes={"n": Node(name="n", address="192.0.2.9")})


def _one(service: str = "web", id_: str = "w1", **more: object) -> Instance:
    fields: dict[str, object] = {"address": "192.0.2.1", "port": 80, **more}
    return Instance(id=InstanceId(id_), service=service, node="n", **fields)  # type: ignore[arg-type]


def test_an_instance_is_its_socket_and_what_is_below() -> None:
    one = _one(tags=("b", "a"), meta=MappingProxyType({"k": "v"}), weight=3)
    assert services_below(_snapshot(one), "/").values == {
        "/services/web/w1": "192.0.2.1:80",
        "/services/web/w1/address": "192.0.2.1",
        "/services/web/w1/meta/k": "v",
        "/services/web/w1/node": "n",
        "/services/web/w1/port": "80",
        "/services/web/w1/status": "passing",
        "/services/web/w1/tags": "b,a",
        "/services/web/w1/weight": "3",
    }


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("/", ["a1", "w1"]),
        ("/serv", ["a1", "w1"]),
        ("/services", ["a1", "w1"]),
        ("/services/web", ["w1"]),
        ("/services/web/w1", ["w1"]),
        ("/services/w", ["w1"]),
        ("/services/web/x", []),
        ("/servicesx", []),
        ("/app", []),
    ],
)
def test_a_key_stands_for_all_that_begin_with_it(key: str, found: list[str]) -> None:
    snapshot = _snapshot(_one(), _one("api", "a1", address="2001:db8::1"))
    values = services_below(snapshot, key).values
    sockets = [path for path in values if path.count("/") == 3]
    assert sorted(path.rpartition("/")[2] for path in sockets) == found
    assert concerns(key) == (key in {"/", "/serv", "/services"} or key.startswith("/services/"))


def test_an_address_of_version_six_stands_in_brackets_and_none_is_the_nodes() -> None:
    values = services_below(_snapshot(_one(address="2001:db8::1"), _one("api", address="")), "/")
    assert values.values["/services/web/w1"] == "[2001:db8::1]:80"
    assert values.values["/services/api/w1"] == "192.0.2.9:80"


def test_what_takes_no_new_work_is_not_there() -> None:
    snapshot = _snapshot(_one(status=Status.CRITICAL), _one(id_="w2", draining=True))
    assert services_below(snapshot, "/") == ({}, ())


@pytest.mark.parametrize("id_", ["..", ".", "a/b", "../db/x", "a\nb", "", "é"])
def test_an_id_that_could_be_another_key_is_left_out_and_told(id_: str) -> None:
    found = services_below(_snapshot(_one(id_=id_)), "/")
    assert found.values == {}
    assert "cannot be a part of a key" in found.problems[0]


def test_a_text_with_a_second_line_is_left_out_and_told() -> None:
    meta = MappingProxyType({"k": "a\nb", "../x": "never"})
    found = services_below(_snapshot(_one(tags=("a\nserver evil",), meta=meta)), "/")
    assert "/services/web/w1" in found.values
    assert not any("tags" in path or "meta" in path for path in found.values)
    assert found.problems == (
        "service 'web': tags has control characters",
        "service 'web': meta/k has control characters",
    )


def test_an_address_that_is_none_is_left_out_and_told() -> None:
    found = services_below(_snapshot(_one(address="not an address")), "/")
    assert found == ({}, ("service 'web': address 'not an address' is no address",))
