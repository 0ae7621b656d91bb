"""What nginx is told, read as nginx reads it, and what can never happen to it."""

import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog.model import (
    CANARY_MATCH,
    CERT_NAME,
    HTTP_ACCESS,
    HTTP_BALANCE,
    HTTP_HOST,
    HTTP_PROTO,
    HTTPS_METHOD,
    TCP_LISTEN,
    Instance,
    Status,
)
from sidecar.errors import RenderError
from templater.names import SocketAddress, Wildcard
from templater.nginx.abilities import fitting
from templater.nginx.directory import COUNTS
from templater.nginx.maps import serving
from templater.nginx.render import Renderer, blamed
from templater.routes import Routes
from tests.unit.templater.nginx.configs import PLACE, config_of, instance, routes_to
from tests.unit.templater.nginx.tokens import Directive, parsed


def http(*instances: Instance, **place: Any) -> Directive:
    return parsed(config_of(*instances, **place).text).one("http")


def group(block: Directive, name: str) -> Directive:
    (found,) = (one for one in block.all("upstream") if one.values == (name,))
    return found


def site(block: Directive, host: str) -> Directive:
    (found,) = (
        one for one in block.all("server") if (host,) in [n.values for n in one.all("server_name")]
    )
    return found


def test_a_group_holds_what_gets_new_work_with_its_weight() -> None:
    block = http(
        instance("a", port=81, weight=7),
        instance("b", port=82, draining=True),
        instance("c", port=83, status=Status.CRITICAL),
        instance("d", port=84, weight=0),
        instance("e", port=85, address="2001:db8::1"),
    )
    members = group(block, "http.web").all("server")
    assert [one.values[:2] for one in members] == [
        ("192.0.2.1:81", "weight=7"),
        ("[2001:db8::1]:85", "weight=1"),
    ]


def test_a_server_has_the_names_and_passes_to_its_group() -> None:
    block = http(instance(meta={HTTP_HOST: "a.example.org, *.example.net"}))
    server = site(block, "web.localhost")
    names = [one.values[0] for one in server.all("server_name")]
    assert names == [
        "web.localhost", "web.consul", "web.service.consul", "a.example.org", "*.example.net",
    ]  # fmt: skip
    assert server.one("listen").values == ("127.0.0.1:8080",)
    assert [one.values for one in server.all("location")] == [("@tunnel0",), ("/",)]
    for location in server.all("location"):
        assert location.one("proxy_pass").values == ("http://http.web",)


def test_a_service_without_endpoint_answers_503_and_no_route_404_with_no_text() -> None:
    block = http(instance(draining=True))
    (location,) = site(block, "web.localhost").all("location")
    assert location.one("return").values == ("503", "$pinnace_nothing")
    assert [one for one in block.all("upstream") if one.values == ("http.web",)] == []
    default = block.all("server")[0]
    assert default.one("listen").values == ("127.0.0.1:8080", "default_server")
    assert default.one("return").values == ("404", "$pinnace_nothing")


def test_a_listener_is_a_server_of_the_stream_module() -> None:
    root = parsed(config_of(instance(service="db", meta={TCP_LISTEN: "5432"})).text)
    stream = root.one("stream")
    assert group(stream, "tcp.db").one("server").values[0] == "192.0.2.1:80"
    server = stream.one("server")
    assert server.one("listen").values == ("127.0.0.1:5432", "so_keepalive=on")
    assert server.one("proxy_pass").values == ("tcp.db",)


def test_a_listener_without_endpoint_closes_at_once() -> None:
    one = instance(service="db", meta={TCP_LISTEN: "5432"}, status=Status.CRITICAL)
    server = parsed(config_of(one).text).one("stream").one("server")
    assert server.one("return").values == ("",)
    assert server.all("proxy_pass") == []


def test_without_the_stream_module_http_is_served_alone() -> None:
    one = instance(meta={TCP_LISTEN: "5432"})
    root = parsed(config_of(one, stream=None).text)
    assert root.all("stream") == []
    assert site(root.one("http"), "web.localhost").all("location")
    assert root.all("load_module") == []


def test_a_module_beside_the_binary_is_loaded_first() -> None:
    root = parsed(config_of(stream='/odd "path/m.so', user=("root", "wheel")).text)
    assert root.block[0].words == ("load_module", '/odd "path/m.so')
    assert root.one("user").values == ("root", "wheel")


def test_requests_that_may_not_be_repeated_are_not() -> None:
    values = http().one("proxy_next_upstream").values
    assert "error" in values
    assert "non_idempotent" not in values


