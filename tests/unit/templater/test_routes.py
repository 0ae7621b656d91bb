"""Who gets which host and port, and what is left out."""

from typing import Any

import pytest

from sidecar.catalog.changes import Put, PutNode, apply
from sidecar.catalog.model import (
    CERT_NAME,
    EMPTY,
    HTTP_ACCESS,
    HTTP_BALANCE,
    HTTP_HOST,
    HTTP_PROTO,
    HTTPS_METHOD,
    TCP_LISTEN,
    Instance,
    InstanceId,
    Node,
    Snapshot,
    Status,
)
from templater.guard import loses_most
from templater.haproxy.model import name_of
from templater.names import CertName, Network, UrlPath
from templater.routes import Key, Known, Problem, Protocol, Routes, State, Upstream, routes_of
from templater.shapes import INTERNAL, Balance, Https, Method, Scheme, Shape

DOMAINS = ("consul", "pinnace")


def instance(service: str = "web", id_: str = "a", **fields: Any) -> Instance:
    values: dict[str, Any] = {"node": "n1", "address": "192.0.2.1", "port": 80, **fields}
    return Instance(id=InstanceId(id_), service=service, **values)


def snapshot(*instances: Instance) -> Snapshot:
    return apply(EMPTY, [Put(one) for one in instances])


def routes(*instances: Instance, reserved: frozenset[int] = frozenset()) -> Routes:
    return routes_of(snapshot(*instances), DOMAINS, reserved=reserved)


def owner(found: Routes, host: str) -> str | None:
    return next((to.service for name, to in found.hosts.items() if name == host), None)


def test_a_service_has_its_own_names() -> None:
    found = routes(instance())
    assert set(found.hosts) == {
        "web.localhost", "web.consul", "web.pinnace", "web.service.consul", "web.service.pinnace",
    }  # fmt: skip
    assert set(found.hosts.values()) == {Upstream(Protocol.HTTP, "web")}
    assert found.problems == ()


def test_asked_hosts_are_a_comma_list_with_wildcards() -> None:
    found = routes(instance(meta={HTTP_HOST: "a.example.org, B.example.org,,*.example.net"}))
    assert owner(found, "a.example.org") == owner(found, "b.example.org") == "web"
    assert set(found.wildcards) == {".example.net"}


def test_asked_hosts_of_all_instances_count() -> None:
    found = routes(
        instance(meta={HTTP_HOST: "a.example.org"}),
        instance(id_="b", meta={HTTP_HOST: "b.example.org"}),
    )
    assert owner(found, "a.example.org") == owner(found, "b.example.org") == "web"


def test_a_place_leads_only_to_the_instances_that_ask_for_it() -> None:
    both = "c.example.org"
    found = routes(
        instance(meta={HTTP_HOST: f"a.example.org,{both}", HTTP_ACCESS: "internal"}),
        instance(id_="b", meta={HTTP_HOST: f"b.example.org/x,{both}"}),
    )
    ids = {
        str(host): [one.key.id for one in found.upstreams[to]] for host, to in found.hosts.items()
    }
    assert ids["a.example.org"] == ["a"]
    assert ids[both] == ids["web.localhost"] == ["a", "b"]
    ((site, to),) = found.paths.items()
    assert (site.path, [one.key.id for one in found.upstreams[to]]) == ("/x", ["b"])
    assert to.shape.allowed == ()
    assert len({name_of(upstream) for upstream in found.upstreams}) == 3


def test_a_service_that_asks_for_its_own_name_changes_nothing_but_the_path() -> None:
    asking = {HTTP_HOST: "web.localhost,web.consul=/x"}
    found = routes(instance(meta=asking), instance(id_="b"))
    shapes = {str(host): to.shape.dest for host, to in found.hosts.items()}
    assert shapes["web.localhost"] is shapes["web.pinnace"] is None
    assert shapes["web.consul"] == "/x"
    assert found.problems == ()


def test_first_service_by_name_wins_an_asked_host_and_the_other_is_told_once() -> None:
    meta = {HTTP_HOST: "x.example.org,*.example.org"}
    found = routes(
        instance("b", meta=meta), instance("a", meta=meta), instance("b", "z", meta=meta)
    )
    assert owner(found, "x.example.org") == "a"
    assert found.problems == (
        Problem("b", HTTP_HOST, "host x.example.org belongs to service 'a'"),
        Problem("b", HTTP_HOST, "host *.example.org belongs to service 'a'"),
    )


