"""What may be registered: Consul's rules in its words, then ours, which name the field."""

# ruff: noqa: E501 - recorded texts stay in one piece

import json
from typing import Any

import pytest

from sidecar.catalog.model import Status
from sidecar.errors import ApiError
from sidecar.web.consul.bodies import (
    CATALOG_REGISTER,
    SERVICE,
    agent_service,
    default_tagged,
    registration,
)
from sidecar.web.consul.decode import decode
from sidecar.web.consul.definitions import CHECK, check_of, from_elsewhere


def service(**fields: Any) -> Any:
    return agent_service(decode(SERVICE, json.dumps({"Name": "web"} | fields).encode()), "n")


def foreign(**fields: Any) -> Any:
    body = {"Node": "ext", "Address": "192.0.2.1"} | fields
    return registration(decode(CATALOG_REGISTER, json.dumps(body).encode()))


def check(**fields: Any) -> Any:
    return check_of(decode(CHECK, json.dumps({"Name": "c"} | fields).encode()))


CONSULS: list[tuple[dict[str, Any], int, str]] = [
    ({"Name": ""}, 400, "Missing service name"),
    ({"Address": "0.0.0.0"}, 400, "Invalid service address"),
    ({"Address": "::"}, 400, "Invalid service address"),
    ({"Weights": {"Passing": 0, "Warning": 1}}, 400, "Invalid Weights: Passing must be greater than 0"),
    ({"Weights": {}}, 400, "Invalid Weights: Passing must be greater than 0"),
    ({"Weights": {"Passing": 1, "Warning": -1}}, 400, "Invalid Weights: Warning must be greater or equal than 0"),
    ({"Weights": {"Passing": 65536}}, 400, "Invalid Weights: DNS Weight must be between 0 and 65535"),
    ({"Meta": {f"k{n}": "v" for n in range(65)}}, 400, "Invalid Service Meta: Node metadata cannot contain more than 64 key/value pairs"),
    ({"Meta": {"bad key": "v"}}, 400, "Invalid Service Meta: Couldn't load metadata pair ('bad key', 'v'): Key contains invalid characters"),
    ({"Meta": {"": "v"}}, 400, "Invalid Service Meta: Couldn't load metadata pair ('', 'v'): Key cannot be blank"),
    ({"Meta": {"consul-x": "y"}}, 400, "Invalid Service Meta: Couldn't load metadata pair ('consul-x', 'y'): Key prefix 'consul-' is reserved for internal use"),
    ({"Check": {"TTL": "10s", "Interval": "1s"}}, 400, "Invalid check: Interval and TTL cannot both be specified"),
    ({"Check": {"HTTP": "http://127.0.0.1/"}}, 400, "Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks"),
    ({"Checks": [{"Status": "passing"}]}, 400, "Invalid check: TTL must be > 0 for TTL checks"),
    ({"Check": {"TTL": "10s", "Status": "weird"}}, 400, "Status for checks must 'passing', 'warning', 'critical'"),
    ({"Check": {"Args": ["true"], "Interval": "1h"}}, 500, "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "status", "text"), CONSULS)
def test_consuls_refusals_of_a_service(fields: dict[str, Any], status: int, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        service(**fields)
    assert (caught.value.status, str(caught.value)) == (status, text)


def test_a_sidecar_to_register_along_is_refused_not_forgotten() -> None:
    with pytest.raises(ApiError, match=r"Connect\.SidecarService: not served") as caught:
        service(Connect={"sidecarservice": {}})
    assert caught.value.status == 501
    assert service(Connect={"SidecarService": None}).instance.service == "web"
    assert service(Connect={"Native": True}).instance.service == "web"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"Name": "line\nbreak"}, "Name"),
        ({"Name": "../../etc"}, "Name"),
        ({"Name": "x" * 64}, "Name"),
        ({"Name": "sep\u2028"}, "Name"),
        ({"ID": "id\r\nx"}, "ID"),
        ({"ID": "x" * 513}, "ID"),
        ({"Tags": ["a\nb"]}, "Tags"),
        ({"Tags": ["x" * 256]}, "Tags"),
        ({"Tags": ["x"] * 129}, "Tags"),
        ({"Meta": {"k": "a\nb"}}, "Service Meta"),
        ({"Address": "a b\n"}, "Address"),
        ({"Address": "a;b"}, "Address"),
        ({"Port": 70000}, "Port"),
        ({"Port": -5}, "Port"),
        ({"Kind": "unheard-of"}, "Kind"),
        ({"TaggedAddresses": {"wan": {"Address": "a\n"}}}, "TaggedAddresses"),
        ({"TaggedAddresses": {"wan": {"Port": 70000}}}, "TaggedAddresses"),
        ({"TaggedAddresses": {f"t{n}": {} for n in range(65)}}, "TaggedAddresses"),
        ({"Check": {"TTL": "1s", "Notes": "\x1b[2J"}}, "check Notes"),
        ({"Check": {"TTL": "1s", "CheckID": "\x00"}}, "CheckID"),
    ],
)
def test_dangerous_values_are_refused_by_the_name_of_their_field(
    fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(ApiError, match=f"^Invalid {named}: ") as caught:
        service(**fields)
    assert caught.value.status == 400


def test_honest_values_of_every_kind_are_taken() -> None:
    found = service(
        ID="a/b c", Tags=["a=b", "ümlaut", None], Address="host.example.org", Port=65535,
        Meta={"k": "a b;c", "n": None}, Weights={"Passing": 3, "Warning": 0}, EnableTagOverride=True,
        TaggedAddresses={"wan": {"Address": "2001:db8::1", "Port": 9}, "x": None},
    ).instance  # fmt: skip
    assert (found.id, found.tags, found.address) == (
        "a/b c",
        ("a=b", "ümlaut", ""),
        "host.example.org",
    )
    assert (found.meta, found.weight, found.warning_weight) == ({"k": "a b;c", "n": ""}, 3, 0)
    assert found.tagged == {"wan": ("2001:db8::1", 9), "x": ("", 0)}


def test_checks_of_a_service_are_named_after_it() -> None:
    (only,) = service(ID="w", Check={"TTL": "1s"}).checks
    assert (only.id, only.name, only.status, only.type) == (
        "service:w", "Service 'web' check", Status.CRITICAL, "ttl",
    )  # fmt: skip
    several = service(Check={"TTL": "1s"}, Checks=[{"TCP": "x:1", "Interval": "5s", "Name": "n"},
                                                    {"CheckID": "own", "GRPC": "x:1", "Interval": "5s"}])  # fmt: skip
    assert [(c.id, c.name, c.type) for c in several.checks] == [
        ("service:web:1", "Service 'web' check", "ttl"),
        ("service:web:2", "n", "tcp"),
        ("own", "Service 'web' check", "grpc"),
    ]
    assert service(Check={}, Checks=None).checks == ()


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"Name": ""}, 400, "Missing check name"),
        ({}, 400, "Invalid check: TTL must be > 0 for TTL checks"),
        ({"TTL": "-1s"}, 400, "Invalid check: TTL must be > 0 for TTL checks"),
        ({"TTL": "10s", "Status": "weird"}, 400, "Bad check status"),
        ({"HTTP": "http://x", "Interval": "0s"}, 400, "Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks"),
        ({"AliasNode": "x", "TTL": "1h"}, 400, "Invalid check: TTL must be not be set for Alias checks"),
        ({"TTL": "1h", "OutputMaxSize": -1}, 400, "Invalid check: MaxOutputMaxSize must be positive"),
        ({"DockerContainerID": "x", "Args": ["x"], "Interval": "1s"}, 500, "Scripts are disabled"),
    ],
)  # fmt: skip
def test_consuls_refusals_of_a_check(fields: dict[str, Any], status: int, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        check(**fields)
    assert caught.value.status == status
    assert str(caught.value).startswith(text)


def test_a_check_keeps_how_it_is_run() -> None:
    found, target = check(HTTP="http://x", Interval="1.5s", service_id="web", Status="passing")
    assert (found.id, found.type, target) == ("c", "http", "web")
    assert json.loads(found.definition) == {"HTTP": "http://x", "Interval": 1_500_000_000}
    assert json.loads(from_elsewhere(found.definition))["Elsewhere"] is True
    assert check(AliasService="web")[0].type == "alias"


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"Node": ""}, 500, "Must provide node"),
        ({"Address": ""}, 500, "Must provide address if SkipNodeUpdate is not set"),
        ({"Service": {"ID": "x"}}, 500, "Must provide service name with ID"),
        ({"Service": {}}, 500, "failed inserting service: failed inserting service: object missing primary index"),
        ({"ID": "xx"}, 500, "Bad node ID: uuid string is wrong length"),
        ({"ID": "x" * 36}, 500, "Bad node ID: uuid string is improperly formatted"),
        ({"Check": {"Node": "other"}}, 500, 'check node "other" does not match node "ext"'),
        ({"Check": {"Status": "weird"}}, 400, "Invalid check Status: 'weird'"),
        ({"Node": "a\nb"}, 400, "Invalid Node: contains the control character '\\n'"),
        ({"Node": ".."}, 400, "Invalid Node: must not contain a path"),
        ({"Address": "a b"}, 400, "Invalid Address: neither an IP address nor a host name"),
        ({"NodeMeta": {"k": "\x7f"}}, 400, "Invalid NodeMeta: contains the control character '\\x7f'"),
        ({"NodeMeta": {f"k{n}": "" for n in range(65)}}, 400, "Invalid NodeMeta: cannot contain more than 64 key/value pairs"),
        ({"TaggedAddresses": {"lan": "\n"}}, 400, "Invalid TaggedAddresses: contains the control character '\\n'"),
        ({"Service": {"Service": "s", "Weights": {"Passing": 65536}}}, 400, "Invalid Weights: 65536 is not from 0 to 65535"),
    ],
)  # fmt: skip
def test_refusals_of_the_catalogue(fields: dict[str, Any], status: int, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        foreign(**fields)
    assert (caught.value.status, str(caught.value)) == (status, text)


def test_a_foreign_check_takes_its_kind_from_its_definition() -> None:
    found = foreign(
        ID="11111111-2222-4333-8444-55555555555F",
        Service={"Service": "s", "Weights": {"Passing": 0}},
        Check={"Name": "x", "Definition": {"TCP": "a:1", "Interval": "10s", "Timeout": None}},
        Checks=[None, {"CheckID": "y", "ServiceID": "s", "Type": "ttl"}],
    )
    assert found.node.id.endswith("f")
    assert [(c.check.id, c.check.type, c.service_id) for c in found.checks] == [
        ("x", "tcp", ""),
        ("", "", ""),
        ("y", "ttl", "s"),
    ]
    assert json.loads(found.checks[0].check.definition)["Interval"] == 10_000_000_000


def test_an_agent_adds_tagged_addresses_for_an_ip_only() -> None:
    assert default_tagged({}, "192.0.2.1", 5) == {
        "lan_ipv4": ("192.0.2.1", 5),
        "wan_ipv4": ("192.0.2.1", 5),
    }
    assert list(default_tagged({}, "2001:db8::1", 5)) == ["lan_ipv6", "wan_ipv6"]
    assert default_tagged({"wan": ("x", 1)}, "example.org", 5) == {"wan": ("x", 1)}
