"""Commands from one model to the next, and from what runs to the model."""

from dataclasses import replace

import pytest

from templater.haproxy.answers import Server
from templater.haproxy.model import NOTHING, BackendName
from templater.haproxy.plan import (
    between,
    map_repairs,
    missing,
    path_repairs,
    policy_repairs,
    repairs,
)
from templater.haproxy.slots import fitted, grown
from templater.names import Address, CertName, Host, Port, RouteKey, SocketAddress, UrlPath
from templater.routes import Endpoint, Routes, State
from templater.securing import secured
from templater.shapes import Https, Method
from templater.tls import Certificate
from tests.unit.templater.haproxy_models import WEB, endpoint, model_of, routes_to

NAME = BackendName(WEB)


@pytest.mark.parametrize(
    ("now", "commands"),
    [
        (endpoint("a"), []),
        (endpoint("a", port=81), ["addr 192.0.2.1 port 81"]),
        (endpoint("a", weight=5), ["weight 5"]),
        (endpoint("a", state=State.DRAIN), ["weight 1", "state drain"]),
        (endpoint("a", state=State.MAINT), ["weight 1", "state maint"]),
        (endpoint("a", 81, 2, State.DRAIN), ["addr 192.0.2.1 port 81", "weight 2", "state drain"]),
    ],
)
def test_only_what_differs_is_said(now: Endpoint, commands: list[str]) -> None:
    live = model_of(endpoint("a"))
    plan = between(live, fitted(live, routes_to(now)))
    assert list(plan.commands) == [f"set server http.web/s1 {command}" for command in commands]
    assert plan.touched == ({NAME} if commands else set())
    assert bool(plan) is bool(commands)


def test_capacity_comes_before_it_goes_and_hosts_in_between() -> None:
    live = fitted(model_of(endpoint("a")), routes_to(endpoint("a"), hosts=("old.org", "same.org")))
    new = fitted(live, routes_to(endpoint("b"), hosts=("new.org", "same.org")))
    assert between(live, new).commands == (
        "set server http.web/s2 addr 192.0.2.1 port 80",
        "set server http.web/s2 weight 1",
        "set server http.web/s2 state ready",
        "add map hosts.map new.org http.web",
        "del map hosts.map old.org",
        "set server http.web/s1 state maint",
    )


def test_wildcards_are_replaced_as_a_whole() -> None:
    live = fitted(model_of(), routes_to(wildcards=("*.org",)))
    new = fitted(live, routes_to(wildcards=("*.org", "*.example.org")))
    plan = between(live, new)
    assert plan.commands == ()
    assert plan.wildcards == new.wildcards
    assert bool(plan)
    assert not between(new, new)


READY = Server("192.0.2.1", 80, 1, 0)


@pytest.mark.parametrize(
    ("wanted", "runs", "agrees"),
    [
        (endpoint("a"), READY, True),
        (endpoint("a"), Server("192.0.2.1", 80, 1, 4), True),  # disabled in the file, ready since
        (endpoint("a"), Server("192.0.2.2", 80, 1, 0), False),
        (endpoint("a"), Server("192.0.2.1", 81, 1, 0), False),
        (endpoint("a"), Server("192.0.2.1", 80, 2, 0), False),
        (endpoint("a"), Server("192.0.2.1", 80, 1, 1), False),
        (endpoint("a"), Server("192.0.2.1", 80, 1, 8), False),
        (endpoint("a", state=State.DRAIN), Server("192.0.2.1", 80, 1, 8), True),
        (endpoint("a", state=State.DRAIN), Server("192.0.2.1", 80, 0, 0), True),
        (endpoint("a", state=State.DRAIN), READY, False),
        (endpoint("a", state=State.DRAIN), Server("192.0.2.1", 80, 0, 1), False),
        (endpoint("a", state=State.MAINT), Server("192.0.2.9", 9, 9, 5), True),
        (endpoint("a", state=State.MAINT), READY, False),
        (None, Server("127.0.0.1", 1, 1, 5), True),
        (None, READY, False),
    ],
)
def test_what_agrees_with_the_model(wanted: Endpoint | None, runs: Server, agrees: bool) -> None:
    model = model_of(*([wanted] if wanted else []))
    free = Server("127.0.0.1", 1, 1, 5)
    actual = {(NAME, f"s{n}"): free for n in range(2, 5)} | {(str(NAME), "s1"): runs}
    commands = repairs(model.backends.values(), actual)
    assert (commands == ()) is agrees
    assert all(command.startswith("set server http.web/s1 ") for command in commands)
    if not agrees:
        assert commands[-1].endswith(f" state {wanted.state if wanted else 'maint'}")
    assert missing(model.backends.values(), actual) is None


