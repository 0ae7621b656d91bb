"""DNS questions over UDP, answers decoded by dnslib."""

import socket

import dnslib

__all__ = ["ask"]


def ask(port: int, name: str, kind: str = "A", *, host: str = "127.0.0.1") -> dnslib.DNSRecord:
    """Return the decoded reply to one question with EDNS0."""
    query = dnslib.DNSRecord.question(name, kind)
    query.add_ar(dnslib.EDNS0(udp_len=1232))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((host, port))
        sock.send(query.pack())
        return dnslib.DNSRecord.parse(sock.recv(4096))
