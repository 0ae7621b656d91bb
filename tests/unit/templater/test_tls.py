"""Which certificate and which rule holds for a host."""

from typing import Any

import pytest

from sidecar.catalog.changes import Put, apply
from sidecar.catalog.model import (
    CERT_NAME,
    EMPTY,
    HSTS,
    HTTP_HOST,
    HTTPS_METHOD,
    Instance,
    InstanceId,
)
from templater.names import Address, CertName, Host, Port, SocketAddress, Wildcard
from templater.routes import Problem, Routes, routes_of
from templater.securing import secured, without_tls
from templater.shapes import Hsts, Method
from templater.tls import Certificate, Policy, found_for, sni_of

LISTEN = SocketAddress(Address("127.0.0.1"), Port(8443))
YEAR = Hsts(31_536_000)


def certificates(*names: str) -> dict[CertName, Certificate]:
    return {CertName(name): Certificate(CertName(name), name, "pem") for name in names}


def asks(hosts: str, service: str = "web", **fields: str) -> Instance:
    keys = {"method": HTTPS_METHOD, "name": CERT_NAME, "hsts": HSTS}
    meta = {HTTP_HOST: hosts} | {keys[key]: text for key, text in fields.items()}
    return Instance(
        id=InstanceId("x"), service=service, node="n", address="192.0.2.1", port=80, meta=meta
    )


def plain(*instances: Instance) -> Routes:
    return routes_of(apply(EMPTY, [Put(one) for one in instances]), ("consul",))


def served(*instances: Instance, names: tuple[str, ...] = ()) -> Routes:
    return secured(plain(*instances), LISTEN, 8443, certificates(*names), http2=True)


def policies(routes: Routes) -> dict[str, Policy]:
    assert routes.tls is not None
    return {str(site): policy for site, policy in routes.tls.policies.items()}


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.example.org", "a.example.org"),
        ("b.example.org", "example.org"),
        ("x.y.example.org", "example.org"),
        ("example.org", "example.org"),
        ("org", None),
        ("example.com", None),
        ("default", None),
    ],
)
def test_a_host_takes_the_nearest_certificate_by_name(host: str, name: str | None) -> None:
    found = certificates("example.org", "a.example.org", "default")
    assert found_for(Host(host), found) == name


def test_a_wildcard_takes_the_certificate_of_its_domain() -> None:
    assert found_for(Wildcard("*.example.org"), certificates("example.org")) == "example.org"


@pytest.mark.parametrize(
    ("fields", "policy"),
    [
        ({}, Policy(CertName("example.org"), Method.REDIRECT, YEAR)),
        ({"method": "noredirect"}, Policy(CertName("example.org"), Method.NOREDIRECT)),
        ({"method": "nohttp"}, Policy(CertName("example.org"), Method.NOHTTP, YEAR)),
        ({"method": "nohttps"}, Policy(None, Method.NOHTTPS)),
        ({"hsts": "off"}, Policy(CertName("example.org"), Method.REDIRECT)),
        (
            {"hsts": "max-age=60; includeSubDomains; preload"},
            Policy(
                CertName("example.org"), Method.REDIRECT, Hsts(60, subdomains=True, preload=True)
            ),
        ),
        (
            {"method": "noredirect", "hsts": "max-age=0"},
            Policy(CertName("example.org"), Method.NOREDIRECT, Hsts(0)),
        ),
        ({"name": "shared"}, Policy(CertName("shared"), Method.REDIRECT, YEAR)),
    ],
)
def test_a_host_with_a_certificate_does_as_it_asks(fields: dict[str, str], policy: Policy) -> None:
    routes = served(asks("a.example.org", **fields), names=("example.org", "shared"))
    own = dict.fromkeys(
        ["web.localhost", "web.consul", "web.service.consul"], Policy(None, policy.method)
    )
    strict = policy.method in {Method.NOHTTP, Method.NOHTTPS}
    assert policies(routes) == {"a.example.org": policy} | (own if strict else {})
    assert routes.problems == ()


@pytest.mark.parametrize(
    ("fields", "method", "field", "reason"),
    [
        ({"method": "nohttp"}, Method.NOHTTP, HTTPS_METHOD, "it is not served at all"),
        ({"method": "redirect"}, None, HTTPS_METHOD, "nothing is redirected"),
        ({"name": "lost"}, None, CERT_NAME, "there is no good certificate lost"),
    ],
)
def test_a_host_without_its_certificate_is_told(
    fields: dict[str, str], method: Method | None, field: str, reason: str
) -> None:
    routes = served(asks("*.example.com", **fields))
    found = policies(routes).get(".example.com")
    assert (found.method if found else None) is method
    (problem,) = routes.problems
    assert (problem.service, problem.field) == ("web", field)
    assert reason in problem.reason


def test_names_of_the_services_own_take_no_foreign_certificate_and_say_nothing() -> None:
    routes = served(asks("a.org", method="nohttp", name="shared"), names=("shared",))
    assert policies(routes)["web.localhost"] == Policy(None, Method.NOHTTP)
    assert routes.problems == ()


def test_hosts_that_have_only_paths_are_served_by_tls_too() -> None:
    for hosts in ("a.org/api", "a.org,a.org/api"):
        routes = served(asks(hosts), names=("a.org",))
        assert policies(routes)["a.org"].certificate == "a.org"


def test_without_tls_wishes_are_told_once() -> None:
    reason = "there is no lb.tls_listen: plain HTTP is served"
    routes = without_tls(plain(asks("a.org,b.org", method="nohttp", name="x", hsts="max-age=1")))
    assert routes.problems == tuple(
        Problem("web", field, reason) for field in (HTTPS_METHOD, CERT_NAME, HSTS)
    )
    assert without_tls(plain(asks("a.org", method="nohttps"))).problems == ()
    same = plain(asks("a.org"))
    assert without_tls(same) is same


@pytest.mark.parametrize(
    ("instances", "names", "expected"),
    [
        ([], ("b.org", "default", "a.org"), [
            ("default", ()), ("a.org", ("a.org", ".a.org")), ("b.org", ("b.org", ".b.org")),
        ]),
        ([asks("w.a.org,x.y.a.org,*.a.org")], ("a.org",), [
            ("a.org", ("a.org", ".a.org", "x.y.a.org")),
        ]),
        ([asks("w.a.org,c.org,*.c.org", name="b.org")], ("a.org", "b.org"), [
            ("a.org", ("a.org", ".a.org")),
            ("b.org", ("b.org", ".b.org", ".c.org", "c.org", "w.a.org")),
        ]),
        ([asks("a.org,*.a.org", name="b.org"), asks("z.a.org", "z")], ("a.org", "b.org"), [
            ("a.org", ("z.a.org",)), ("b.org", ("b.org", ".b.org", ".a.org", "a.org")),
        ]),
        ([asks("a.org,*.a.org", name="b.org")], ("a.org", "b.org"), [
            ("b.org", ("b.org", ".b.org", ".a.org", "a.org")),
        ]),
    ],
)  # fmt: skip
def test_clients_name_a_certificate_by_its_own_name_and_by_what_else_leads_to_it(
    instances: list[Instance], names: tuple[str, ...], expected: Any
) -> None:
    routes = served(*instances, names=names)
    assert routes.tls is not None
    assert list(sni_of(routes.tls)) == expected


@pytest.mark.parametrize("text", ["", "on", "max-age=", "max-age=-1", "max-age=1; x", "60\n"])
def test_what_is_no_header_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not off or such as"):
        Hsts.of(text)


def test_keys_are_not_shown() -> None:
    assert "pem" not in repr(certificates("a.org"))