def test_a_slot_that_does_not_run_is_found() -> None:
    model = model_of(endpoint("a"))
    assert missing(model.backends.values(), {(NAME, "s1"): READY}) == "http.web/s2"
    assert repairs(model.backends.values(), {(NAME, "s1"): READY}) == ()


def test_the_map_of_hosts_is_repaired_without_touching_what_cannot_be_named() -> None:
    actual = {"gone.org": "http.web", "x.org": "http.other", "a;b": "http.web"}
    wanted = {Host("x.org"): NAME, Host("y.org"): NAME}
    assert map_repairs(actual, wanted) == (
        "set map hosts.map x.org http.web",
        "add map hosts.map y.org http.web",
        "del map hosts.map gone.org",
    )


def test_paths_come_change_and_go_by_map_commands() -> None:
    wanted = {RouteKey(Host("x.example.org"), UrlPath("/api")): NAME}
    assert list(path_repairs({}, wanted)) == [f"add map paths.map x.example.org/api/ {NAME}"]
    assert list(path_repairs({"x.example.org/api/": "other"}, wanted)) == [
        f"set map paths.map x.example.org/api/ {NAME}"
    ]
    assert list(path_repairs({"x.example.org/api/": NAME, "typed by hand": "x"}, {})) == [
        "del map paths.map x.example.org/api/"
    ]


def secure(digest: str = "1", **asked: str) -> Routes:
    """Return routes of hosts that ask for a method, by ``_`` for dots."""
    hosts = [host.replace("_", ".") for host in asked]
    routes = replace(
        routes_to(hosts=tuple(hosts)),
        https={
            Host(host): Https(Method(method))
            for host, method in zip(hosts, asked.values(), strict=True)
        },
    )
    name = CertName("org")
    known = {name: Certificate(name, digest, "pem")}
    return secured(routes, SocketAddress(Address("127.0.0.1"), Port(9)), 9, known, http2=True)


def test_what_holds_with_tls_is_said_before_a_host_leads_anywhere() -> None:
    live = grown(NOTHING, secure(a_org="noredirect", b_org="redirect"))
    new = fitted(live, secure(b_org="nohttp", c_org="noredirect"))
    year = "max-age=31536000"
    assert between(live, new).commands == (
        f"set map policies.map b.org nohttp/{year}",
        "add map policies.map c.org noredirect/",
        "add map hosts.map c.org http.web",
        "del map hosts.map a.org",
        "del map policies.map a.org",
    )


def test_other_contents_of_a_certificate_are_a_step_of_their_own() -> None:
    live = grown(NOTHING, secure(a_org="redirect"))
    plan = between(live, fitted(live, secure("2", a_org="redirect")))
    assert plan.commands == ()
    assert [one.digest for one in plan.certificates] == ["2"]
    assert bool(plan)


def test_the_map_of_what_holds_with_tls_is_repaired() -> None:
    model = grown(NOTHING, secure(a_org="noredirect"))
    assert policy_repairs({"a.org": "nohttp/", "b.org": "x", "a b": "c"}, model.policies) == (
        "set map policies.map a.org noredirect/",
        "del map policies.map b.org",
    )
