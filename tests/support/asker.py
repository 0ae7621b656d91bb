"""Asks a Responder without sockets; replies are decoded by dnslib, not by our own code."""

import random
from struct import pack
from typing import Any

from dnslib import QTYPE, RCODE, RR, DNSRecord

from dnsd.cache import Responder
from dnsd.names import wire_name, zone_of
from dnsd.site import Site
from dnsd.tallies import Channel
from sidecar.catalog.changes import Change, Put, PutNode
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, InstanceId, Node, Status

TYPES = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
    "OPT": 41,
    "SVCB": 64,
    "HTTPS": 65,
    "TKEY": 249,
    "TSIG": 250,
    "IXFR": 251,
    "AXFR": 252,
    "MAILB": 253,
    "MAILA": 254,
    "ANY": 255,
}


def instance(
    service: str = "web",
    number: int = 1,
    *,
    address: str | None = None,
    port: int = 80,
    tags: tuple[str, ...] = (),
    weight: int = 1,
    status: Status = Status.PASSING,
    draining: bool = False,
    node: str = "node-1",
    **more: Any,
) -> Put:
    """Return a change that puts instance ``number`` of a service at 10.0.0.``number``."""
    return Put(
        Instance(
            id=InstanceId(more.pop("id", f"{service}-{number}")),
            service=service,
            node=node,
            address=f"10.0.{number >> 8}.{number & 255}" if address is None else address,
            port=port,
            tags=tags,
            weight=weight,
            status=status,
            draining=draining,
            **more,
        )
    )


def node(name: str = "node-1", address: str = "192.0.2.1", **meta: str) -> PutNode:
    """Return a change that puts a node."""
    return PutNode(Node(name=name, address=address, meta=meta))


def wire(name: str) -> bytes:
    """Return a dotted name as it goes over the wire."""
    return wire_name([label.encode() for label in name.split(".") if label])


def opt(payload: int = 1232, *, version: int = 0, do: bool = False, options: bytes = b"") -> bytes:
    """Return an OPT record."""
    flags = version << 16 | (0x8000 if do else 0)
    return b"\0" + pack(">HHIH", 41, payload, flags, len(options)) + options


def query(
    name: str,
    qtype: str | int = "A",
    *,
    qclass: int = 1,
    flags: int = 0x0100,
    extra: bytes = b"",
    id_: int = 0x1234,
) -> bytes:
    """Return a query; ``extra`` is one record for the additional section."""
    number = TYPES[qtype] if isinstance(qtype, str) else qtype
    header = pack(">HHHHHH", id_, flags, 1, 0, 0, bool(extra))
    return header + wire(name) + pack(">HH", number, qclass) + extra


class Asker:
    """A catalogue, a Responder of it and a UDP and a TCP channel."""

    def __init__(self, *changes: Change, synced: bool = True, seed: int = 1, **site: Any) -> None:
        self.catalog = Catalog()
        self.catalog.commit([*changes])
        if synced:
            self.catalog.mark_synced()
        settings: dict[str, Any] = {
            "zones": (zone_of("consul"), zone_of("pinnace")),
            "datacenter": b"dc1",
            "node": b"node-1",
            "addresses": (b"\x7f\0\0\1",),
        } | site
        draw = random.Random(seed).random
        now = settings.pop("now", None)
        self.site = Site(**settings)
        self.responder = Responder(self.catalog, self.site, serial=100, draw=draw, now=now)
        self.udp = Channel("dns://127.0.0.1:8600", "udp", "1")
        self.tcp = Channel("dns://127.0.0.1:8600", "tcp", "1")

    def send(self, packet: bytes, *, tcp: bool = False, client: bytes = b"") -> bytes | None:
        """Return the reply's octets."""
        return self.responder.replies().reply(packet, self.tcp if tcp else self.udp, client)

    def ask(self, name: str, qtype: str | int = "A", *, tcp: bool = False, **how: Any) -> DNSRecord:
        """Return the reply to a question."""
        reply = self.send(query(name, qtype, **how), tcp=tcp)
        assert reply is not None
        return DNSRecord.parse(reply)

    def verdict(self, name: str, qtype: str | int = "A", **how: Any) -> str:
        """Return the return code, or NODATA, or the answers in words."""
        reply = self.ask(name, qtype, **how)
        code = RCODE[reply.header.rcode]
        if code != "NOERROR":
            return code
        return " ".join(texts(reply.rr)) or "NODATA"


def texts(records: list[RR]) -> list[str]:
    """Return records as ``TYPE data``, sorted."""
    return sorted(f"{QTYPE[record.rtype]} {record.rdata}" for record in records)
