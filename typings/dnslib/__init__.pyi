from typing import Any

class _Names:
    def __getitem__(self, number: int) -> str: ...

QTYPE: _Names
RCODE: _Names

class DNSLabel:
    label: tuple[bytes, ...]

class EDNSOption:
    code: int
    data: bytes

class RR:
    rname: DNSLabel
    rtype: int
    rclass: int
    ttl: int
    rdata: Any
    edns_len: int
    edns_ver: int
    edns_do: int
    edns_rcode: int

class EDNS0(RR):
    def __init__(self, *, udp_len: int = 0) -> None: ...

class DNSQuestion:
    qname: DNSLabel
    qtype: int
    qclass: int

class DNSHeader:
    id: int
    qr: int
    opcode: int
    aa: int
    tc: int
    rd: int
    ra: int
    ad: int
    cd: int
    rcode: int

class DNSRecord:
    header: DNSHeader
    questions: list[DNSQuestion]
    rr: list[RR]
    auth: list[RR]
    ar: list[RR]
    @classmethod
    def parse(cls, packet: bytes) -> DNSRecord: ...
    @classmethod
    def question(cls, qname: str, qtype: str = "A", qclass: str = "IN") -> DNSRecord: ...
    def add_ar(self, *records: RR) -> None: ...
    def pack(self) -> bytes: ...
