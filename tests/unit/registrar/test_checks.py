"""Each SERVICE_CHECK_* as what Consul is sent."""

import json
from dataclasses import replace
from typing import Any

import pytest

from registrar.mapping import Mapped, instances_of
from registrar.ports import Place
from sidecar.catalog.model import Status
from tests.support.docker import PLACE, container

ON_8080 = {"80/tcp": "0.0.0.0:8080"}
OTHERS = replace(PLACE, is_ours=False)
COMPAT = replace(OTHERS, compat=True)
AT = "192.0.2.7:8080"


def mapped(*env: str, place: Place = OTHERS, **fields: Any) -> Mapped:
    given = tuple(f"SERVICE_CHECK_{entry}" for entry in env)
    return instances_of(container(published=ON_8080, env=given, **fields), place)


def definitions(*env: str, place: Place = OTHERS, **fields: Any) -> list[dict[str, Any]]:
    found = mapped(*env, place=place, **fields)
    assert found.problems == ()
    return [json.loads(c.definition) for c in found.instances[0].checks if c.definition]


GOLDEN = [
    pytest.param(
        ("HTTP=/health", "INTERVAL=15s", "TIMEOUT=1s", "HTTP_METHOD=HEAD",
         "INITIAL_STATUS=passing", "DEREGISTER_AFTER=10m"),
        {"HTTP": f"http://{AT}/health", "Timeout": "1s", "Method": "HEAD", "Interval": "15s",
         "Status": "passing", "DeregisterCriticalServiceAfter": "10m"},
        id="http",
    ),
    pytest.param(
        ("HTTPS=/s", "HTTPS_METHOD=PUT"),
        {"HTTP": f"https://{AT}/s", "Method": "PUT", "Interval": "10s"},
        id="https",
    ),
    pytest.param(
        ("CMD=/bin/check -a",),
        {"ScriptArgs": ["check-cmd", "box-id", "80", "/bin/check -a"], "Interval": "10s"},
        id="cmd",
    ),
    pytest.param(("TTL=30s", "INTERVAL=5s"), {"TTL": "30s"}, id="ttl-has-no-interval"),
    pytest.param(
        ("TCP=false", "TIMEOUT=3s"),
        {"TCP": AT, "Timeout": "3s", "Interval": "10s"},
        id="any-text-means-yes",
    ),
    pytest.param(
        ("GRPC=1", "GRPC_USE_TLS=1", "TLS_SKIP_VERIFY=1"),
        {"GRPC": AT, "GRPCUseTLS": True, "TLSSkipVerify": True, "Interval": "10s"},
        id="grpc",
    ),
    pytest.param(
        ("GRPC=1", "TLS_SKIP_VERIFY=1"), {"GRPC": AT, "Interval": "10s"}, id="grpc-without-tls"
    ),
    pytest.param(
        ("TCP=1", "HTTPS=/b", "HTTP=/a"),
        {"HTTP": f"http://{AT}/a", "Interval": "10s"},
        id="the-first-kind-counts",
    ),
]  # fmt: skip


@pytest.mark.parametrize("place", [OTHERS, COMPAT], ids=["default", "compat"])
@pytest.mark.parametrize(("env", "definition"), GOLDEN)
def test_what_consul_is_sent(
    env: tuple[str, ...], definition: dict[str, Any], place: Place
) -> None:
    assert definitions(*env, place=place) == [definition]


