from typing import Any

class _Names:
    OPT: int
    MX: int
    def __getitem__(self, number: int) -> str: ...
    A: int
    PTR: int
    SRV: int
    def get(self, number: int) -> str: ...
    def __getattr__(self, name: str) -> int: ...

class A:
    def __init__(self, data: str) -> None: ...

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
    def __init__(
        self, rname: str, rtype: int = 1, rclass: int = 1, ttl: int = 0, rdata: Any = None
    ) -> None: ...
    @classmethod
    def fromZone(cls, zone: str) -> list[RR]: ...
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
    def __init__(self, qname: str, qtype: int = 1) -> None: ...

class DNSHeader:
    def __init__(
        self,
        *,
        id: int = 0,
        qr: int = 0,
        tc: int = 0,
        ra: int = 0,
        rd: int = 0,
        rcode: int = 0,
    ) -> None: ...
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
    q: DNSQuestion
    def __init__(
        self,
        header: DNSHeader | None = None,
        q: DNSQuestion | None = None,
        rr: list[RR] | None = None,
    ) -> None: ...
    def reply(self) -> DNSRecord: ...
    def add_answer(self, *records: RR) -> None: ...
    def add_auth(self, *records: RR) -> None: ...
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
