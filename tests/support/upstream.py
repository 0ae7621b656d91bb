"""A DNS server that does as it is told, for tests of who forwards to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self, cast

from dnslib import QTYPE, RCODE, RR, DNSHeader, DNSRecord

from sidecar.config.units import Endpoint
from tests.support.ports import free_port

__all__ = ["Upstream", "answering"]

LOOP = "loop.dnsd.invalid."

Answer = Callable[[DNSRecord, str], "list[bytes]"]
"""Query and transport to the messages sent back."""


def answering(*lines: str, rcode: str = "NOERROR", soa: str = "") -> Answer:
    """Return an answer of records in zone file form; ``soa`` goes into the authority section."""

    def answer(query: DNSRecord, _: str) -> list[bytes]:
        reply = DNSRecord(DNSHeader(id=query.header.id, qr=1, ra=1, rd=1), q=query.q)
        reply.header.rcode = getattr(RCODE, rcode)
        for line in lines:
            reply.add_answer(*RR.fromZone(line))
        if soa:
            reply.add_auth(*RR.fromZone(soa))
        return [reply.pack()]

    return answer


class Upstream:
    """One server on UDP and TCP; ``answer`` may be replaced at any time."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer if answer is not None else answering("x.example.org. 60 A 192.0.2.1")
        self.at = Endpoint("127.0.0.1", free_port())
        self.asked: list[tuple[str, str, str]] = []
        """Name as asked, type and transport of each question."""
        self.keeps_case = True
        self.ports: set[int] = set()
        self.ids: set[int] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Udp(self), local_addr=(self.at.host, self.at.port)
        )
        server = await asyncio.start_server(self._serve, self.at.host, self.at.port)
        try:
            yield self
        finally:
            transport.close()
            server.close()

    def questions(self, name: str = "") -> list[tuple[str, str, str]]:
        """Return what was asked, without looks for loops and probes."""
        return [
            one
            for one in self.asked
            if not one[0].lower().endswith(LOOP) and one[0] != "." and name in one[0]
        ]

    def take(self, packet: bytes, proto: str) -> list[bytes]:
        query = DNSRecord.parse(packet)
        self.ids.add(query.header.id)
        self.asked.append((str(query.q.qname), QTYPE[query.q.qtype], proto))
        if str(query.q.qname).lower().endswith(LOOP):
            return answering(rcode="NXDOMAIN")(query, proto)
        end = packet.index(b"\0", 12) + 5
        replies = self.answer(query, proto)
        if not self.keeps_case:
            return [reply[:12] + reply[12:end].lower() + reply[end:] for reply in replies]
        return [_with_question(reply, packet[12:end]) for reply in replies]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while size := int.from_bytes(await reader.readexactly(2)):
                for reply in self.take(await reader.readexactly(size), "tcp"):
                    writer.write(len(reply).to_bytes(2) + reply)
        except (asyncio.IncompleteReadError, OSError):
            pass
        writer.close()


def _with_question(reply: bytes, question: bytes) -> bytes:
    """Return a reply with the question's own octets, as dnslib does not keep their case."""
    same = reply[12 : 12 + len(question)].lower() == question.lower()
    return reply[:12] + question + reply[12 + len(question) :] if same else reply


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._upstream.ports.add(addr[1])
        for reply in self._upstream.take(data, "udp"):
            self._transport.sendto(reply, addr)
