"""Who sits where, and when a reload is needed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from templater.haproxy.model import NOTHING, BackendName, Model
from templater.haproxy.slots import fitted, grown, why_reload
from templater.names import Address, CertName, Port, SocketAddress
from templater.override import Override
from templater.routes import Endpoint, Protocol, Routes, Upstream
from templater.securing import secured
from templater.tls import Certificate
from tests.unit.templater.haproxy_models import WEB, endpoint, model_of, routes_to

NAME = BackendName(WEB)


def seats(model: Model) -> list[str | None]:
    return [slot.key.id if slot is not None else None for slot in model.backends[NAME].slots]


def test_a_new_backend_has_four_slots() -> None:
    assert seats(model_of(endpoint("a"))) == ["a", None, None, None]


def test_slots_double_until_all_fit() -> None:
    assert len(seats(model_of(*(endpoint(f"i{n}") for n in range(9))))) == 16


def test_who_stays_keeps_the_slot_and_a_newcomer_takes_one_that_was_free_before() -> None:
    live = model_of(endpoint("a"), endpoint("b"), endpoint("c"))
    after = fitted(live, routes_to(endpoint("c"), endpoint("d"), endpoint("b", port=81)))
    assert seats(after) == [None, "b", "c", "d"]
    moved = after.backends[NAME].slots[1]
    assert moved is not None
    assert moved.port == 81


def test_a_slot_just_left_is_taken_when_no_other_is_free() -> None:
    live = model_of(*(endpoint(f"i{n}") for n in range(4)))
    after = fitted(live, routes_to(*(endpoint(f"i{n}") for n in range(1, 5))))
    assert seats(after) == ["i4", "i1", "i2", "i3"]


def test_what_does_not_fit_waits_for_the_reload() -> None:
    live = model_of(*(endpoint(f"i{n}") for n in range(4)))
    more = routes_to(*(endpoint(f"i{n}") for n in range(5)))
    assert seats(fitted(live, more)) == ["i0", "i1", "i2", "i3"]
    assert why_reload(live, more) == "http.web needs 8 slots"
    assert seats(grown(fitted(live, more), more)) == [f"i{n}" for n in range(5)] + [None] * 3


def test_a_new_upstream_or_listener_needs_a_reload() -> None:
    live = model_of(endpoint("a"))
    other = Upstream(Protocol.TCP, "db")
    assert why_reload(live, routes_to(endpoint("a"), upstream=other)) == "new upstream tcp.db"
    assert why_reload(live, routes_to(endpoint("a"), ports=(5432,))) == "other listeners"
    assert why_reload(live, routes_to(endpoint("b"))) is None


def test_a_backend_whose_service_is_gone_stays_empty_until_the_next_reload() -> None:
    live = model_of(endpoint("a"))
    assert why_reload(live, Routes()) is None
    empty = fitted(live, Routes())
    assert seats(empty) == [None] * 4
    assert why_reload(empty, routes_to(endpoint("a"))) is None
    assert seats(fitted(empty, routes_to(endpoint("a")))) == ["a", None, None, None]
    assert grown(empty, Routes()) == NOTHING


def test_a_host_leads_only_to_a_backend_that_runs() -> None:
    db = Upstream(Protocol.HTTP, "db")
    routes = routes_to(endpoint("x"), upstream=db, hosts=("db.localhost",), wildcards=("*.db.org",))
    before = fitted(model_of(endpoint("a")), routes)
    assert (before.hosts, before.wildcards) == ({}, ())
    after = grown(before, routes)
    assert after.hosts == {"db.localhost": "http.db"}
    assert after.wildcards == ((".db.org", "http.db"),)


def test_longer_wildcards_come_first() -> None:
    routes = routes_to(wildcards=("*.org", "*.b.example.org", "*.a.example.org", "*.example.org"))
    assert [wildcard for wildcard, _ in grown(NOTHING, routes).wildcards] == [
        ".a.example.org", ".b.example.org", ".example.org", ".org",
    ]  # fmt: skip


def test_an_unchanged_backend_is_the_same_object() -> None:
    live = model_of(endpoint("a"))
    assert fitted(live, routes_to(endpoint("a"))).backends[NAME] is live.backends[NAME]


members = st.lists(
    st.builds(endpoint, st.sampled_from("abcdefghijkl"), st.integers(1, 3)),
    unique_by=lambda one: one.key,
    max_size=10,
).map(tuple)


@given(st.lists(members, min_size=1, max_size=12))
def test_seats_are_stable_through_any_history(history: list[tuple[Endpoint, ...]]) -> None:
    live = model_of()
    for endpoints in history:
        before = {slot.key: n for n, slot in enumerate(live.backends[NAME].slots) if slot}
        routes = routes_to(*endpoints)
        live = fitted(live, routes)
        if why_reload(live, routes) is not None:
            live = grown(live, routes)
        slots = live.backends[NAME].slots
        after = {slot.key: n for n, slot in enumerate(slots) if slot}
        assert sorted(slot.key for slot in slots if slot) == sorted(one.key for one in endpoints)
        assert {slot for slot in slots if slot} == set(endpoints)
        assert all(before[key] == after[key] for key in before.keys() & after.keys())


@given(st.text(), st.text(), st.sampled_from(Protocol), st.sampled_from(Protocol))
def test_no_two_upstreams_share_a_name(one: str, two: str, p: Protocol, q: Protocol) -> None:
    same = BackendName(Upstream(p, one)) == BackendName(Upstream(q, two))
    assert same is ((p, one) == (q, two))


@given(st.text(st.characters(codec=None)))
def test_backend_names_need_no_quotes(service: str) -> None:
    name = BackendName(Upstream(Protocol.HTTP, service))
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def backup(id_: str, port: int = 80) -> Endpoint:
    return replace(endpoint(id_, port), backup=True)


def test_backups_have_slots_of_their_own_at_the_end() -> None:
    live = model_of(endpoint("a"))
    routes = routes_to(endpoint("a"), backup("b"))
    assert why_reload(live, routes) == "http.web needs 6 slots"
    new = grown(live, routes)
    (backend,) = new.backends.values()
    assert (backend.spare, len(backend.slots)) == (2, 6)
    assert backend.slots[4] == backup("b")
    assert why_reload(new, routes) is None
    more = grown(new, routes_to(*(endpoint(f"a{n}") for n in range(5)), backup("b")))
    (backend,) = more.backends.values()
    assert (backend.spare, len(backend.slots)) == (2, 10)
    assert backend.slots[8] == backup("b")


def test_a_backup_that_is_none_any_more_moves_without_a_reload() -> None:
    live = grown(NOTHING, routes_to(endpoint("a"), backup("b")))
    routes = routes_to(endpoint("a"), endpoint("b"))
    assert why_reload(live, routes) is None
    (backend,) = fitted(live, routes).backends.values()
    assert backend.slots[:2] == (endpoint("a"), endpoint("b"))
    assert backend.slots[4:] == (None, None)


def test_backups_beyond_their_slots_wait_for_a_reload() -> None:
    live = model_of(endpoint("a"))
    (backend,) = fitted(live, routes_to(endpoint("a"), backup("b"))).backends.values()
    assert backend.slots == (endpoint("a"), None, None, None)


def with_tls(names: str, hosts: str = "a.org", **certificates: str) -> Routes:
    upstream = Upstream(Protocol.HTTP, "web")
    routes = routes_to(hosts=tuple(hosts.split(",")), upstream=upstream)
    known = {
        CertName(name): Certificate(CertName(name), certificates.get(name[0], "1"), "pem")
        for name in names.split(",")
    }
    return secured(routes, SocketAddress(Address("127.0.0.1"), Port(9)), 9, known, http2=True)


def test_other_names_of_certificates_are_structure_and_other_contents_are_not() -> None:
    live = grown(NOTHING, with_tls("a.org"))
    assert why_reload(live, with_tls("a.org,b.org")) == "other certificates or names of theirs"
    assert why_reload(live, with_tls("a.org", a="2")) is None
    assert fitted(live, with_tls("a.org", a="2")).certificates[CertName("a.org")].digest == "2"
    assert fitted(live, with_tls("a.org")).certificates is live.certificates
    assert fitted(live, with_tls("a.org")).policies is live.policies
    assert fitted(live, routes_to()).policies == {}
    assert why_reload(live, routes_to()) == "other certificates or names of theirs"


def test_most_new_hosts_of_a_domain_need_no_reload() -> None:
    live = grown(NOTHING, with_tls("a.org"))
    routes = with_tls("a.org", "a.org,x.a.org,y.a.org")
    assert why_reload(live, routes) is None
    assert set(fitted(live, routes).policies) == {"a.org", "x.a.org", "y.a.org"}
    assert why_reload(live, with_tls("a.org", "x.y.a.org")) is not None


def test_nobody_is_sent_to_tls_before_its_certificate_is_there() -> None:
    live = grown(NOTHING, with_tls("b.org"))
    assert fitted(live, with_tls("a.org,b.org")).policies == {}
    assert set(grown(live, with_tls("a.org,b.org")).policies) == {"a.org"}


def test_another_template_is_a_reload() -> None:
    routes = replace(routes_to(), override=Override("x", "1", str))
    live = grown(NOTHING, routes)
    assert why_reload(live, replace(routes, override=Override("x", "1", repr))) is None
    assert why_reload(live, replace(routes, override=Override("x", "2", str))) == "another template"
    assert fitted(live, routes_to()).override == routes.override