@pytest.mark.parametrize(
    ("env", "compat", "ours"),
    [
        (
            ("SCRIPT=nc $SERVICE_IP $SERVICE_PORT",),
            {"ScriptArgs": ["nc 192.0.2.7 8080"], "Interval": "10s"},
            {"ScriptArgs": ["/bin/sh", "-c", "nc 192.0.2.7 8080"], "Interval": "10s"},
        ),
        (
            ("HTTP=health", "TIMEOUT=5", "INTERVAL=0s"),
            {"HTTP": f"http://{AT}health", "Timeout": "5", "Interval": "0s"},
            {"HTTP": f"http://{AT}/health", "Interval": "10s"},
        ),
        (
            ("HTTP=@evil.example/",),
            {"HTTP": f"http://{AT}@evil.example/", "Interval": "10s"},
            {"HTTP": f"http://{AT}/@evil.example/", "Interval": "10s"},
        ),
        (
            ("GRPC=1", "GRPC_USE_TLS=1", "TLS_SKIP_VERIFY=false"),
            {"GRPC": AT, "GRPCUseTLS": True, "TLSSkipVerify": True, "Interval": "10s"},
            {"GRPC": AT, "GRPCUseTLS": True, "Interval": "10s"},
        ),
        (
            ("TTL=1s", "INITIAL_STATUS=fine"),
            {"TTL": "1s", "Status": "fine"},
            {"TTL": "1s"},
        ),
    ],
)
def test_what_is_corrected(
    env: tuple[str, ...], compat: dict[str, Any], ours: dict[str, Any]
) -> None:
    def one(place: Place) -> object:
        (check,) = mapped(*env, place=place).instances[0].checks
        return json.loads(check.definition)

    assert one(COMPAT) == compat
    assert one(OTHERS) == ours


@pytest.mark.parametrize(
    ("env", "definition"),
    [
        (
            ('ARGS=["nc","$SERVICE_IP"]', "TIMEOUT=2s"),
            {"ScriptArgs": ["nc", "192.0.2.7"], "Timeout": "2s", "Interval": "10s"},
        ),
        (
            ("DOCKER_SCRIPT=test -e /ok",),
            {"ScriptArgs": ["/bin/sh", "-c", "test -e /ok"], "DockerContainerID": "box-id",
             "Shell": "/bin/sh", "Interval": "10s"},
        ),
        (
            ("HTTPS=/", "METHOD=POST", "HEADER=X-A: b", "BODY=hi", "TLS_SKIP_VERIFY=1"),
            {"HTTP": f"https://{AT}/", "Method": "POST", "Header": {"X-A": ["b"]}, "Body": "hi",
             "TLSSkipVerify": True, "Interval": "10s"},
        ),
        (
            ("HTTP=/", 'HEADER={"A": ["b", "c"], "D": "e"}'),
            {"HTTP": f"http://{AT}/", "Header": {"A": ["b", "c"], "D": ["e"]}, "Interval": "10s"},
        ),
        (
            ("TCP=1", "FAILURES_BEFORE_CRITICAL=3", "SUCCESS_BEFORE_PASSING=2"),
            {"TCP": AT, "FailuresBeforeCritical": 3, "SuccessBeforePassing": 2,
             "Interval": "10s"},
        ),
    ],
)  # fmt: skip
def test_what_registrator_does_not_have(env: tuple[str, ...], definition: dict[str, Any]) -> None:
    assert definitions(*env) == [definition]
    kinds = ("ARGS", "DOCKER_SCRIPT")
    if env[0].startswith(kinds):
        assert definitions(*env, place=COMPAT) == []


@pytest.mark.parametrize(
    ("env", "label", "words"),
    [
        (("HTTP=/", "TIMEOUT=5"), "SERVICE_CHECK_TIMEOUT", "'5' is no duration"),
        (("HTTP=/", "INTERVAL=-5s"), "SERVICE_CHECK_INTERVAL", "is no duration"),
        (("TTL=x",), "SERVICE_CHECK_TTL", "is no duration"),
        (("HTTP=/", "INITIAL_STATUS=ok"), "SERVICE_CHECK_INITIAL_STATUS", "'ok' is no status"),
        (("HTTP=/", "HTTP_METHOD=A B"), "SERVICE_CHECK_HTTP_METHOD", "'A B' is no method"),
        (("HTTP=/", "HEADER=x"), "SERVICE_CHECK_HEADER", "neither 'Name: value' nor"),
        (("HTTP=/", "HEADER={x"), "SERVICE_CHECK_HEADER", "neither"),
        (("HTTP=/", "HEADER=a: b\nc"), "SERVICE_CHECK_HEADER", "neither"),
        (("HTTP=/", 'HEADER={"a b": "c"}'), "SERVICE_CHECK_HEADER", "neither"),
        (("HTTP=/", 'HEADER={"a": 1}'), "SERVICE_CHECK_HEADER", "neither"),
        (("ARGS=nc",), "SERVICE_CHECK_ARGS", "not a JSON list"),
        (("ARGS=[]",), "SERVICE_CHECK_ARGS", "not a JSON list"),
        (("TCP=1", "FAILURES_BEFORE_CRITICAL=x"), "SERVICE_CHECK_FAILURES_BEFORE_CRITICAL",
         "is no number"),
    ],
)  # fmt: skip
def test_what_the_store_would_refuse_is_left_out(
    env: tuple[str, ...], label: str, words: str
) -> None:
    found = mapped(*env)
    assert len(found.instances) == 1
    assert (label, True) in [(p.label, words in p.text) for p in found.problems]


