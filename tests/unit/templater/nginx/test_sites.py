"""Paths, rewriting, protocols and access, read as nginx reads them."""

from dataclasses import replace
from typing import Any

import pytest

from sidecar.catalog.model import (
    BACKUP,
    CHECK,
    HTTP_ACCESS,
    HTTP_BALANCE,
    HTTP_HOST,
    HTTP_PROTO,
    HTTPS_METHOD,
    RETRIES,
    STICKY,
    TCP_LISTEN,
    TIMEOUT_ANSWER,
    TIMEOUT_CONNECT,
    TIMEOUT_TUNNEL,
    Instance,
)
from templater.names import Address, CertName, Port, SocketAddress
from templater.nginx.abilities import fitting
from templater.nginx.render import Config, Renderer
from templater.routes import Problem, Routes
from templater.securing import secured
from templater.tls import Certificate
from tests.unit.templater.nginx.configs import PLACE, config_of, instance, routes_to
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


def group_of(config: str) -> Directive:
    groups = parsed(config).one("http").all("upstream")
    return next(one for one in groups if one.values[0].startswith("http.web"))


def words_of(block: Directive, name: str) -> list[tuple[str, ...]]:
    return [one.values for one in block.all(name)]


def test_a_service_says_how_long_to_wait_and_how_often_to_try() -> None:
    meta = {
        TIMEOUT_CONNECT: "1s", TIMEOUT_ANSWER: "2s", TIMEOUT_TUNNEL: "3s", RETRIES: "1",
    }  # fmt: skip
    found = site(config_of(instance(meta=meta)).text, "web.localhost")
    for at, time in {("/",): "2000ms", ("@tunnel0",): "3000ms"}.items():
        assert words_of(found[at], "proxy_read_timeout") == [(time,)]
        assert words_of(found[at], "proxy_send_timeout") == [(time,)]
        assert words_of(found[at], "proxy_connect_timeout") == [("1000ms",)]
        assert words_of(found[at], "proxy_next_upstream_tries") == [("2",)]
    once = site(config_of(instance(meta={RETRIES: "0"})).text, "web.localhost")[("/",)]
    assert words_of(once, "proxy_next_upstream") == [("off",)]


def test_old_workers_may_take_as_long_as_the_slowest_service_may() -> None:
    def time(answer: str) -> tuple[str, ...]:
        config = config_of(instance(meta={TIMEOUT_ANSWER: answer}))
        return parsed(config.text).one("worker_shutdown_timeout").values

    assert time("10s") == ("300s",)
    assert time("20m") == ("1200s",)


def test_a_tcp_listener_says_how_long_to_wait() -> None:
    meta = {TCP_LISTEN: "5432", TIMEOUT_CONNECT: "1s", TIMEOUT_TUNNEL: "3s"}
    server = parsed(config_of(instance(meta=meta)).text).one("stream").one("server")
    assert words_of(server, "proxy_timeout") == [("3000ms",)]
    assert words_of(server, "proxy_connect_timeout") == [("1000ms",)]


def test_a_client_is_told_by_a_cookie_of_its_own() -> None:
    config = config_of(instance(meta={STICKY: "cookie:SEAT"})).text
    assert words_of(group_of(config), "hash") == [("$pinnace_client_SEAT", "consistent")]
    maps = {one.values for one in parsed(config).one("http").all("map")}
    assert {
        ("$cookie_SEAT", "$pinnace_client_SEAT"), ("$cookie_SEAT", "$pinnace_cookie_SEAT"),
    } <= maps  # fmt: skip
    for location in site(config, "web.localhost").values():
        assert words_of(location, "add_header") == [
            ("Set-Cookie", "$pinnace_cookie_SEAT", "always")
        ]


@pytest.mark.parametrize(
    ("balance", "usual", "members"),
    [
        ("roundrobin", True, ["a", "b backup"]),
        ("leastconn", True, ["a", "b backup"]),
        ("source", True, ["a"]),
        ("random", True, ["a"]),
        ("roundrobin", False, ["b"]),
        ("source", False, ["b"]),
    ],
)
def test_a_backup_waits_where_nginx_lets_it_and_is_left_out_elsewhere(
    balance: str, usual: bool, members: list[str]
) -> None:
    meta = {HTTP_BALANCE: balance}
    config = config_of(
        instance("a", meta=meta, draining=not usual),
        instance("b", port=81, meta={**meta, BACKUP: "true"}),
    )
    found = [
        ("a" if one.values[0].endswith(":80") else "b")
        + (" backup" if "backup" in one.values else "")
        for one in group_of(config.text).all("server")
    ]
    assert found == members


def test_what_nginx_cannot_do_is_told_once_and_the_rest_is_done() -> None:
    meta = {CHECK: "/up", STICKY: "cookie", HTTP_BALANCE: "leastconn", TCP_LISTEN: "5432"}
    routes = routes_to(instance(meta=meta))
    left, problems = fitting(routes)
    assert left is routes
    assert [(one.service, one.field) for one in problems] == [
        ("web", CHECK), ("web", HTTP_BALANCE),
    ]  # fmt: skip