def test_nobody_takes_a_name_that_follows_from_another_service() -> None:
    found = routes(instance("a", meta={HTTP_HOST: "web.localhost"}), instance("web"))
    assert owner(found, "web.localhost") == "web"
    assert found.problems == (
        Problem("a", HTTP_HOST, "host web.localhost belongs to service 'web'"),
    )


def test_services_that_differ_only_in_case_collide_on_names() -> None:
    found = routes(instance("Web"), instance("web"))
    assert owner(found, "web.localhost") == "Web"
    assert {problem[:2] for problem in found.problems} == {("web", "name")}


@pytest.mark.parametrize(
    "host", ["a b", "x\ny", "*", "*.", 'a"b', "http://x", "x:80", "é.example.org"]
)
def test_an_invalid_host_is_dropped_alone(host: str) -> None:
    found = routes(instance(meta={HTTP_HOST: f"{host},good.example.org"}))
    assert owner(found, "good.example.org") == "web"
    assert [problem[:2] for problem in found.problems] == [("web", HTTP_HOST)]


def test_a_label_full_of_hosts_does_not_fill_the_map() -> None:
    meta = {HTTP_HOST: ",".join(f"h{n}.example.org" for n in range(9000))}
    found = routes(instance(meta=meta))
    assert len(found.hosts) == 64 + 5
    assert found.problems[0].reason.startswith("more than 64 hosts")


@pytest.mark.parametrize(
    "name", ["", "a b", "../../etc", "x\ny", "a" * 201, "é", "x.", "\udc80", "-"]
)
def test_a_service_that_cannot_be_a_host_is_left_out_alone(name: str) -> None:
    found = routes(instance(name, meta={TCP_LISTEN: "5432"}), instance("web"))
    assert set(found.hosts.values()) == {Upstream(Protocol.HTTP, "web")}
    assert found.listeners == {}
    assert [problem[:2] for problem in found.problems] == [(name, "name")]


def test_tcp_listener_has_an_upstream_of_its_own() -> None:
    found = routes(instance("db", meta={TCP_LISTEN: "5432"}))
    tcp = Upstream(Protocol.TCP, "db")
    assert found.listeners == {5432: tcp}
    assert found.upstreams[tcp] is found.upstreams[Upstream(Protocol.HTTP, "db")]


@pytest.mark.parametrize("text", ["0", "65536", "x", "80\n", "-1", " ", "5432;"])
def test_an_invalid_listener_is_dropped_alone(text: str) -> None:
    found = routes(instance(meta={TCP_LISTEN: text}))
    assert found.listeners == {}
    assert [problem[:2] for problem in found.problems] == [("web", TCP_LISTEN)]


def test_own_ports_and_ports_of_others_are_refused() -> None:
    found = routes(
        instance("a", meta={TCP_LISTEN: "5432"}),
        instance("b", meta={TCP_LISTEN: "5432"}),
        instance("c", meta={TCP_LISTEN: "8500"}),
        reserved=frozenset({8500}),
    )
    assert found.listeners == {5432: Upstream(Protocol.TCP, "a")}
    assert found.problems == (
        Problem("b", TCP_LISTEN, "port 5432 belongs to service 'a'"),
        Problem("c", TCP_LISTEN, "port 8500 is one of our own"),
    )


def test_udp_instances_are_no_endpoints() -> None:
    found = routes(
        instance("dns", tags=("udp",)), instance("web"), instance(id_="u", tags=("udp",))
    )
    assert set(found.upstreams) == {Upstream(Protocol.HTTP, "web")}
    assert found.endpoints() == {("web", Key("n1", "a"))}


@pytest.mark.parametrize(
    ("fields", "state", "weight"),
    [
        ({}, State.READY, 1),
        ({"status": Status.WARNING, "weight": 9, "warning_weight": 2}, State.READY, 2),
        ({"draining": True, "weight": 5}, State.DRAIN, 5),
        ({"status": Status.CRITICAL}, State.MAINT, 1),
        ({"status": Status.CRITICAL, "draining": True}, State.MAINT, 1),
        ({"weight": 0}, State.READY, 0),
    ],
)
def test_state_and_weight(fields: dict[str, Any], state: State, weight: int) -> None:
    ((endpoint,),) = routes(instance(**fields)).upstreams.values()
    assert (endpoint.state, endpoint.weight) == (state, weight)


