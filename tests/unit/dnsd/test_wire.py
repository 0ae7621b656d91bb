from struct import pack

import pytest
from dnslib import RCODE, DNSRecord

from dnsd import wire
from tests.support.asker import opt, query

QUESTION = b"\3web\7service\6consul\0\0\1\0\1"


def message(
    body: bytes = QUESTION, *, flags: int = 0x0100, counts: tuple[int, int, int, int] = (1, 0, 0, 0)
) -> bytes:
    return pack(">HHHHHH", 0x1234, flags, *counts) + body


def record(
    name: bytes = b"\0", kind: int = 1, data: bytes = b"", length: int | None = None
) -> bytes:
    size = len(data) if length is None else length
    return name + pack(">HHIH", kind, 1, 0, size) + data


TSIG_DATA = b"\3mac\0" + b"\0" * 6 + b"\1\x2c" + b"\0\0" + b"\x12\x34\0\0\0\0"


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"", "short"),
        (b"\0" * 11, "short"),
        (message(flags=0x8000), "response"),
        (message(b"", flags=0xA800, counts=(9, 9, 9, 9)), "response"),
    ],
)
def test_some_messages_get_no_reply(packet: bytes, reason: str) -> None:
    assert wire.parse(packet) == wire.Dropped(reason)


MALFORMED = [
    ("question_count", message(b"", counts=(0, 0, 0, 0)), 12),
    ("question_count", message(QUESTION * 2, counts=(2, 0, 0, 0)), 12),
    ("record_count", message(QUESTION + record(), counts=(1, 1, 0, 0)), 12),
    ("record_count", message(QUESTION + record(), counts=(1, 0, 1, 0)), 12),
    ("question", message(b""), 12),
    ("question", message(b"\3we"), 12),
    ("question", message(b"\3web"), 12),
    ("question", message(b"\3web\0\0\1\0"), 12),
    ("question", message(b"\xc0\x0c\0\1\0\1"), 12),
    ("question", message(b"\3web\xc0\x0c\0\1\0\1"), 12),
    ("question", message(b"\x40\0\0\1\0\1" + b"x" * 70), 12),
    ("question", message(b"\x80\0\0\1\0\1" + b"x" * 140), 12),
    ("question", message((b"\x3f" + b"x" * 63) * 4 + b"\0\0\1\0\1"), 12),
    ("record_name", message(counts=(1, 0, 0, 1)), None),
    ("record_name", message(QUESTION + b"\x40" + b"x" * 80, counts=(1, 0, 0, 1)), None),
    ("record_name", message(QUESTION + b"\1x" * 130 + b"\0" * 11, counts=(1, 0, 0, 1)), None),
    ("record_cut", message(QUESTION + b"\0\0\x29", counts=(1, 0, 0, 1)), None),
    ("record_cut", message(QUESTION + b"\xc0", counts=(1, 0, 0, 1)), None),
    ("record_length", message(QUESTION + record(length=1), counts=(1, 0, 0, 1)), None),
    ("opt_place", message(QUESTION + opt() + opt(), counts=(1, 0, 0, 2)), None),
    ("opt_place", message(QUESTION + record(b"\1x\0", 41), counts=(1, 0, 0, 1)), None),
    (
        "opt_place",
        message(QUESTION[:-4] + b"\0\xfb\0\1" + opt(), counts=(1, 0, 1, 0)),
        None,
    ),
    ("option_cut", query("x.consul", extra=opt(options=b"\0\3\0")), None),
    ("option_length", query("x.consul", extra=opt(options=b"\0\3\0\1")), None),
    ("tsig_cut", message(QUESTION + record(b"\1k\0", 250, b"\0"), counts=(1, 0, 0, 1)), None),
    (
        "record_name",
        message(QUESTION + record(b"\xc0\x0c", 250, TSIG_DATA), counts=(1, 0, 0, 1)),
        None,
    ),
]


@pytest.mark.parametrize(("reason", "packet", "size"), MALFORMED)
def test_a_malformed_query_gets_a_short_formerr(
    reason: str, packet: bytes, size: int | None
) -> None:
    verdict = wire.parse(packet)
    assert isinstance(verdict, wire.Rejected)
    assert (verdict.rcode, verdict.reason) == (1, reason)
    assert len(verdict.reply) <= len(packet)
    assert size is None or len(verdict.reply) == size
    header = DNSRecord.parse(verdict.reply).header
    assert (header.id, header.qr, header.rd, RCODE[header.rcode]) == (0x1234, 1, 1, "FORMERR")


@pytest.mark.parametrize("opcode", [1, 2, 4, 5, 6, 15])
def test_other_opcodes_are_not_implemented(opcode: int) -> None:
    verdict = wire.parse(message(flags=opcode << 11))
    assert isinstance(verdict, wire.Rejected)
    header = DNSRecord.parse(verdict.reply).header
    assert (header.opcode, RCODE[header.rcode], len(verdict.reply)) == (opcode, "NOTIMP", 12)


def test_a_query_is_taken_apart() -> None:
    verdict = wire.parse(query("WeB.service.consul", 65, extra=opt(4096, do=True)))
    assert isinstance(verdict, wire.Query)
    assert verdict.name == b"\3web\7service\6consul\0"
    assert verdict.question == b"\3WeB\7service\6consul\0\0\x41\0\1"
    assert (verdict.qtype, verdict.qclass) == (65, 1)
    assert verdict.edns == wire.Edns(4096, 0, do=True, options=b"")


def test_octets_after_the_last_record_are_ignored() -> None:
    assert isinstance(wire.parse(query("web.consul", extra=opt()) + b"junk"), wire.Query)


def test_records_that_are_no_opt_are_skipped() -> None:
    packet = message(QUESTION + record(b"\xc0\x0c", 1, b"\1\2\3\4") + opt(), counts=(1, 0, 0, 2))
    verdict = wire.parse(packet)
    assert isinstance(verdict, wire.Query)
    assert verdict.edns is not None


def test_an_incremental_transfer_may_say_what_it_has() -> None:
    packet = message(QUESTION[:-4] + b"\0\xfb\0\1" + record(), counts=(1, 0, 1, 0))
    assert isinstance(wire.parse(packet), wire.Query)


def test_a_signed_query_is_told_its_key_is_unknown() -> None:
    packet = message(QUESTION + record(b"\3key\0", 250, TSIG_DATA), counts=(1, 0, 0, 1))
    verdict = wire.parse(packet)
    assert isinstance(verdict, wire.Rejected)
    assert verdict.rcode == 9
    tsig = verdict.reply.removeprefix(verdict.reply[: 12 + len(QUESTION)])
    data = TSIG_DATA[:13] + pack(">HHHH", 0, 0x1234, 17, 0)
    assert tsig == b"\3key\0" + pack(">HHIH", 250, 255, 0, len(data)) + data


def test_a_query_signed_by_sig0_is_refused_without_a_record() -> None:
    verdict = wire.parse(message(QUESTION + record(b"\0", 24), counts=(1, 0, 0, 1)))
    assert isinstance(verdict, wire.Rejected)
    assert (verdict.rcode, len(verdict.reply)) == (9, 12 + len(QUESTION))