def with_tls(*instances: Instance, names: tuple[str, ...] = ("a.org",), port: int = 9) -> Routes:
    known = {CertName(name): Certificate(CertName(name), "d" * 64, "secret") for name in names}
    listen = SocketAddress(Address("127.0.0.1"), Port(8443))
    return secured(routes_to(*instances), listen, port, known, http2=True)


def servers_of(routes: Routes, host: str = "a.org", **place: Any) -> list[Directive]:
    text = Renderer(replace(PLACE, **place)).config(routes).text
    servers = parsed(text).one("http").all("server")
    return [one for one in servers if (host,) in words_of(one, "server_name")]


def test_a_host_with_a_certificate_is_served_by_tls_and_redirected() -> None:
    serving, redirect = servers_of(with_tls(instance(meta={HTTP_HOST: "a.org"})), http2="listen")
    assert words_of(serving, "listen") == [("127.0.0.1:8443", "ssl", "http2")]
    file = "certificate_a.org_dddddddddddddddd.pem"
    assert words_of(serving, "ssl_certificate") == [(file,)]
    assert words_of(serving, "ssl_certificate_key") == [(file,)]
    assert words_of(serving, "add_header") == [
        ("Strict-Transport-Security", "max-age=31536000", "always")
    ]
    assert words_of(redirect, "listen") == [("127.0.0.1:8080",)]
    assert words_of(redirect, "return") == [("301", "https://$host:9$request_uri")]
    assert words_of(redirect.one("if"), "return") == [("308", "https://$host:9$request_uri")]


@pytest.mark.parametrize(
    ("method", "listens"),
    [
        ("noredirect", [["127.0.0.1:8080", "127.0.0.1:8443"]]),
        ("nohttp", [["127.0.0.1:8443"]]),
        ("nohttps", [["127.0.0.1:8080"]]),
    ],
)
def test_a_host_listens_where_it_asks_to(method: str, listens: list[list[str]]) -> None:
    one = instance(meta={HTTP_HOST: "a.org", HTTPS_METHOD: method})
    servers = servers_of(with_tls(one))
    assert [[at.values[0] for at in one.all("listen")] for one in servers] == listens


def test_what_shall_never_be_plain_and_has_no_certificate_is_nowhere() -> None:
    one = instance(meta={HTTP_HOST: "b.org", HTTPS_METHOD: "nohttp"})
    assert servers_of(with_tls(one), "b.org") == []
    (server,) = servers_of(with_tls(one, names=("default",)), "b.org")
    assert words_of(server, "listen") == [("127.0.0.1:8443", "ssl")]


def test_later_binaries_are_told_of_http_2_by_a_directive_and_others_not_at_all() -> None:
    routes = with_tls(instance(meta={HTTP_HOST: "a.org"}), port=443)
    serving, redirect = servers_of(routes, http2="directive")
    assert words_of(serving, "http2") == [("on",)]
    assert words_of(redirect, "return") == [("301", "https://$host$request_uri")]
    assert servers_of(routes)[0].all("http2") == []


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        (("a.org",), ("ssl_reject_handshake", "on")),
        (("a.org", "default"), ("return", "404", "$pinnace_nothing")),
    ],
)
def test_who_asks_by_tls_for_what_is_not_there(
    names: tuple[str, ...], answer: tuple[str, ...]
) -> None:
    (server,) = (
        one
        for one in servers_of(with_tls(instance(), names=names), "")
        if words_of(one, "listen")[0][0].endswith(":8443")
    )
    assert words_of(server, "listen") == [("127.0.0.1:8443", "ssl", "default_server")]
    assert server.block[-1].words == answer


def test_headers_of_the_block_are_repeated_where_there_are_others() -> None:
    one = instance(meta={HTTP_HOST: "a.org", STICKY: "cookie"})
    location = servers_of(with_tls(one))[0].all("location")[-1]
    assert [words[0] for words in words_of(location, "add_header")] == [
        "Set-Cookie", "Strict-Transport-Security",
    ]  # fmt: skip


def test_other_contents_of_a_certificate_are_another_text_and_another_file() -> None:
    def config(digest: str) -> Config:
        routes = with_tls(instance(meta={HTTP_HOST: "a.org"}))
        assert routes.tls is not None
        known = {name: replace(one, digest=digest) for name, one in routes.tls.certificates.items()}
        return Renderer(PLACE).config(replace(routes, tls=replace(routes.tls, certificates=known)))

    assert config("1" * 64).digest != config("2" * 64).digest
    assert config("1" * 64).certificates == {f"certificate_a.org_{'1' * 16}.pem": "secret"}
    assert "secret" not in repr(config("1" * 64))


def test_a_binary_without_tls_serves_plain_http_and_says_so() -> None:
    routes = with_tls(instance(meta={HTTP_HOST: "a.org"}))
    left, (problem,) = fitting(routes, has_tls=False)
    assert left.tls is None
    assert problem.field == "lb.tls_listen"
