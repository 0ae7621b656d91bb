"""How long foreign answers are kept, who is asked, and what is believed."""

from itertools import pairwise
from struct import pack

import pytest

from dnsd import codes
from dnsd.forward.cache import Cache, lifetime
from dnsd.forward.message import Asked, Reply
from dnsd.forward.settings import forwarding_of
from dnsd.forward.special import believed, special
from dnsd.forward.upstreams import Group, Upstream, group_of
from dnsd.names import labels_of
from dnsd.networks import Networks
from dnsd.records import Record
from sidecar.config.model import DnsSettings
from sidecar.config.units import Endpoint
from tests.support.asker import wire

NAME = wire("x.example.org")
ASKED = Asked(NAME, codes.A, codes.CLASS_IN)


def address(ttl: int, owner: bytes = NAME) -> Record:
    return Record(codes.A, ttl, b"\1\2\3\4", owner=owner)


def soa(ttl: int, minimum: int) -> Record:
    after = pack(">IIIII", 1, 2, 3, 4, minimum)
    names = (wire("a"), wire("b"))
    return Record(codes.SOA, ttl, names=names, after=after, owner=wire("example.org"))


def reply(*answers: Record, rcode: int = 0, authority: tuple[Record, ...] = ()) -> Reply:
    return Reply(rcode, truncated=False, sections=(answers, authority, ()))


ALIAS = Record(codes.CNAME, 7, names=(wire("y.example.org"),), owner=NAME)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (reply(address(60), address(50)), 50),
        (reply(address(100_000)), 3600),
        (reply(address(0)), 0),
        (reply(ALIAS, address(60)), 7),
        (reply(rcode=3, authority=(soa(100, 60),)), 60),
        (reply(rcode=3, authority=(soa(30, 60),)), 30),
        (reply(rcode=3, authority=(soa(9999, 9999),)), 900),
        (reply(ALIAS, authority=(soa(100, 100),)), 7),
        (reply(rcode=3), 0),
        (reply(), 0),
        (reply(rcode=2), 5),
        (reply(rcode=5), 0),
        (reply(rcode=3, authority=(soa(1, 1)._replace(after=b""),)), 0),
    ],
)
def test_answers_are_kept_as_long_as_they_say(given: Reply, seconds: int) -> None:
    assert lifetime(given) == seconds


def test_kept_answers_age_and_end() -> None:
    cache = Cache(10_000, stale=0)
    cache.put(ASKED, reply(address(60)), 100.0)
    found = cache.get(ASKED, 130.0)
    assert found
    assert found.is_fresh
    assert found.kept.aged(130.0).sections[0][0].ttl == 30
    assert found.kept.kind == "success"
    assert cache.get(ASKED, 160.0) is None
    assert (len(cache), cache.octets) == (0, 0)


def test_ended_answers_stay_for_when_nobody_answers() -> None:
    cache = Cache(10_000, stale=100)
    cache.put(ASKED, reply(address(60)), 0.0)
    found = cache.get(ASKED, 70.0)
    assert found
    assert not found.is_fresh
    assert found.kept.stale(30).sections[0][0].ttl == 30
    cache.put(ASKED, reply(rcode=2), 70.0)  # a failure is nothing to replace it by
    again = cache.get(ASKED, 71.0)
    assert again
    assert again.kept is found.kept
    assert cache.get(ASKED, 161.0) is None
    cache.put(ASKED, reply(rcode=2), 200.0)
    failed = cache.get(ASKED, 201.0)
    assert failed
    assert failed.kept.kind == "denial"
    assert cache.get(ASKED, 206.0) is None  # a failure is never stale


def test_memory_is_bounded_and_the_least_used_goes() -> None:
    cache = Cache(2500, stale=0)
    names = [ASKED._replace(name=wire(f"{n}.example.org")) for n in range(5)]
    for asked in names[:4]:
        cache.put(asked, reply(address(60)), 0.0)
        cache.get(names[0], 1.0)
    cache.put(names[4], reply(address(60)), 1.0)
    assert cache.octets <= 2500
    assert cache.get(names[0], 2.0)
    assert cache.get(names[1], 2.0) is None
    assert cache.evicted == 1
    assert cache.count("success") == 4
    cache.put(names[4], reply(address(9)), 2.0)
    assert cache.count("success") == 4
    off = Cache(0, stale=0)
    off.put(ASKED, reply(address(60)), 0.0)
    assert len(off) == 0


