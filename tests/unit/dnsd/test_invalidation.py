"""Which replies a change of the catalogue takes out, and that no reply outlives what it says."""

import random
import sys

import pytest
from dnslib import RCODE

from dnsd.cache import Standing
from dnsd.reading import touched
from dnsd.site import SoaTimes
from dnsd.view import View
from sidecar.catalog.changes import Change, Drop, Put, PutNode
from sidecar.catalog.model import Check, InstanceId, Node, Status
from tests.support.asker import Asker, instance, node, opt, query

KINDS = ("A", "AAAA", "SRV", "TXT")
NAMES = (
    *("web.service.consul", "db.service.consul", "onnode.service.consul", "chain.service.consul"),
    *("t.web.service.consul", "_t.consul", "node-1.node.consul", "nope.service.consul", "consul"),
    *("1.0.0.10.in-addr.arpa", "c0000201.addr.consul", "Web.service.consul", "ns.consul"),
)


def kept(asker: Asker) -> set[str]:
    """Return the names that have a reply under key 1."""
    hot = asker.responder.replies().hot(asker.udp)
    return {".".join(DNS(key)) for key in hot}


def DNS(key: bytes) -> list[str]:  # noqa: N802 - reads the name of a query
    labels, at = [], 10
    while key[at]:
        labels.append(key[at + 1 : at + 1 + key[at]].decode())
        at += key[at] + 1
    return labels


def asker() -> Asker:
    return Asker(
        node(),
        node("node-2", "192.0.2.2"),
        instance(number=1, tags=("t",)),
        instance(number=2),
        instance("db"),
        instance("onnode", address=""),
        instance("chain", address="web.service.consul"),
        node_meta=False,
    )


def ask_all(server: Asker) -> list[str]:
    """Return every reply, its records in a fixed order."""
    found: list[str] = []
    for name in NAMES:
        for kind in KINDS:
            found += [server.verdict(name, kind, tcp=tcp) for tcp in (False, True)]
    return found


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ([instance(number=3)], {"web", "chain"}),
        ([instance("db", port=81)], {"db"}),
        ([Drop("db", InstanceId("db-1"))], {"db"}),
        ([instance("other")], set()),
        ([instance("nope")], {"nope"}),
        ([node("node-1", "192.0.2.9")], {"onnode", "node-1"}),
        ([node("node-2", "192.0.2.9")], set()),
        ([node("node-1", "192.0.2.1")], set()),
        ([instance("db", status=Status.WARNING)], {"db"}),
    ],
    ids=range(9),
)
def test_a_change_takes_out_what_it_touches_and_no_more(
    changes: list[Change], gone: set[str]
) -> None:
    server = asker()
    names = ("web", "db", "onnode", "chain", "nope")
    for name in names:
        server.ask(f"{name}.service.consul")
    server.ask("node-1.node.consul")
    before = kept(server)
    server.catalog.commit(changes)
    left = {name.split(".")[0] for name in before - kept(server)}
    assert left == gone


def test_what_a_check_said_last_takes_out_nothing() -> None:
    server = asker()
    server.ask("web.service.consul")
    found = server.catalog.snapshot.services["web"][0]
    for output in ("a", "b"):
        check = Check(id="c", name="c", status=Status.PASSING, output=output)
        server.catalog.commit([Put(instance(tags=("t",), checks=(check,)).instance)])
    assert server.catalog.snapshot.services["web"][0] is not found
    assert kept(server) == {"web.service.consul"}


def test_checks_and_unknown_nodes_touch_no_answer() -> None:
    server = asker()
    old = View(server.catalog.snapshot)
    check = Check(id="c", name="c", status=Status.PASSING)
    server.catalog.commit([PutNode(Node(name="node-1", address="192.0.2.1", checks=(check,)))])
    assert touched(old, View(server.catalog.snapshot)) == frozenset()
    server.catalog.commit([node("new", "192.0.2.7")])
    assert touched(old, View(server.catalog.snapshot)) == {b"\0node\0new"}


def test_a_stale_negative_answer_is_not_kept_longer_than_others() -> None:
    server = Asker(soa=SoaTimes(minimum=60))
    for standing, ttl in ((Standing.FRESH, 60), (Standing.STALE, 5), (Standing.FRESH, 60)):
        server.responder.stand(standing)
        assert server.ask("nope.service.consul").auth[0].ttl == ttl


@pytest.mark.parametrize("seed", range(4))
def test_after_any_change_replies_are_those_of_a_fresh_server(seed: int) -> None:
    draw = random.Random(seed)
    server = asker()
    for _ in range(15):
        ask_all(server)
        server.catalog.commit([change(draw) for _ in range(draw.randrange(1, 3))])
        fresh = Asker(node_meta=False)
        fresh.catalog.replace(server.catalog.snapshot)
        assert ask_all(server) == ask_all(fresh)


