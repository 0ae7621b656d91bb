"""SRV questions and answers; dnslib, a reader nobody here wrote, is the other side."""

from typing import Any

import dnslib as typed_dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import ProtocolError
from templater.confd.srv import Srv, answers, question

dnslib: Any = typed_dnslib  # our stub of it is smaller than what is used here


def test_a_question_is_what_dnslib_reads() -> None:
    record = dnslib.DNSRecord.parse(question("_etcd._tcp.example.org.", 7))
    assert record.header.id == 7
    assert str(record.q.qname) == "_etcd._tcp.example.org."
    assert record.q.qtype == 33


def test_an_answer_of_dnslib_is_read() -> None:
    asked = dnslib.DNSRecord.parse(question("_x._tcp.example.org", 9))
    reply = asked.reply()
    reply.add_answer(*dnslib.RR.fromZone("_x._tcp.example.org 60 SRV 1 2 80 a.example.org"))
    reply.add_answer(*dnslib.RR.fromZone("_x._tcp.example.org 60 SRV 3 4 81 b.example.org"))
    assert answers(reply.pack(), 9) == [
        Srv("a.example.org.", 80, 1, 2), Srv("b.example.org.", 81, 3, 4),
    ]  # fmt: skip


def test_another_number_or_a_failure_is_refused() -> None:
    reply = dnslib.DNSRecord.parse(question("x.example.org", 9)).reply()
    with pytest.raises(ProtocolError):
        answers(reply.pack(), 8)
    reply.header.rcode = dnslib.RCODE.NXDOMAIN
    with pytest.raises(ProtocolError, match="code 3"):
        answers(reply.pack(), 9)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64])
def test_what_is_no_name_is_not_asked(name: str) -> None:
    with pytest.raises((ValueError, UnicodeError)):
        question(name, 1)


@given(st.binary(max_size=80))
def test_garbage_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        answers(data, 70_000)
