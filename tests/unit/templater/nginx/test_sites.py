"""Paths, rewriting, protocols and access, read as nginx reads them."""

import pytest

from sidecar.catalog.model import HTTP_ACCESS, HTTP_BALANCE, HTTP_HOST, HTTP_PROTO
from templater.nginx.abilities import fitting
from templater.routes import Problem
from tests.unit.templater.nginx.configs import config_of, instance, routes_to
from tests.unit.templater.nginx.tokens import Directive, parsed


def site(config: str, host: str) -> dict[tuple[str, ...], Directive]:
    """Return the locations of a host."""
    (found,) = (
        server
        for server in parsed(config).one("http").all("server")
        if (host,) in [one.values for one in server.all("server_name")]
    )
    return {one.values: one for one in found.all("location")}


def targets(locations: dict[tuple[str, ...], Directive]) -> dict[tuple[str, ...], str]:
    return {
        at: one.one("proxy_pass").values[0].removeprefix("http://http.")
        for at, one in locations.items()
        if one.all("proxy_pass") and not at[0].startswith("@")
    }


def test_paths_of_a_host_lead_to_different_services_and_elsewhere_is_nothing() -> None:
    config = config_of(
        instance("a", "a", meta={HTTP_HOST: "x.example.org/api"}),
        instance("b", "b", meta={HTTP_HOST: "x.example.org/api/v2"}),
    )
    found = site(config.text, "x.example.org")
    assert targets(found) == {
        ("=", "/api"): "a", ("/api/",): "a", ("=", "/api/v2"): "b", ("/api/v2/",): "b",
    }  # fmt: skip
    assert found[("/",)].one("return").values == ("404", "$pinnace_nothing")


def test_a_service_may_have_the_rest_of_a_host() -> None:
    config = config_of(
        instance("a", "a", meta={HTTP_HOST: "x.example.org/api"}),
        instance("b", "b", meta={HTTP_HOST: "x.example.org"}),
    )
    assert targets(site(config.text, "x.example.org"))[("/",)] == "b"


@pytest.mark.parametrize(
    ("asked", "rewrites"),
    [
        ("x.example.org/a.b=/y/z", [(r"(?s)^/a\.b(?:/(.*))?$", "/y/z/$1")]),
        ("x.example.org/a=/", [("(?s)^/a(?:/(.*))?$", "/$1")]),
        ("x.example.org/=/y", [("(?s)^(?:/(.*))?$", "/y/$1")]),
        ("x.example.org/a", []),
    ],
)
def test_a_part_of_the_path_is_replaced(asked: str, rewrites: list[tuple[str, str]]) -> None:
    found = site(config_of(instance(meta={HTTP_HOST: asked})).text, "x.example.org")
    for at, location in found.items():
        if location.all("proxy_pass"):
            words = [one.values for one in location.all("rewrite")]
            assert words == [(*pair, "break") for pair in rewrites], at


def test_only_named_networks_may_ask_even_for_an_upgrade() -> None:
    one = instance(meta={HTTP_ACCESS: "192.0.2.0/24, 2001:db8::/32"})
    locations = site(config_of(one).text, "web.localhost").values()
    assert len(locations) == 2
    for location in locations:
        assert [net.values for net in location.all("allow")] == [
            ("192.0.2.0/24",),
            ("2001:db8::/32",),
        ]
        assert location.one("deny").values == ("all",)


def test_a_service_of_tls_is_asked_by_tls_and_told_the_host() -> None:
    location = site(config_of(instance(meta={HTTP_PROTO: "https"})).text, "web.localhost")[("/",)]
    assert location.one("proxy_pass").values[0].startswith("https://http.web_m")
    assert location.one("proxy_ssl_server_name").values == ("on",)
    assert location.one("proxy_ssl_name").values == ("$host",)


@pytest.mark.parametrize(
    ("balance", "directive"),
    [
        ("leastconn", ("least_conn",)),
        ("source", ("hash", "$remote_addr", "consistent")),
        ("random", ("random", "two")),
    ],
)
def test_requests_are_shared_out_as_asked(balance: str, directive: tuple[str, ...]) -> None:
    groups = parsed(config_of(instance(meta={HTTP_BALANCE: balance})).text).one("http")
    (group,) = (one for one in groups.all("upstream") if one.values[0].startswith("http.web"))
    assert directive in [one.words for one in group.block]
    order = [one.name for one in group.block]
    assert order.index(directive[0]) < order.index("keepalive")


def test_grpc_is_left_out_with_a_word_and_the_rest_stays() -> None:
    routes, problems = fitting(
        routes_to(
            instance("a", "a", meta={HTTP_PROTO: "grpc", HTTP_HOST: "*.a.example.org, b.org/a"}),
            instance("b", "b"),
        )
    )
    assert problems == (
        Problem("a", HTTP_PROTO, "gRPC is not passed on by nginx; --lb haproxy does"),
    )
    assert {up.service for up in routes.upstreams} == {"b"}
    assert {up.service for up in routes.hosts.values()} == {"b"}
    assert (routes.wildcards, routes.paths) == ({}, {})
    assert fitting(routes) == (routes, ())
