"""No value of any field becomes syntax of a proxy, nor of its control socket (reliability T1)."""

import re
from functools import cache
from typing import Any

import pytest
from hypothesis import given

from sidecar.catalog.changes import Put, apply
from sidecar.catalog.model import (
    CANARY_MATCH,
    EMPTY,
    HTTP_BALANCE,
    HTTP_HOST,
    HTTP_PROTO,
    STICKY,
    Instance,
)
from templater.haproxy.model import NOTHING, Model
from templater.haproxy.plan import between
from templater.haproxy.render import Files, Renderer
from templater.haproxy.slots import fitted, grown
from templater.names import Address, CertName, Port, SocketAddress
from templater.nginx.abilities import fitting
from templater.nginx.render import Renderer as NginxRenderer
from templater.routes import Routes, routes_of
from templater.securing import secured
from templater.tls import Certificate
from tests.unit.templater.hostile import EVIL, FIELDS, GOOD, META, hostile_instance
from tests.unit.templater.nginx.configs import PLACE
from tests.unit.templater.nginx.tokens import Directive, parsed

HOST = Address("127.0.0.1")
NAMES = ("default", "example.org", "shared")
PLAIN: dict[str, Any] = {
    "id": "x", "node": "n", "service": "web", "address": "192.0.2.1", "tag": "t", "key": "k",
    "port": 80, "weight": 1, "meta": {},
}  # fmt: skip


def routes_to(*instances: Instance, tls: bool = True) -> Routes:
    routes = routes_of(apply(EMPTY, [Put(one) for one in instances]), ("consul",))
    if not tls:
        return routes
    known = {CertName(name): Certificate(CertName(name), "d" * 64, "pem") for name in NAMES}
    listen = SocketAddress(HOST, Port(8443))
    return secured(routes, listen, 8443, known, http2=True)


def files(model: Model) -> Files:
    return Renderer(SocketAddress(HOST, Port(8080)), HOST, threads=2, maxconn=9).files(model)


def lines_of(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip() and line.strip()[0] != "#"]


def shape_of(line: str) -> tuple[str, ...]:
    """Return what a line is, without its values."""
    first, *rest = line.split()
    if first in {"http-request", "option", "timeout", "http-check"}:
        return (line[:1].strip(), first, rest[0], str(len(rest)) if rest[0] != "deny" else "")
    if first in {"server", "default-server"}:
        words = tuple(word for word in rest if re.fullmatch(r"[a-z]{3,}", word))
        return (line[:1].strip(), first, *words)
    return (line[:1].strip(), first, str(len(rest)))


@cache
def known_lines() -> frozenset[tuple[str, ...]]:
    """Return the shapes of all lines that good values make, one setting alone and all together."""
    found: set[tuple[str, ...]] = set()
    metas = [{key: GOOD[key]} for key in META] + [
        GOOD,
        *({**GOOD, HTTP_PROTO: proto} for proto in ("http", "grpc", "grpcs")),
        *({**GOOD, HTTP_BALANCE: "source", HTTP_PROTO: p} for p in ("http", "grpc", "https")),
        {**GOOD, "pinnace-check": "tcp"},
        *({"pinnace-check": "tcp", HTTP_PROTO: p} for p in ("http", "grpc", "grpcs", "https")),
        *({HTTP_PROTO: p} for p in ("http", "grpc", "grpcs", "https")),
        {**GOOD, "pinnace-http-retries": "0"},
    ]
    for meta in metas:
        for weight in (0, 1):
            model = grown(NOTHING, routes_to(hostile_instance({**PLAIN, "meta": meta})))
            found |= {shape_of(line) for line in lines_of(files(model).config)}
            critical = hostile_instance({**PLAIN, "meta": meta, "weight": weight, "draining": True})
            model = grown(NOTHING, routes_to(critical))
            found |= {shape_of(line) for line in lines_of(files(model).config)}
    return frozenset(found)


def sections(text: str) -> list[str]:
    return [line for line in lines_of(text) if not line.startswith(" ")]


def check_haproxy(routes: Routes) -> None:
    """Demand that a file has the sections of its model, lines of known kinds, and no more."""
    model = grown(NOTHING, routes)
    made = files(model)
    assert {shape_of(line) for line in lines_of(made.config)} <= known_lines()
    expected = [
        "global", "defaults", "frontend http", "backend no_route",
        *(f"frontend tcp_{port}" for port in routes.listeners),
        *(f"backend {name}" for name in model.backends),
    ]  # fmt: skip
    assert sections(made.config) == expected
    assert all(re.fullmatch(r"backend [A-Za-z0-9._-]+", one) for one in expected if "back" in one)
    for text in (
        made.config, made.hosts, made.wildcards, made.paths, made.sites, made.policies,
        made.listing,
    ):  # fmt: skip
        assert text.isascii()
        assert all(char == "\n" or char.isprintable() for char in text)
    for text in (made.hosts, made.wildcards, made.paths, made.sites, made.policies):
        assert all(len(line.split(" ")) == 2 for line in text.splitlines())
    for line in made.listing.splitlines():
        assert re.fullmatch(r"certificate_[a-z.]+\.pem( [a-z0-9._*-]+)*", line)


