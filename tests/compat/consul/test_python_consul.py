"""A client nobody here wrote: python-consul2 does what its users do."""

import base64
import threading
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import consul as python_consul
import pytest

from tests.support.pinnace import until

# The package's own: it announces an old API at every start and has no close.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:consul.*"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture
def client(base_url: str) -> Iterator[Any]:
    """The synchronous client of the package."""
    parts = urlsplit(base_url)
    client = python_consul.Consul(host=parts.hostname, port=parts.port)
    yield client
    client.http.session.close()


def test_a_registered_service_is_found_by_every_reader(client: Any, unique: str) -> None:
    assert client.agent.service.register(
        unique, service_id=f"{unique}-1", address="192.0.2.7", port=8080, tags=["v1"]
    )
    until(lambda: client.health.service(unique)[1])
    assert client.agent.services()[f"{unique}-1"]["Port"] == 8080
    _, services = client.catalog.services()
    assert services[unique] == ["v1"]
    _, [entry] = client.catalog.service(unique, tag="v1")
    assert (entry["ServiceAddress"], entry["ServicePort"]) == ("192.0.2.7", 8080)
    _, [entry] = client.health.service(unique, passing=True)
    assert entry["Service"]["ID"] == f"{unique}-1"
    assert client.catalog.service(unique, tag="v2")[1] == []
    assert client.agent.service.deregister(f"{unique}-1")
    until(lambda: client.health.service(unique)[1] == [])


def test_a_ttl_check_decides_who_is_passing(client: Any, unique: str) -> None:
    check = python_consul.Check.ttl("60m")
    assert client.agent.service.register(unique, port=80, check=check)
    until(lambda: client.health.service(unique)[1])
    assert client.health.service(unique, passing=True)[1] == []
    for report, status in (
        (client.agent.check.ttl_pass, "passing"),
        (client.agent.check.ttl_warn, "warning"),
        (client.agent.check.ttl_fail, "critical"),
    ):

        def reported(status: str = status) -> bool:
            return bool(client.health.checks(unique)[1][0]["Status"] == status)

        assert report(f"service:{unique}", "a note")
        until(reported)
        assert len(client.health.service(unique, passing=True)[1]) == (status == "passing")
    assert client.health.checks(unique)[1][0]["Output"] == "a note"


def test_maintenance_takes_an_instance_out_and_brings_it_back(client: Any, unique: str) -> None:
    client.agent.service.register(unique, port=80)
    until(lambda: client.health.service(unique, passing=True)[1])
    client.agent.service.maintenance(unique, "true", "moving")
    until(lambda: client.health.service(unique, passing=True)[1] == [])
    client.agent.service.maintenance(unique, "false")
    until(lambda: client.health.service(unique, passing=True)[1])


def test_an_entry_of_another_node_comes_and_goes(client: Any, unique: str) -> None:
    service = {"service": unique, "id": f"{unique}-1", "port": 81}
    assert client.catalog.register(f"n-{unique}", "192.0.2.9", service=service) is True
    _, node = client.catalog.node(f"n-{unique}")
    assert node["Services"][f"{unique}-1"]["Port"] == 81
    assert f"n-{unique}" in {each["Node"] for each in client.catalog.nodes()[1]}
    assert client.catalog.deregister(f"n-{unique}") is True
    assert client.catalog.node(f"n-{unique}")[1] is None


def test_keys_are_written_listed_compared_and_deleted(client: Any, unique: str) -> None:
    key = f"{unique}/a"
    assert client.kv.get(key)[1] is None
    assert client.kv.put(key, b"\x00one", flags=7, cas=0) is True
    assert client.kv.put(key, "two", cas=0) is False
    _, entry = client.kv.get(key)
    assert (entry["Value"], entry["Flags"]) == (b"\x00one", 7)
    assert client.kv.put(key, "two", cas=entry["ModifyIndex"]) is True
    client.kv.put(f"{unique}/d/e", "x")
    assert client.kv.get(f"{unique}/", keys=True, separator="/")[1] == [key, f"{unique}/d/"]
    assert [each["Key"] for each in client.kv.get(unique, recurse=True)[1]] == [
        key,
        f"{unique}/d/e",
    ]
    assert client.kv.delete(unique, recurse=True) is True
    assert client.kv.get(unique, recurse=True)[1] is None


