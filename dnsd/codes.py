"""Numbers of the DNS protocol that dnsd names (IANA DNS parameters). Pure."""

from collections.abc import Mapping
from typing import Final

__all__ = [
    "AA",
    "AAAA",
    "ANY",
    "AXFR",
    "BADCOOKIE",
    "BADVERS",
    "CD",
    "CLASS_ANY",
    "CLASS_CHAOS",
    "CLASS_IN",
    "CNAME",
    "DO",
    "EDE_NOT_AUTHORITATIVE",
    "EDE_NOT_READY",
    "EDE_STALE",
    "FORMERR",
    "HINFO",
    "HTTPS",
    "IXFR",
    "MAILA",
    "MAILB",
    "MX",
    "NOERROR",
    "NOTAUTH",
    "NOTIMP",
    "NS",
    "NXDOMAIN",
    "OPT",
    "PTR",
    "QR",
    "RA",
    "RCODE_NAMES",
    "RD",
    "REFUSED",
    "SERVFAIL",
    "SIG",
    "SOA",
    "SRV",
    "SVCB",
    "TC",
    "TKEY",
    "TSIG",
    "TXT",
    "TYPE_NAMES",
    "A",
]

# Types (RFC 1035 3.2.2, 3596, 2782, 6891, 8945).
A: Final = 1
NS: Final = 2
CNAME: Final = 5
SOA: Final = 6
PTR: Final = 12
HINFO: Final = 13
MX: Final = 15
TXT: Final = 16
SIG: Final = 24
AAAA: Final = 28
SRV: Final = 33
OPT: Final = 41
SVCB: Final = 64
HTTPS: Final = 65
TKEY: Final = 249
TSIG: Final = 250
IXFR: Final = 251
AXFR: Final = 252
MAILB: Final = 253
MAILA: Final = 254
ANY: Final = 255

TYPE_NAMES: Final[Mapping[int, str]] = {
    A: "A",
    NS: "NS",
    CNAME: "CNAME",
    SOA: "SOA",
    PTR: "PTR",
    MX: "MX",
    TXT: "TXT",
    AAAA: "AAAA",
    SRV: "SRV",
    43: "DS",
    48: "DNSKEY",
    SVCB: "SVCB",
    HTTPS: "HTTPS",
    AXFR: "AXFR",
    IXFR: "IXFR",
    ANY: "ANY",
}
"""What the metrics tell apart; every other type is ``other``."""

# Classes.
CLASS_IN: Final = 1
CLASS_CHAOS: Final = 3
CLASS_ANY: Final = 255

# Return codes; 16 and above need an OPT to carry the upper bits (RFC 6891 6.1.3).
NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
NOTAUTH: Final = 9
BADVERS: Final = 16
BADCOOKIE: Final = 23

RCODE_NAMES: Final[Mapping[int, str]] = {
    NOERROR: "NOERROR",
    FORMERR: "FORMERR",
    SERVFAIL: "SERVFAIL",
    NXDOMAIN: "NXDOMAIN",
    NOTIMP: "NOTIMP",
    REFUSED: "REFUSED",
    NOTAUTH: "NOTAUTH",
    BADVERS: "BADVERS",
    BADCOOKIE: "BADCOOKIE",
}

# Header flags (RFC 1035 4.1.1, RFC 4035 3.1.6) and the flag of an OPT (RFC 3225).
QR: Final = 0x8000
AA: Final = 0x0400
TC: Final = 0x0200
RD: Final = 0x0100
RA: Final = 0x0080
CD: Final = 0x0010
DO: Final = 0x8000

# Extended errors (RFC 8914).
EDE_STALE: Final = 3
EDE_NOT_READY: Final = 14
EDE_NOT_AUTHORITATIVE: Final = 20