@given(FIELDS)
def test_no_value_adds_a_section_or_a_kind_of_line_to_haproxys_file(
    fields: dict[str, Any],
) -> None:
    check_haproxy(routes_to(hostile_instance(fields)))


def attacks(key: str) -> Routes:
    """Return routes of services that each attack by this key with another value."""
    texts = [*EVIL, *(GOOD[key] + evil for evil in EVIL)]
    return routes_to(
        *(
            hostile_instance({**PLAIN, "service": f"s{at}", "meta": {**GOOD, key: text}})
            for at, text in enumerate(texts)
        )
    )


@pytest.mark.parametrize("key", META)
def test_no_known_attack_by_any_label_comes_through(key: str) -> None:
    routes = attacks(key)
    check_haproxy(routes)
    check_nginx(routes)


@given(FIELDS)
def test_no_value_becomes_another_command(fields: dict[str, Any]) -> None:
    hostile = hostile_instance(fields)
    live = grown(NOTHING, routes_to(hostile_instance(fields, port=81)))
    for old, new in (
        (live, fitted(live, routes_to(hostile))),
        (live, fitted(live, routes_to())),
        (fitted(live, routes_to()), live),
    ):
        for command in between(old, new).commands:
            assert re.fullmatch(
                r"set server [A-Za-z0-9._-]+/s\d+ "
                r"(addr [0-9a-f.:]+ port \d+|weight \d+|state [a-z]+)"
                r"|(add|set) map [a-z]+\.map [A-Za-z0-9._~+@:/-]+ [A-Za-z0-9._=/-]+"
                r"|del map [a-z]+\.map [A-Za-z0-9._~+@:/-]+",
                command,
            ), command


def kind_of(name: str) -> str:
    """Return a name; one word for all values that a request may be told by."""
    return "(value)" if re.fullmatch(r"~\^(?:[A-Za-z0-9_:/@]|\\[.~+-])+\$", name) else name


def grammar(block: Directive, path: str = "") -> set[tuple[str, str, int]]:
    found = {(path, kind_of(one.name), len(one.words)) for one in block.block}
    return found.union(*(grammar(one, f"{path}/{one.name}") for one in block.block))


@cache
def known_grammar() -> frozenset[tuple[str, str, int]]:
    found: set[tuple[str, str, int]] = set()
    hosts = {"a": "a.example.org/x=/y", "b": "*.w.example.org", "c": "c.example.com", "d": "d.d/q"}
    for method in ("redirect", "noredirect", "nohttp", "nohttps"):
        for balance in ("roundrobin", "leastconn", "source", "random"):
            for more in ({}, {STICKY: "cookie"}, GOOD):
                instances = [
                    hostile_instance(
                        {**PLAIN, "service": name, "draining": name == "d"},
                        meta={
                            **more, HTTP_HOST: host, HTTP_BALANCE: balance,
                            "pinnace-https-method": method,
                            "pinnace-backup": str(name == "b").lower(),
                            "pinnace-tcp-listen": str(ord(name)),
                        },
                    )
                    for name, host in hosts.items()
                ]  # fmt: skip
                both = hostile_instance({**PLAIN, "id": "y", "service": "b"})
                once = {HTTP_HOST: "z.z", "pinnace-http-retries": "0"}
                zero = hostile_instance({**PLAIN, "service": "z"}, meta=once)
                match = {HTTP_HOST: "m.m", CANARY_MATCH: "header:X=1"}
                alone = hostile_instance({**PLAIN, "service": "m"}, meta=match)
                found |= grammar(parsed(nginx_text(routes_to(*instances, both, zero, alone))))
    return frozenset(found)


def nginx_text(routes: Routes) -> str:
    return NginxRenderer(PLACE).config(fitting(routes)[0]).text


def check_nginx(routes: Routes) -> None:
    """Demand that a text has directives of known kinds in known places only."""
    text = nginx_text(routes)
    assert text.isascii()
    assert all(char == "\n" or char.isprintable() for char in text)
    assert grammar(parsed(text)) <= known_grammar()


@given(FIELDS)
def test_no_value_becomes_a_directive_of_nginx(fields: dict[str, Any]) -> None:
    good = hostile_instance({**fields, "id": "good", "address": "192.0.2.9", "port": 80})
    check_nginx(routes_to(hostile_instance(fields), good))