def test_only_what_is_asked_again_is_renewed_early() -> None:
    cache = Cache(10_000, stale=0)
    cache.put(ASKED, reply(address(100)), 0.0)
    found = cache.get(ASKED, 95.0)
    assert found
    assert not found.kept.wants_refresh(95.0)
    found.kept.asked += 1
    assert not found.kept.wants_refresh(80.0)
    assert found.kept.wants_refresh(95.0)


def test_three_failures_take_a_server_out_until_it_answers() -> None:
    upstream = Upstream(Endpoint("192.0.2.1", 53))
    assert [upstream.failed(0.0) for _ in range(4)] == [False, False, True, False]
    assert upstream.is_out
    assert not upstream.is_due(0.4)
    times: list[float] = []
    now = 0.0
    while len(times) < 6:
        now += 0.125
        if upstream.is_due(now):
            times.append(now)
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert (times[0], gaps) == (0.5, [1.0, 2.0, 4.0, 5.0, 5.0])
    upstream.answered()
    assert not upstream.is_out


def test_who_is_asked_first() -> None:
    good, out, loop = (Upstream(Endpoint("192.0.2.1", n)) for n in range(3))
    loop.is_loop = True
    for _ in range(3):
        out.failed(0.0)
    group = Group([out, loop, good], "sequential")
    assert group.order(lambda: 0.5) == [good]
    for _ in range(3):
        good.failed(0.0)
    assert group.order(lambda: 0.5) == [out, good]
    draws = iter((0.9, 0.1))
    assert Group([out, good], "random").order(lambda: next(draws)) == [good, out]


def test_the_longest_domain_decides_who_is_asked() -> None:
    everything, corp = Group([], "sequential"), Group([], "sequential")
    groups = {(): everything, (b"corp", b"example"): corp}
    assert group_of(labels_of(wire("a.corp.example")), groups) == ((b"corp", b"example"), corp)
    assert group_of(labels_of(wire("corp.example")), groups) == ((b"corp", b"example"), corp)
    assert group_of(labels_of(wire("acorp.example")), groups) == ((), everything)
    assert group_of((b"org",), {(b"corp",): corp}) is None


def test_settings_name_servers_and_networks() -> None:
    settings = DnsSettings(
        recursors=("192.0.2.1", "[2001:db8::1]:5353"), forward=("corp.example=10.0.0.2,10.0.0.3",)
    )
    found = forwarding_of(settings)
    assert [str(u.at) for u in found.upstreams] == [
        *("192.0.2.1:53", "[2001:db8::1]:5353", "10.0.0.2:53", "10.0.0.3:53"),
    ]
    assert "10.1.2.3" in found.allowed
    assert "192.0.2.7" not in found.allowed


def test_networks_know_mapped_and_scoped_addresses() -> None:
    networks = Networks(["10.0.0.0/8", "fe80::/10"])
    for _ in range(2):
        assert "::ffff:10.1.2.3" in networks
        assert "fe80::1%eth0" in networks
        assert "192.0.2.1" not in networks


def test_made_up_addresses_do_not_grow_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnsd.networks._REMEMBERED", 10)
    networks = Networks(["10.0.0.0/8"])
    assert all(f"10.0.0.{n}" in networks for n in range(100))
    assert len(networks._known) <= 10


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        ("localhost", codes.A, "answer"),
        ("a.localhost", codes.AAAA, "answer"),
        ("localhost", codes.SRV, "nodata"),
        ("a.local", codes.A, "absent"),
        ("plain", codes.A, "absent"),
        ("com", codes.NS, "asked"),
        ("", codes.NS, "asked"),
        ("example.org", codes.A, "asked"),
    ],
)
def test_special_names(name: str, qtype: int, expected: str) -> None:
    owner = wire(name)
    found = special(labels_of(owner), Asked(owner, qtype, 1))
    if found is None:
        assert expected == "asked"
    else:
        kind = "answer" if found.sections[0] else ("absent" if found.rcode == 3 else "nodata")
        assert kind == expected
        assert found.sections[0] or lifetime(found) == 900


def test_only_the_chain_from_the_question_is_believed() -> None:
    target = wire("y.example.org")
    far = wire("bank.example")
    mail = Record(15, 9, b"\0\1", (wire("mail.example"),), owner=target)
    given = Reply(
        0,
        truncated=False,
        sections=(
            (ALIAS, mail, address(9, far)),
            (soa(9, 9), Record(codes.NS, 9, names=(far,), owner=wire("org"))),
            (address(9, wire("mail.example")), address(9, far), address(9, target)),
        ),
    )
    found = believed(given, ASKED)
    assert found.sections[0] == (ALIAS, mail)
    assert [r.type for r in found.sections[1]] == [codes.SOA]
    assert [r.owner for r in found.sections[2]] == [wire("mail.example")]