def test_what_must_stand_in_the_file_stands_there() -> None:
    root = parsed(config_of().text)
    block = root.one("http")
    assert root.one("daemon").values == ("off",)
    assert block.one("access_log").values[0] == COUNTS
    assert block.one("proxy_http_version").values == ("1.1",)
    assert block.one("proxy_redirect").values == ("off",)
    headers = {one.values[0] for one in block.all("proxy_set_header")}
    assert headers >= {"Host", "Upgrade", "Connection", "X-Forwarded-For", "X-Forwarded-Proto"}
    status = block.all("server")[-1]
    assert status.one("listen").values == ("unix:/run/lb/status.sock",)
    assert [one.values for one in status.all("location")] == [("=", "/digest"), ("=", "/status")]
    plain = http(has_stub_status=False).all("server")[-1]
    assert [one.values for one in plain.all("location")] == [("=", "/digest")]


def test_tables_and_memory_grow_with_the_catalogue() -> None:
    def sizes(count: int) -> tuple[int, int]:
        block = http(*(instance(f"i{n}", f"s{n}") for n in range(count)))
        zone = group(block, "pinnace_http").one("zone").values[1]
        return int(block.one("server_names_hash_max_size").values[0]), int(zone.removesuffix("k"))

    assert sizes(1) == sizes(2) == (1024, 256)
    names, zone = sizes(500)
    assert names >= 4 * 1500
    assert zone >= 2 * 2 * 2 * 500


def test_the_digest_tells_texts_apart_and_the_same_routes_are_the_same_text() -> None:
    one, two = config_of(instance()), config_of(instance(port=81))
    assert one.digest != two.digest
    assert one == config_of(instance())
    assert one.digest in one.text


def test_what_stays_is_not_written_anew_and_what_goes_is_forgotten() -> None:
    renderer = Renderer(PLACE)
    first = renderer.config(routes_to(instance(), instance("y", "api")))
    second = renderer.config(routes_to(instance("y", "api")))
    assert "http.web" in first.text
    assert "http.web" not in second.text
    assert second == config_of(instance("y", "api"))
    assert renderer.config(Routes()).text == config_of().text


@pytest.mark.parametrize(
    ("line", "whose"),
    [
        ('server "192.0.2.1:80" weight', "service 'web', address"),
        ('server_name "web.localhost"', f"service 'web', {HTTP_HOST}"),
        ('listen "127.0.0.1:5432"', f"service 'db', {TCP_LISTEN}"),
        ('upstream "tcp.db"', "service 'db', name"),
    ],
)
def test_an_error_names_service_and_field(line: str, whose: str) -> None:
    config = config_of(instance(), instance("d", "db", port=81, meta={TCP_LISTEN: "5432"}))
    lines = config.text.splitlines()
    (number,) = (n for n, text in enumerate(lines, 1) if text.strip().startswith(line))
    assert blamed(config, f"bad luck in /run/x y/nginx.conf.new:{number}") == whose


def test_an_error_that_is_nobodys_names_nobody() -> None:
    config = config_of(instance())
    assert blamed(config, "killed after 10 s") == ""
    assert blamed(config, "bad luck in /run/nginx.conf:3") == ""


def test_plain_text_is_refused_whatever_it_holds() -> None:
    routes = routes_to(instance())
    ((upstream, (one,)),) = routes.upstreams.items()
    heavy = {upstream: (replace(one, weight=1.5),)}  # type: ignore[arg-type]
    refused = r"a \w+ may not stand in a configuration"
    with pytest.raises(RenderError, match=refused):
        Renderer(PLACE).config(replace(routes, upstreams=heavy))
    with pytest.raises(RenderError, match=refused):
        Renderer(PLACE).config(replace(routes, hosts={"web.localhost": upstream}))  # type: ignore[dict-item]


@pytest.mark.parametrize("path", ["/run/$HOME/s", "/run/a\nb", "/run/\x85", "/run/é"])
def test_a_path_that_nginx_would_read_otherwise_is_refused(path: str) -> None:
    with pytest.raises(RenderError, match="cannot stand in nginx's configuration"):
        config_of(socket=path)


KEYS = (HTTP_PROTO, HTTP_ACCESS, HTTP_BALANCE, HTTPS_METHOD, CERT_NAME, TCP_LISTEN)
GOOD = (
    "https", "grpc", "leastconn", "source", "internal", "10.0.0.0/8, ::/0", "5432",
    "a.example.org/x=/y", "*.example.org, b.example.org/~u/+1", "c.example.org/=/z",
)  # fmt: skip
ANY = st.text(max_size=30) | st.sampled_from(
    [
        'x"; } } evil { a "b',
        "x; return 200 evil;",
        "a\r\nb",
        "x\u2028y",
        "# no",
        "\\",
        "$host",
        "${host}",
        "~^evil",
        "*.*",
        ".example.org",
        "\x00",
        "127.0.0.1:99 backup",
        "unix:/run/docker.sock",
        'a.example.org/x" { } #',
        "a.example.org/$1=/(.*)",
        "10.0.0.0/8; deny",
    ]
)


