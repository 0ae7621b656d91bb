import json
from dataclasses import replace
from typing import Any

import pytest

from sidecar.catalog.model import Check, Instance, InstanceId, Status
from sidecar.stores.consul.registration import (
    DRAINING,
    AgentCheck,
    AgentService,
    is_drained,
    is_registered,
    is_told,
    registration,
)

PLAIN = Instance(id=InstanceId("vm:bb:80"), service="bb", node="vm", address="10.9.8.7", port=21022)
HTTP = {
    "Method": "HEAD",
    "Interval": "15s",
    "Timeout": "1s",
    "HTTP": "http://10.9.8.7:21022/health",
    "Status": "passing",
    "DeregisterCriticalServiceAfter": "10m",
}
HEALTH = Check(id="docker", name="health", type="docker", status=Status.CRITICAL, output="starting")


def own(definition: object = HTTP) -> Check:
    return Check(id="c", name="c", type="http", definition=json.dumps(definition))


def body(instance: Instance) -> Any:
    return json.loads(registration(instance).body)


def test_a_plain_instance_is_told_as_registrator_tells_it() -> None:
    assert registration(PLAIN).body == (
        b'{"ID":"vm:bb:80","Name":"bb","Port":21022,"Address":"10.9.8.7","Check":null,"Checks":null}'
    )


def test_the_recorded_registration_with_a_check_is_met() -> None:
    meta = {"check_http": "/health", "check_interval": "15s"}
    assert body(replace(PLAIN, meta=meta, checks=(own(),), tags=("b", "a"))) == {
        "ID": "vm:bb:80",
        "Name": "bb",
        "Tags": ["b", "a"],
        "Port": 21022,
        "Address": "10.9.8.7",
        "Meta": meta,
        "Check": HTTP,
        "Checks": None,
    }


@pytest.mark.parametrize(
    ("change", "gone"), [({"port": 0}, "Port"), ({"address": ""}, "Address")], ids=["port", "host"]
)
def test_what_is_empty_is_absent(change: dict[str, Any], gone: str) -> None:
    assert gone not in body(replace(PLAIN, **change))


def test_what_registrator_does_not_know_is_added() -> None:
    found = body(
        replace(
            PLAIN,
            weight=0,
            warning_weight=2,
            tagged={"lan_ipv6": ("2001:db8::1", 80)},
            tag_override=True,
        )
    )
    assert found["Weights"] == {"Passing": 1, "Warning": 2}
    assert found["TaggedAddresses"] == {"lan_ipv6": {"Address": "2001:db8::1", "Port": 80}}
    assert found["EnableTagOverride"] is True


def test_a_containers_health_is_a_ttl_check_that_is_fed() -> None:
    told = registration(replace(PLAIN, checks=(HEALTH,)))
    found = json.loads(told.body)
    assert found["Check"] is None
    assert found["Checks"] == [
        {
            "CheckID": "service:vm:bb:80:docker",
            "Name": "health",
            "TTL": "60s",
            "Status": "critical",
        }
    ]
    (feed,) = told.feeds
    assert (feed.id, feed.ttl, feed.status, feed.output, feed.is_own) == (
        "service:vm:bb:80:docker",
        60.0,
        Status.CRITICAL,
        "starting",
        False,
    )


def test_the_status_of_health_is_no_part_of_the_core() -> None:
    sick = registration(replace(PLAIN, checks=(HEALTH,)))
    well = registration(replace(PLAIN, checks=(replace(HEALTH, status=Status.PASSING),)))
    assert sick.core == well.core
    assert sick.body != well.body
    assert sick.feeds != well.feeds


def test_several_checks_have_ids_that_stay() -> None:
    tcp = {"TCP": "10.9.8.7:21022", "Interval": "10s"}
    told = registration(replace(PLAIN, checks=(own(), HEALTH, own(tcp))))
    found = json.loads(told.body)
    assert found["Check"]["CheckID"] == "service:vm:bb:80"
    assert [each["CheckID"] for each in found["Checks"]] == [
        "service:vm:bb:80:2",
        "service:vm:bb:80:docker",
    ]
    assert told.kinds == {
        "service:vm:bb:80": "http",
        "service:vm:bb:80:2": "tcp",
        "service:vm:bb:80:docker": "ttl",
    }


