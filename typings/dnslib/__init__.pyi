from collections.abc import Callable

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
    rdata: object
    edns_len: int
    edns_ver: int
    edns_do: int
    edns_rcode: int

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
    parse: Callable[[bytes], DNSRecord]