def test_a_weight_below_zero_is_taken_as_zero_and_said() -> None:
    found = routes(instance(weight=-3))
    ((endpoint,),) = found.upstreams.values()
    assert endpoint.weight == 0
    assert found.problems == (Problem("web", "weight", "weight -3 is taken as 0"),)


def test_weights_beyond_a_proxys_range_keep_their_shares() -> None:
    found = routes(instance(weight=1024), instance(id_="b", weight=512))
    ((one, two),) = found.upstreams.values()
    assert (one.weight, two.weight) == (256, 128)
    assert found.problems == ()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"address": "evil\n server x"}, "address"),
        ({"address": "example.org"}, "address"),
        ({"address": "0.0.0.0"}, "address"),
        ({"port": 0}, "port"),
        ({"port": 70000}, "port"),
    ],
)
def test_an_endpoint_that_cannot_be_is_left_out_alone(fields: dict[str, Any], field: str) -> None:
    found = routes(instance(id_="bad", **fields), instance(id_="good"))
    assert found.endpoints() == {("web", Key("n1", "good"))}
    assert [problem[:2] for problem in found.problems] == [("web", field)]


def test_services_that_stay_are_not_looked_at_again() -> None:
    known: Known = {}
    first = snapshot(instance("a"), instance("b"))
    before = routes_of(first, DOMAINS, known=known)
    second = apply(first, [Put(instance("b", "new"))])
    after = routes_of(second, DOMAINS, known=known)
    assert after == routes_of(second, DOMAINS)
    a = Upstream(Protocol.HTTP, "a")
    assert after.upstreams[a] is before.upstreams[a]
    assert routes_of(EMPTY, DOMAINS, known=known) == Routes()
    assert known == {}


@pytest.mark.parametrize(
    ("before", "after", "guarded"),
    [(10, 4, True), (10, 5, False), (3, 0, False), (4, 0, True), (0, 0, False)],
)
def test_losing_most_is_more_than_half_and_at_least_four(
    before: int, after: int, guarded: bool
) -> None:
    def some(count: int) -> Routes:
        return routes(*(instance(id_=f"i{n}") for n in range(count)))

    assert loses_most(some(before), some(after)) is guarded


def test_an_instance_without_an_address_is_reached_at_its_node() -> None:
    def addresses(found: Routes) -> list[str]:
        return [str(one.address) for one in found.upstreams[Upstream(Protocol.HTTP, "web")]]

    known: Known = {}
    first = apply(snapshot(instance(address=""), instance(id_="b")), [])
    assert routes_of(first, DOMAINS, known=known).problems
    second = apply(first, [PutNode(Node(name="n1", address="192.0.2.9"))])
    assert second.services["web"] is first.services["web"]
    assert addresses(routes_of(second, DOMAINS, known=known)) == ["192.0.2.9", "192.0.2.1"]
    third = apply(second, [PutNode(Node(name="n1", address="192.0.2.8"))])
    assert addresses(routes_of(third, DOMAINS, known=known)) == ["192.0.2.8", "192.0.2.1"]


def paths(found: Routes) -> dict[str, str]:
    return {f"{site.host}{site.path}": to.service for site, to in found.paths.items()}


def test_services_share_a_host_by_paths_and_the_first_by_name_wins_a_path() -> None:
    found = routes(
        instance("web", meta={HTTP_HOST: "x.example.org"}),
        instance("api", meta={HTTP_HOST: "x.example.org/api/,*.y.example/v1"}),
        instance("bad", meta={HTTP_HOST: "x.example.org/api"}),
    )
    assert owner(found, "x.example.org") == "web"
    assert paths(found) == {"x.example.org/api": "api", ".y.example/v1": "api"}
    assert found.problems == (
        Problem("bad", HTTP_HOST, "host x.example.org/api belongs to service 'api'"),
    )


def test_nobody_takes_a_part_of_a_name_that_follows_from_another_service() -> None:
    found = routes(instance("a", meta={HTTP_HOST: "web.localhost/login"}), instance("web"))
    assert paths(found) == {}
    assert [problem[:2] for problem in found.problems] == [("a", HTTP_HOST)]


def test_a_rewritten_path_has_an_upstream_of_its_own() -> None:
    found = routes(instance(meta={HTTP_HOST: "x.example.org/api=/v1,y.example.org=/base"}))
    (site,) = found.paths
    shape = found.paths[site].shape
    assert (shape.prefix, shape.dest) == ("/api", "/v1")
    (base,) = (to for host, to in found.hosts.items() if host == "y.example.org")
    assert (base.shape.prefix, base.shape.dest) == ("", "/base")
    assert len(found.upstreams) == 3
    assert len({name_of(upstream) for upstream in found.upstreams}) == 3


