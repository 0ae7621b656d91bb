from itertools import product

import pytest
from dnslib import RCODE

from dnsd import cache, entries, making
from sidecar.catalog.changes import Drop
from sidecar.catalog.model import InstanceId, Status
from tests.support.asker import Asker, instance, node, opt, query


def test_a_commit_is_seen_by_the_very_next_query() -> None:
    asker = Asker(instance(number=1), node())
    for changes, verdict in (
        ([instance(number=2)], "A 10.0.0.1 A 10.0.0.2"),
        ([instance(number=1, status=Status.CRITICAL)], "A 10.0.0.2"),
        ([instance(number=2, draining=True)], "NXDOMAIN"),
        ([instance(number=2, address="")], "A 192.0.2.1"),
        ([node(address="192.0.2.9")], "A 192.0.2.9"),
        ([Drop("web", InstanceId("web-2"))], "NXDOMAIN"),
    ):
        asker.ask("web.service.consul")
        asker.catalog.commit(changes)
        assert asker.verdict("web.service.consul") == verdict


def test_the_question_comes_back_bit_for_bit() -> None:
    asker = Asker(instance())
    for letters in product(*((c, c.upper()) for c in "web")):
        name = "".join(letters) + ".SerVice.consul"
        for packet in (query(name), query(name, extra=opt())):
            for _ in range(2):
                reply = asker.send(packet)
                assert reply is not None
                assert reply[:2] == packet[:2]
                assert reply[12 : 12 + len(name) + 6] == packet[12 : 12 + len(name) + 6]


def test_the_id_is_each_querys_own() -> None:
    asker = Asker(instance())
    for id_ in (0, 1, 0xFFFF):
        assert asker.ask("web.service.consul", id_=id_).header.id == id_


@pytest.mark.parametrize(("flags", "rd", "cd"), [(0, 0, 0), (0x0110, 1, 1), (0x02EF, 0, 0)])
def test_only_rd_and_cd_are_copied(flags: int, rd: int, cd: int) -> None:
    header = Asker(instance()).ask("web.service.consul", flags=flags).header
    assert (header.rd, header.cd, header.ra, header.ad, header.tc) == (rd, cd, 0, 0, 0)


def test_do_is_copied_and_the_payload_is_ours() -> None:
    for do in (True, False):
        reply = Asker(instance()).ask("web.service.consul", extra=opt(4000, do=do))
        (edns,) = reply.ar
        assert (edns.rtype, edns.rclass, edns.ttl) == (41, 1232, 0x8000 if do else 0)


def test_an_unknown_edns_version_is_badvers_without_an_answer() -> None:
    reply = Asker(instance()).ask("web.service.consul", extra=opt(version=1))
    assert (reply.rr, RCODE[reply.header.rcode]) == ([], "NOERROR")
    assert reply.ar[0].ttl == 1 << 24


def test_type_65_is_not_type_97() -> None:
    asker = Asker(instance())
    for kind in (65, 97):
        assert asker.ask("web.service.consul", kind).questions[0].qtype == kind


def test_a_query_with_options_takes_no_place_in_the_hot_map() -> None:
    asker = Asker(instance())
    asker.ask("web.service.consul", extra=opt(options=b"\0\x0a\0\x08" + b"c" * 8))
    assert asker.responder.replies().hot(asker.udp) == {}
    asker.ask("web.service.consul", extra=opt())
    assert len(asker.responder.replies().hot(asker.udp)) == 1


def test_made_up_names_do_not_grow_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_ENTRIES", 100)
    asker = Asker(instance())
    replies = asker.responder.replies()
    for number in range(1000):
        asker.send(query(f"x{number}.service.consul"))
        asker.send(query(f"{number:08x}.addr.consul"))
        asker.send(query(f"{number:08x}.ADDR.consul"))
        assert len(replies.hot(asker.udp)) <= 100
        assert len(replies._made) <= 100
    assert asker.verdict("web.service.consul") == "A 10.0.0.1"


def test_names_that_do_not_exist_are_not_kept_in_mixed_case() -> None:
    asker = Asker(instance())
    asker.ask("Nope.service.consul")
    assert asker.responder.replies()._made == {}


def test_sizes_asked_for_fall_into_few_classes() -> None:
    asker = Asker(*(instance(number=n) for n in range(1, 100)))
    for size in range(500, 1300):
        asker.send(query("WEB.service.consul", extra=opt(size)))
    assert len(asker.responder.replies()._made) <= 50


def test_an_unknown_edns_version_is_badvers_in_any_case() -> None:
    asker = Asker(instance())
    asker.ask("Web.service.consul", extra=opt())
    assert asker.ask("Web.service.consul", extra=opt(version=1)).ar[0].ttl == 1 << 24


def test_forms_of_replies_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "_MOST_FRAMES", 2)
    services = ["a", "bb", "ccc", "dddd"]
    asker = Asker(*(instance(name, n) for name in services for n in (1, 2)))
    for _ in range(2):
        for name in services:
            assert len(asker.ask(f"{name}.service.consul").rr) == 2
            assert len(asker.ask(f"{name}.service.consul", "SRV").rr) == 2
    hot = asker.responder.replies().hot(asker.udp)
    assert {entry.tally.hits for entry in hot.values()} == {8}
    assert len(entries._turned_frames) <= 2
    assert len(entries._paired_frames) <= 2


def test_it_says_whether_it_is_complete() -> None:
    asker = Asker(synced=False)
    assert not asker.responder.replies().synced
    asker.catalog.mark_synced()
    assert asker.responder.replies().synced


def test_names_of_every_length_have_their_own_negative_reply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(making, "_MOST_ABSENT", 10)
    asker = Asker(instance())
    for length in range(1, 63):
        assert asker.verdict("x" * length + ".service.consul") == "NXDOMAIN"


def test_repeated_queries_are_hits() -> None:
    asker = Asker(instance())
    for _ in range(5):
        asker.ask("web.service.consul")
    assert asker.udp.misses == 1
    assert sum(tally.hits for tally in asker.udp.tallies.values()) == 5


def test_rejected_and_dropped_messages_are_counted_by_reason() -> None:
    asker = Asker()
    assert asker.send(b"\0") is None
    assert asker.send(b"\0" * 12) is not None
    assert asker.send(query("x.consul", flags=0x1000)) is not None
    assert asker.udp.dropped == {"short": 1}
    assert asker.udp.formerr == {"question_count": 1}
    assert {key.rcode for key in asker.udp.tallies} == {"FORMERR", "NOTIMP"}