def test_a_ttl_check_of_a_label_is_fed_as_passing() -> None:
    told = registration(replace(PLAIN, checks=(own({"TTL": "15s"}),)))
    (feed,) = told.feeds
    assert (feed.id, feed.ttl, feed.status, feed.is_own) == (
        "service:vm:bb:80",
        15.0,
        Status.PASSING,
        True,
    )


@pytest.mark.parametrize("ttl", ["", "soon", "0s", "-5s"])
def test_a_ttl_that_is_none_is_not_fed(ttl: str) -> None:
    assert registration(replace(PLAIN, checks=(own({"TTL": ttl}),))).feeds == ()


def test_in_registrators_place_a_ttl_check_is_left_to_whoever_feeds_it() -> None:
    instance = replace(PLAIN, checks=(own({"TTL": "30s"}),))
    found = registration(instance, is_fed=False)
    assert (found.body, found.feeds) == (registration(instance).body, ())


def test_a_definition_that_is_no_object_is_refused() -> None:
    with pytest.raises(ValueError, match="no object"):
        registration(replace(PLAIN, checks=(own([1]),)))


def test_a_check_that_somebody_else_runs_is_not_told() -> None:
    check = Check(id="x", name="x", type="http")
    assert body(replace(PLAIN, checks=(check,)))["Check"] is None


THERE = AgentService(
    name="bb",
    tags=[],
    meta={},
    port=21022,
    address="10.9.8.7",
    tagged={
        "lan_ipv4": {"Address": "10.9.8.7", "Port": 21022},
        "wan_ipv4": {"Address": "10.9.8.7", "Port": 21022},
    },
    weights={"Passing": 1, "Warning": 1},
)


def test_what_the_agent_derives_makes_no_difference() -> None:
    assert is_registered(PLAIN, THERE)
    assert is_registered(PLAIN, AgentService(name="bb", port=21022, address="10.9.8.7"))


@pytest.mark.parametrize(
    "change",
    [
        {"service": "cc"},
        {"tags": ("a",)},
        {"meta": {"a": "b"}},
        {"port": 1},
        {"address": "10.9.8.8"},
        {"weight": 5},
        {"warning_weight": 5},
        {"tag_override": True},
        {"tagged": {"lan_ipv6": ("2001:db8::1", 80)}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_difference_counts(change: dict[str, Any]) -> None:
    assert not is_registered(replace(PLAIN, **change), THERE)


def test_addresses_that_are_wanted_no_more_are_a_difference() -> None:
    tagged = {**(THERE.tagged or {}), "lan_ipv6": {"Address": "2001:db8::1", "Port": 80}}
    there = AgentService(name="bb", port=21022, address="10.9.8.7", tagged=tagged)
    assert not is_registered(PLAIN, there)
    assert is_registered(replace(PLAIN, tagged={"lan_ipv6": ("2001:db8::1", 80)}), there)


def told(instance: Instance, **checks: AgentCheck) -> bool:
    there = {f"service:{instance.id}{name}": check for name, check in checks.items()}
    if "drain" in checks:
        there.pop(f"service:{instance.id}drain")
        there[f"_service_maintenance:{instance.id}"] = checks["drain"]
    return is_told(instance, registration(instance), there)


def test_checks_are_compared_by_id_and_kind() -> None:
    checked = replace(PLAIN, checks=(own(),))
    assert told(PLAIN)
    assert told(checked, **{"": AgentCheck(status="critical", type="http")})
    assert told(checked, **{"": AgentCheck(status="critical")})  # an agent that tells no kind
    assert not told(checked)
    assert not told(checked, **{"": AgentCheck(type="tcp")})
    assert not told(PLAIN, **{":docker": AgentCheck(type="ttl")})
    assert told(PLAIN, other=AgentCheck(type="http"))  # somebody else's


def test_a_status_that_is_fed_is_compared() -> None:
    sick = replace(PLAIN, checks=(HEALTH,))
    assert told(sick, **{":docker": AgentCheck(status="critical", type="ttl")})
    assert not told(sick, **{":docker": AgentCheck(status="passing", type="ttl")})


def test_only_our_own_maintenance_is_a_drain() -> None:
    ours, operators = AgentCheck(notes=DRAINING), AgentCheck(notes="disk is full")
    draining = replace(PLAIN, draining=True)
    assert told(draining, drain=ours)
    assert not told(draining)
    assert not told(draining, drain=operators)
    assert not told(PLAIN, drain=ours)
    assert told(PLAIN, drain=operators)
    assert not is_drained("other", {})