def test_a_check_of_absurd_size_is_refused() -> None:
    found = mapped("HTTP=/" + "x" * 20_000)
    assert found.instances[0].checks == ()
    assert any(problem.text == "refused: a check of that size" for problem in found.problems)


@pytest.mark.parametrize("key", ["SCRIPT", "CMD", "DOCKER_SCRIPT", "ARGS"])
def test_a_command_from_a_label_is_never_run_by_us(key: str) -> None:
    found = mapped(f'{key}=["id"]', place=PLACE)
    assert found.instances[0].checks == ()
    assert [(p.label, p.text) for p in found.problems] == [
        (f"SERVICE_CHECK_{key}", "refused: commands that come from labels are never run")
    ]


def test_a_check_of_one_port_counts_there_only() -> None:
    box = container(
        published=ON_8080 | {"81/tcp": ":8081"},
        env=("SERVICE_80_CHECK_HTTP=/", "SERVICE_CHECK_TCP=1"),
    )
    first, second = instances_of(box, OTHERS).instances
    assert json.loads(first.checks[0].definition)["HTTP"] == f"http://{AT}/"
    assert json.loads(second.checks[0].definition)["TCP"] == "192.0.2.7:8081"


def test_several_checks_have_ids_of_their_own() -> None:
    found = mapped("HTTP=/", "2_TCP=1", "2_INTERVAL=3s", "1_TTL=9s", "99_TTL=9s")
    assert [(c.id, c.type) for c in found.instances[0].checks] == [
        ("service:vm:box:80:1", "http"),
        ("service:vm:box:80:2", "ttl"),
        ("service:vm:box:80:3", "tcp"),
    ]
    assert json.loads(found.instances[0].checks[2].definition)["Interval"] == "3s"
    (alone,) = mapped("HTTP=/", "2_TCP=1", place=COMPAT).instances[0].checks
    assert (alone.id, alone.name) == ("service:vm:box:80", "Service 'bb' check")


def test_dockers_health_stands_beside_what_labels_define() -> None:
    found = mapped("TTL=9s", "INITIAL_STATUS=passing", Health={"Status": "healthy"})
    (instance,) = found.instances
    assert [(c.id, c.type, c.status) for c in instance.checks] == [
        ("service:vm:box:80", "ttl", Status.PASSING),
        ("service:vm:box:80:docker", "docker", Status.PASSING),
    ]
    assert instance.status is Status.PASSING
    assert mapped("TTL=9s").instances[0].status is Status.CRITICAL
    assert mapped(place=COMPAT, Health={"Status": "unhealthy"}).instances[0].checks == ()


def test_an_ipv6_address_is_bracketed_but_not_in_compat() -> None:
    places = [replace(place, ip="2001:db8::1") for place in (OTHERS, COMPAT)]
    found = [definitions("TCP=1", place=place)[0]["TCP"] for place in places]
    assert found == ["[2001:db8::1]:8080", "2001:db8::1:8080"]


def test_lone_surrogates_do_not_reach_a_definition() -> None:
    (check,) = mapped("HTTP=/\ud800x").instances[0].checks
    assert json.loads(check.definition)["HTTP"] == f"http://{AT}/\ufffdx"
