"""The conventions of nginx-proxy, and what a container cannot do with them."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registrar.mapping import instances_of
from registrar.ports import Place
from registrar.routes import routes_of
from sidecar.catalog.model import (
    BACKUP,
    CANARY,
    CANARY_MATCH,
    CERT_NAME,
    CHECK,
    CHECK_FALL,
    CHECK_INTERVAL,
    CHECK_RISE,
    HSTS,
    HTTP_ACCESS,
    HTTP_BALANCE,
    HTTP_HOST,
    HTTP_PROTO,
    HTTPS_METHOD,
    RETRIES,
    STICKY,
    TIMEOUT_ANSWER,
    TIMEOUT_CONNECT,
    TIMEOUT_TUNNEL,
)
from sidecar.engine.facts import Port
from tests.support.docker import container

WEB, ALT = Port(80), Port(8080)
FOREIGN = "com.github.nginx-proxy.nginx-proxy.loadbalance"


def asked(
    *env: str, labels: Mapping[str, str] | None = None, ports: tuple[Port, ...] = (WEB,)
) -> tuple[Mapping[Port, Any], list[tuple[str, str]]]:
    complaints: list[tuple[str, str]] = []
    one = container(env=env, labels=labels or {})
    found = routes_of(one, ports, lambda *each: complaints.append(each))
    return found, complaints


@pytest.mark.parametrize(
    ("env", "meta"),
    [
        pytest.param(("VIRTUAL_PATH=/api/",), {HTTP_HOST: "a.example/api"}, id="path"),
        pytest.param(("VIRTUAL_PATH=/",), {HTTP_HOST: "a.example"}, id="root"),
        pytest.param(
            ("VIRTUAL_PATH=/api", "VIRTUAL_DEST=/"), {HTTP_HOST: "a.example/api=/"}, id="dest"
        ),
        pytest.param(
            ("VIRTUAL_PROTO=HTTPS",), {HTTP_HOST: "a.example", HTTP_PROTO: "https"}, id="proto"
        ),
        pytest.param(("VIRTUAL_PROTO=http",), {HTTP_HOST: "a.example"}, id="plain"),
        pytest.param(
            ("NETWORK_ACCESS=internal", "HTTPS_METHOD=nohttp", "CERT_NAME=Shared"),
            {HTTP_HOST: "a.example", HTTP_ACCESS: "internal", HTTPS_METHOD: "nohttp",
             CERT_NAME: "shared"},
            id="settings",
        ),
    ],
)  # fmt: skip
def test_settings_of_one_host(env: tuple[str, ...], meta: dict[str, str]) -> None:
    assert asked("VIRTUAL_HOST=a.example", *env) == ({WEB: meta}, [])


def test_a_leading_dot_is_the_host_and_all_below() -> None:
    found, complaints = asked("VIRTUAL_HOST=.a.example")
    assert (found[WEB][HTTP_HOST], complaints) == ("a.example,*.a.example", [])


def test_several_ports_have_several_hosts_paths_and_protocols() -> None:
    text = (
        'a.example:\n  "/":\n    port: 80\n  /api:\n    port: 8080\n    dest: /\n    proto: grpc\n'
        '"*.b.example":\nc.example:\n  "/x":\n'
    )
    found, complaints = asked(
        f"VIRTUAL_HOST_MULTIPORTS={text}", "VIRTUAL_HOST=not.read", ports=(WEB, ALT)
    )
    assert complaints == []
    assert found == {
        WEB: {HTTP_HOST: "a.example,*.b.example,c.example/x"},
        ALT: {HTTP_HOST: "a.example/api=/", HTTP_PROTO: "grpc"},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "this is no YAML"),
        ("[a, b]", "no mapping of hosts"),
        ("a: &x [1]\nb: *x", "& is not taken"),
        ("a.example: [x]", "no mapping of paths"),
        ("a.example: {/: x}", "says no options"),
        ("a.example: {/: {port: 0}}", "no port from 1"),
        ("a.example: {/: {port: 99}}", "offers no TCP port 99"),
        ("a.example: {/: {proto: uwsgi}}", "'uwsgi' is not served"),
        ("a.example: {'/a b': {}}", "is no plain path"),
        ("'~^x$': {}", "regular expression"),
        ("[" * 4000, "this is no YAML"),
    ],
)
def test_what_cannot_be_of_several_ports_is_refused_and_told(text: str, words: str) -> None:
    found, complaints = asked(f"VIRTUAL_HOST_MULTIPORTS={text}")
    assert HTTP_HOST not in found.get(WEB, {})
    assert any(words in told for _, told in complaints), complaints


@pytest.mark.parametrize(
    ("env", "label"),
    [
        ("VIRTUAL_PATH=~^/(a|b)/", "VIRTUAL_PATH"),
        ("VIRTUAL_PATH=/a/../b", "VIRTUAL_PATH"),
        ("VIRTUAL_PATH=/a%2fb", "VIRTUAL_PATH"),
        ("VIRTUAL_DEST=x y", "VIRTUAL_DEST"),
        ("VIRTUAL_PROTO=fastcgi", "VIRTUAL_PROTO"),
        ("VIRTUAL_HOST=~^www\\d+", "VIRTUAL_HOST"),
        ("VIRTUAL_HOST=www.example.*", "VIRTUAL_HOST"),
    ],
)
def test_what_cannot_be_done_safely_gives_no_route_and_one_warning(env: str, label: str) -> None:
    found, complaints = asked("VIRTUAL_HOST=a.example", env)
    assert HTTP_HOST not in found.get(WEB, {})
    assert [where for where, _ in complaints] == [label]


@pytest.mark.parametrize(
    ("env", "key"),
    [
        ("VIRTUAL_ROOT=/srv", ""),
        ("NETWORK_ACCESS=a b;c", HTTP_ACCESS),
        ("HTTPS_METHOD=maybe", HTTPS_METHOD),
        ("CERT_NAME=../x", CERT_NAME),
    ],
)
def test_what_is_not_known_is_ignored_and_told(env: str, key: str) -> None:
    found, complaints = asked("VIRTUAL_HOST=a.example", env)
    assert found == {WEB: {HTTP_HOST: "a.example"}}
    assert [where for where, _ in complaints] == [env.partition("=")[0]]


@pytest.mark.parametrize(
    ("labels", "balance"),
    [
        ({FOREIGN: "least_conn;"}, "leastconn"),
        ({FOREIGN: "hash $remote_addr consistent;"}, "source"),
        ({"pinnace.http.balance": "random"}, "random"),
        ({FOREIGN: "hash $request_uri;"}, None),
    ],
)
def test_balance_by_label(labels: dict[str, str], balance: str | None) -> None:
    found, complaints = asked("VIRTUAL_HOST=a", labels=labels)
    assert found[WEB].get(HTTP_BALANCE) == balance
    assert len(complaints) == (balance is None)


def test_access_holds_without_hosts_too_as_a_service_has_its_own_name() -> None:
    found, _ = asked("NETWORK_ACCESS=internal", ports=(WEB, ALT))
    assert found == {WEB: {HTTP_ACCESS: "internal"}, ALT: {HTTP_ACCESS: "internal"}}


def test_a_port_speaks_one_protocol_and_hosts_are_bounded() -> None:
    text = "a.example: {/: {proto: grpc}, /x: {proto: https}}"
    found, complaints = asked(f"VIRTUAL_HOST_MULTIPORTS={text}")
    assert found[WEB] == {HTTP_HOST: "a.example,a.example/x", HTTP_PROTO: "grpc"}
    assert "https on a port that speaks grpc" in complaints[0][1]
    many = "\n".join(f"h{n}: {{}}" for n in range(100))
    found, complaints = asked(f"VIRTUAL_HOST_MULTIPORTS={many}")
    assert len(found[WEB][HTTP_HOST].split(",")) == 64
    assert "only the first 64 hosts" in complaints[0][1]


ANY = st.text(max_size=60)


@given(st.tuples(*[ANY] * 8))
def test_no_value_reaches_meta_but_plain_text(texts: tuple[str, ...]) -> None:
    names = (
        "VIRTUAL_HOST", "VIRTUAL_PATH", "VIRTUAL_DEST", "VIRTUAL_PROTO",
        "VIRTUAL_HOST_MULTIPORTS", "NETWORK_ACCESS", "HTTPS_METHOD", "CERT_NAME",
    )  # fmt: skip
    env = (f"{name}={text}" for name, text in zip(names, texts, strict=True))
    found, _ = asked(*env)
    for meta in found.values():
        for value in meta.values():
            assert value.isascii()
            assert value.isprintable()
            assert not set(value) & set(" \"'#\\;{}$%")


@pytest.mark.parametrize(
    ("label", "value", "key"),
    [
        ("pinnace.https.hsts", "max-age=60; includeSubDomains", HSTS),
        ("pinnace.https.hsts", "off", HSTS),
        ("pinnace.http.sticky", "cookie:SESSION_1", STICKY),
        ("pinnace.http.sticky", "source", STICKY),
        ("pinnace.http.retries", "0", RETRIES),
        ("pinnace.timeout.connect", "250ms", TIMEOUT_CONNECT),
        ("pinnace.timeout.answer", "1m30s", TIMEOUT_ANSWER),
        ("pinnace.timeout.tunnel", "2h", TIMEOUT_TUNNEL),
        ("pinnace.check", "/health", CHECK),
        ("pinnace.check", "tcp", CHECK),
        ("pinnace.check.interval", "5s", CHECK_INTERVAL),
        ("pinnace.check.fall", "2", CHECK_FALL),
        ("pinnace.check.rise", "1", CHECK_RISE),
        ("pinnace.canary", "2.5%", CANARY),
        ("pinnace.canary.match", "header:X-Canary=1,cookie:beta=a.b", CANARY_MATCH),
        ("pinnace.backup", "true", BACKUP),
    ],
)
def test_settings_of_the_load_balancer_become_meta(label: str, value: str, key: str) -> None:
    assert asked(labels={label: value}) == ({WEB: {key: value}}, [])


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("pinnace.https.hsts", "max-age=1; x=y"),
        ("pinnace.http.sticky", "cookie:a b"),
        ("pinnace.http.retries", "-1"),
        ("pinnace.timeout.connect", "soon"),
        ("pinnace.check", "http://elsewhere/"),
        ("pinnace.check", "/../x"),
        ("pinnace.canary", "all"),
        ("pinnace.canary.match", "header:X-Canary=1 }"),
        ("pinnace.backup", "perhaps"),
    ],
)
def test_a_setting_that_cannot_be_taken_is_told(label: str, value: str) -> None:
    found, complaints = asked(labels={label: value})
    assert found == {}
    assert [one[0] for one in complaints] == [label]


@pytest.mark.parametrize(
    ("env", "labels", "weight", "said"),
    [
        ((), {}, 1, []),
        ((), {"pinnace.weight": "7"}, 7, []),
        (("SERVICE_WEIGHT=5",), {}, 5, []),
        (("SERVICE_80_WEIGHT=6", "SERVICE_WEIGHT=5"), {}, 6, []),
        (("SERVICE_WEIGHT=5",), {"pinnace.weight": "0"}, 0, []),
        ((), {"pinnace.weight": "heavy"}, 1, ["pinnace.weight"]),
        (("SERVICE_WEIGHT=65536",), {}, 1, ["SERVICE_WEIGHT"]),
    ],
)
def test_a_container_says_its_weight(
    env: tuple[str, ...], labels: Mapping[str, str], weight: int, said: list[str]
) -> None:
    one = container(env=env, labels=labels, exposed=("80/tcp",))
    place = Place(node="n1", address="192.0.2.7", owner="me")
    mapped = instances_of(one, place)
    assert [instance.weight for instance in mapped.instances] == [weight]
    assert [problem.label for problem in mapped.problems] == said
    foreign = instances_of(one, Place(node="n1", address="192.0.2.7", owner="", is_ours=False))
    assert [instance.weight for instance in foreign.instances] == [1]