def change(draw: random.Random) -> Change:
    service = draw.choice(("web", "db", "onnode", "chain", "nope", "Web", "t"))
    number = draw.randrange(1, 4)
    match draw.randrange(5):
        case 0:
            return Drop(service, InstanceId(f"{service}-{number}"))
        case 1:
            return node(draw.choice(("node-1", "node-2")), f"192.0.2.{draw.randrange(1, 9)}")
        case _:
            return instance(
                service,
                number,
                address=draw.choice((None, "", "2001:db8::1", "db.service.consul")),
                tags=draw.choice(((), ("t",), ("udp", "a.t"))),
                status=draw.choice(list(Status)),
                draining=draw.random() < 0.2,
                weight=draw.choice((1, 3)),
            )


def test_negative_replies_have_the_serial_of_the_moment() -> None:
    server = asker()
    for name, kind in (
        ("nope.service.consul", "A"),
        ("web.service.consul", "AAAA"),
        ("consul", "SOA"),
        ("Web.service.consul", "AAAA"),
    ):
        for _ in range(3):
            server.catalog.commit([instance("other", port=draw_port())])
            reply = server.ask(name, kind)
            (soa,) = [r for r in (*reply.rr, *reply.auth) if r.rtype == 6]
            assert soa.rdata.times[0] == server.responder.replies().serial


def draw_port(found: list[int] = []) -> int:  # noqa: B006 - a counter
    found.append(0)
    return 1000 + len(found)


def test_a_lost_store_marks_answers_as_stale_then_withholds_them() -> None:
    server = Asker(instance(), ttl=60)
    replies = server.responder
    assert server.ask("web.service.consul").rr[0].ttl == 60
    replies.stand(Standing.STALE)
    reply = server.ask("web.service.consul", extra=opt())
    assert [(r.rtype, r.ttl) for r in reply.rr] == [(1, 5)]
    assert [(o.code, o.data) for o in reply.ar[0].rdata] == [(15, b"\0\3")]
    assert server.verdict("nope.service.consul") == "NXDOMAIN"
    assert server.verdict("example.org") == "REFUSED"
    replies.stand(Standing.LOST)
    for name in ("web.service.consul", "nope.service.consul"):
        reply = server.ask(name, extra=opt())
        assert (RCODE[reply.header.rcode], len(reply.rr)) == ("SERVFAIL", 0)
    assert server.verdict("example.org") == "REFUSED"
    replies.stand(Standing.FRESH)
    assert server.ask("nope.service.consul").auth[0].ttl == 0
    assert server.ask("web.service.consul").rr[0].ttl == 60


def test_other_settings_hold_from_the_next_query_on() -> None:
    server = Asker(instance(), ttl=60)
    server.ask("web.service.consul")
    serial = server.responder.replies().serial
    server.responder.reconfigure(Asker(ttl=5).site)
    assert server.ask("web.service.consul").rr[0].ttl == 5
    assert server.responder.replies().serial == serial + 1


@pytest.mark.parametrize(
    ("kind", "number"), [("A", 10), ("A", 5), ("SRV", 10), ("SRV", 3), ("AAAA", 10)]
)
@pytest.mark.parametrize("extra", [b"", opt()], ids=["plain", "edns"])
def test_a_kept_reply_takes_little_more_than_twice_its_octets(
    kind: str, number: int, extra: bytes
) -> None:
    services = 400
    server = Asker(
        *(instance(f"s{s:05}", n) for s in range(services) for n in range(1, number + 1))
    )
    packets = [query(f"s{s:05}.service.consul", kind, extra=extra) for s in range(services)]
    size = len(server.send(packets[0]) or b"")
    for packet in packets:
        server.send(packet)
    hot = server.responder.replies().hot(server.udp)
    assert len(hot) == services
    shared: set[int] = set()
    shared.update(map(id, server.catalog.snapshot.services))  # the catalogue's own
    used = sum(own_size(key, shared) + own_size(hot[key], shared) for key in hot)
    used += sys.getsizeof(hot)
    assert used / services <= 2 * size + 150


def own_size(thing: object, shared: set[int]) -> int:
    """Return the octets of an object and what only it refers to, as the allocator rounds them."""
    if id(thing) in shared or thing is None or isinstance(thing, int | float | bool):
        return 0
    shared.add(id(thing))
    size = (sys.getsizeof(thing) + 15) & ~15
    parts = (getattr(thing, name, None) for name in ("head", "body", "octets", "tail", "origin"))
    return size + sum(own_size(part, shared) for part in parts)