WORDS = st.sampled_from(GOOD) | ANY
PLACES = WORDS | ANY.map("a.example.org/{}".format) | ANY.map("a.example.org/x={}".format)
RICH = [
    instance("a", "a", meta={
        HTTP_HOST: "a.example.org/x=/y, a.example.org/z, *.w.example.org", HTTP_PROTO: "https",
        HTTP_ACCESS: "internal", HTTP_BALANCE: "source", TCP_LISTEN: "1",
    }),
    instance("b", "b", meta={HTTP_BALANCE: "leastconn"}),
    instance("c", "c", meta={HTTP_BALANCE: "random", HTTP_HOST: "c.example.org/=/"}),
    instance("d", "d", meta={TCP_LISTEN: "2"}, draining=True),
]  # fmt: skip


def grammar(block: Directive, path: str = "") -> set[tuple[str, str, int]]:
    """Return which directives stand where, with how many words."""
    found = {(path, one.name, len(one.words)) for one in block.block}
    return found.union(*(grammar(one, f"{path}/{one.name}") for one in block.block))


@cache
def rich_grammar() -> set[tuple[str, str, int]]:
    return grammar(parsed(config_of(*RICH).text))


def meaning(block: Directive) -> dict[str, set[str]]:
    """Return where each server name leads."""
    return {
        name.values[0]: {to.values[0] for at in one.all("location") for to in at.all("proxy_pass")}
        for one in block.all("server")
        for name in one.all("server_name")
        if name.values[0]
    }


@given(
    id_=ANY, node=ANY, address=ANY, tag=ANY, service=ANY | st.just("web"),
    meta=st.fixed_dictionaries({HTTP_HOST: PLACES}, optional=dict.fromkeys(KEYS, WORDS)),
    port=st.integers(-9, 99999) | st.just(80), weight=st.integers(-9, 999),
)  # fmt: skip
def test_no_value_becomes_syntax(
    id_: str, node: str, address: str, tag: str, service: str, meta: dict[str, str], port: int,
    weight: int,
) -> None:  # fmt: skip
    hostile = instance(
        id_, service, node=node, address=address, tags=(tag,), meta=meta, port=port, weight=weight
    )
    routes, _ = fitting(routes_to(hostile, instance("good", service, meta=meta)))
    text = Renderer(PLACE).config(routes).text
    assert text.isascii()
    assert all(char == "\n" or char.isprintable() for char in text)
    root = parsed(text)
    assert grammar(root) <= rich_grammar()
    names = meaning(root.one("http"))
    sites = {*routes.hosts, *routes.wildcards, *(site.host for site in routes.paths)}
    assert set(names) == {f"*{one}" if isinstance(one, Wildcard) else one for one in sites}
    assert all(
        re.fullmatch(r"https?://http\.[a-z0-9._-]+", to) for to in set().union(*names.values())
    )
    members = {
        one.values[0]
        for block in (root.one("http"), *root.all("stream"))
        for up in block.all("upstream")[1:]
        for one in up.all("server")
    }
    assert members == {
        str(SocketAddress(one.address, one.port))
        for found in routes.upstreams.values()
        for one in serving(found)
    }


def test_requests_that_match_are_led_to_canaries_by_whole_values_in_their_case() -> None:
    match = {CANARY_MATCH: "header:X-Can=a.b,cookie:beta=1"}
    block = http(instance("a"), instance("c", port=81, meta=match))
    (name,) = (one.values[0] for one in block.all("upstream") if "_m" in one.values[0])
    maps = {one.values: {key.name: key.values for key in one.block} for one in block.all("map")}
    choice = next(values[1] for values in maps if values[0] == "$http_x_can")
    first = next(values[1] for values in maps if values[0] == "$cookie_beta")
    assert maps["$cookie_beta", first] == {"default": ("http.web",), "~^1$": (name,)}
    assert maps["$http_x_can", choice] == {"default": (first,), r"~^a\.b$": (name,)}
    (place,) = (one for one in site(block, "web.localhost").all("location") if one.values == ("/",))
    assert place.one("proxy_pass").values == (f"http://{choice}",)
    drained = http(instance("a"), instance("c", port=81, meta=match, draining=True))
    assert not any("_m" in one.values[0] for one in drained.all("upstream"))
    (place,) = (
        one for one in site(drained, "web.localhost").all("location") if one.values == ("/",)
    )
    assert place.one("proxy_pass").values == ("http://http.web",)