def test_a_lock_passes_from_one_session_to_the_next(client: Any, unique: str) -> None:
    one, two = (client.session.create(name=name, lock_delay=0) for name in ("one", "two"))
    key = f"{unique}/lock"
    assert client.kv.put(key, "one", acquire=one) is True
    assert client.kv.put(key, "two", acquire=two) is False
    assert client.kv.get(key)[1]["Session"] == one
    assert client.kv.put(key, "one", release=one) is True
    assert client.kv.put(key, "two", acquire=two) is True
    assert client.session.info(two)[1]["Name"] == "two"
    assert client.session.destroy(two) is True
    assert "Session" not in client.kv.get(key)[1]
    assert client.session.info(two)[1] is None
    assert client.session.destroy(one) is True


def test_a_session_with_a_ttl_is_renewed_until_it_is_gone(client: Any) -> None:
    identity = client.session.create(ttl=30, behavior="delete")
    assert client.session.renew(identity)["TTL"] == "30s"
    assert identity in {each["ID"] for each in client.session.list()[1]}
    client.session.destroy(identity)
    with pytest.raises(python_consul.NotFound):
        client.session.renew(identity)


def test_a_blocking_read_returns_with_the_change(client: Any, base_url: str, unique: str) -> None:
    key = f"{unique}/watched"
    client.kv.put(key, "old")
    index, _ = client.kv.get(key)
    change = threading.Timer(0.1, client.kv.put, (key, "new"))
    change.start()
    newer, entry = client.kv.get(key, index=index, wait="10s")
    change.join()
    assert int(newer) > int(index)
    assert entry["Value"] == b"new"
    same, entry = client.kv.get(key, index=newer, wait="100ms")
    assert (same, entry["Value"]) == (newer, b"new")


def test_a_transaction_is_done_whole_or_not_at_all(client: Any, unique: str) -> None:
    def operation(verb: str, key: str, **fields: Any) -> dict[str, Any]:
        return {"KV": {"Verb": verb, "Key": f"{unique}/{key}", **fields}}

    value = base64.b64encode(b"x").decode()
    done = client.txn.put([operation("set", "a", Value=value), operation("get", "a")])
    assert [each["KV"]["Key"] for each in done["Results"]] == [f"{unique}/a"] * 2
    with pytest.raises(python_consul.ConsulException, match="409"):
        client.txn.put([operation("set", "b", Value=value), operation("get", "none")])
    assert client.kv.get(f"{unique}/b")[1] is None


def test_a_fired_event_is_listed(client: Any, unique: str) -> None:
    identity = client.event.fire(unique, "payload")["ID"]
    assert str(uuid.UUID(identity)) == identity
    until(lambda: client.event.list(unique)[1])
    [event] = client.event.list(unique)[1]
    assert event["ID"] == identity
    assert base64.b64decode(event["Payload"]) == b"payload"


def test_it_learns_who_it_talks_to(client: Any) -> None:
    assert client.status.leader()
    assert client.status.peers()
    assert client.agent.self()["Config"]["Datacenter"] == "dc1"
    assert client.catalog.datacenters() == ["dc1"]
    [member] = client.agent.members()
    assert member["Status"] == 1


def test_refusals_reach_the_caller_as_the_clients_own_errors(client: Any) -> None:
    with pytest.raises(python_consul.base.BadRequest):
        client.kv.put("x", "y", cas=0, acquire="11111111-2222-4333-8444-555555555555")
    with pytest.raises(python_consul.ConsulException):
        client.session.create(node="nowhere")