def test_protocol_balance_and_access_hold_for_every_name_of_a_service() -> None:
    meta = {HTTP_PROTO: "https", HTTP_BALANCE: "leastconn", HTTP_ACCESS: "192.0.2.9/24"}
    found = routes(instance(meta={HTTP_HOST: "x.example.org", **meta}))
    assert {to.shape for to in found.hosts.values()} == {
        Shape(Scheme.HTTPS, Balance.LEASTCONN, (Network("192.0.2.0/24"),))
    }


@pytest.mark.parametrize(
    ("texts", "allowed"),
    [
        (("external", ""), ()),
        (("internal",), INTERNAL),
        (("external", "internal"), INTERNAL),
        (("192.0.2.1", "internal"), ("192.0.2.1/32",)),
        (("nonsense",), INTERNAL),
        ((",",), INTERNAL),
    ],
)
def test_access_that_is_unclear_is_the_strict_one(
    texts: tuple[str, ...], allowed: tuple[str, ...]
) -> None:
    found = routes(
        *(instance(id_=str(at), meta={HTTP_ACCESS: text}) for at, text in enumerate(texts))
    )
    ((upstream, _),) = found.upstreams.items()
    assert upstream.shape.allowed == allowed


def test_instances_that_differ_are_told_and_the_first_word_counts() -> None:
    found = routes(
        instance(meta={HTTP_PROTO: "https"}),
        instance(id_="b", meta={HTTP_PROTO: "grpc"}),
        instance(id_="c", meta={HTTP_PROTO: "gopher"}),
    )
    ((upstream, _),) = found.upstreams.items()
    assert upstream.shape.scheme is Scheme.GRPC
    assert [problem[:2] for problem in found.problems] == [("web", HTTP_PROTO)] * 2


def test_wishes_for_tls_are_kept_by_host() -> None:
    meta = {HTTP_HOST: "x.example.org,*.y.example", HTTPS_METHOD: "nohttp", CERT_NAME: "shared"}
    found = routes(instance(meta=meta))
    asked = Https(Method.NOHTTP, CertName("shared"))
    assert {site: found.https[site] for site in found.https if "web" not in site} == {
        "x.example.org": asked,
        ".y.example": asked,
    }
    # A name of the service's own does not need somebody else's certificate.
    own = {found.https[site] for site in found.https if "web" in site}
    assert own == {Https(Method.NOHTTP, is_own=True)}


@pytest.mark.parametrize("path", ["/a b", "/../x", "/a//b", "/%41", "/a\n", "/" + "x" * 300])
def test_a_path_that_is_not_plain_is_dropped_alone(path: str) -> None:
    found = routes(instance(meta={HTTP_HOST: f"x.example.org{path},good.example.org"}))
    assert owner(found, "good.example.org") == "web"
    assert paths(found) == {}
    assert [problem[:2] for problem in found.problems] == [("web", HTTP_HOST)]


def test_a_shape_tells_people_what_is_not_plain() -> None:
    assert str(Shape()) == ""
    whole = Shape(
        Scheme.HTTPS, Balance.RANDOM, INTERNAL, UrlPath("/api"), UrlPath("/"), "x.example.org/"
    )
    assert str(whole) == " https random internal /api/=>/ for x.example.org/"
    assert str(Shape(allowed=(Network("192.0.2.0/24"),))) == " 192.0.2.0/24"


def test_hosts_of_all_instances_together_are_bounded() -> None:
    found = routes(
        *(
            instance(id_=str(at), meta={HTTP_HOST: ",".join(f"h{at}-{n}.x" for n in range(40))})
            for at in range(3)
        )
    )
    assert len(found.hosts) == 64 + 5
    assert found.problems[0].reason.startswith("more than 64 hosts")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_no_service_leads_to_our_own_ports(address: str) -> None:
    found = routes(
        instance(address=address, port=8500),
        instance(id_="b", address=address, port=8501),
        instance(id_="c", address="192.0.2.1", port=8500),
        reserved=frozenset({8500}),
    )
    (members,) = found.upstreams.values()
    assert [one.key.id for one in members] == ["b", "c"]
    assert any("is this program itself" in problem.reason for problem in found.problems)
