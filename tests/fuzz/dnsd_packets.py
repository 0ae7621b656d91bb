"""Ask dnsd what no client should: mutated queries by the million, or for a moment.

    python -m tests.fuzz.dnsd_packets [--packets 1000000] [--seed N]

Each packet must get a reply as specified or none; memory must not grow with their number.
"""

import argparse
import random
import resource
import sys
from collections.abc import Iterator

from dnsd import wire
from dnsd.names import zone_of
from tests.support.asker import TYPES, Asker, instance, node, opt, query

WORDS = """
web WEB alias six a b _web _tcp _udp service node addr query dc1 dc consul pinnace ns x example
c0000201 node-1 instance virtual connect in-addr ip6 arpa 10 1 sky * any
""".split()  # noqa: SIM905 - it reads better
OPTIONS = (
    *(b"", b"\0\3\0\0", b"\0\x0a\0\x08cccccccc", b"\0\x0a\0\x18" + b"c" * 24, b"\0\x0b\0\0"),
    *(b"\0\x0c\0\2\0\0", b"\0\x08\0\7\0\1\x18\0\x0a\1\2", b"\0\x0f\0\2\0\0", b"\xff\xff\0\1x"),
)


def asker() -> Asker:
    """Return a server with every option on and a catalogue of every shape."""
    return Asker(
        node("node-1", "192.0.2.1", k="v"),
        *(instance(number=n, tags=("a.b",), weight=n) for n in range(1, 30)),
        *(instance("even", n, address=f"10.2.0.{n}") for n in range(1, 6)),
        instance("alias", address="web.service.consul"),
        instance("six", address="2001:db8::1", meta={"alpn": "h2"}),
        instance_names=True,
        service_meta=True,
        nsid="node-1",
        cookie_secrets=(bytes(16),),
        now=lambda: 1.6e9,
        sky_zone=zone_of("sky.example"),
    )


def check(server: Asker, packet: bytes, *, tcp: bool) -> None:
    """Ask, and look at what any reply must have."""
    reply = server.send(packet, tcp=tcp, client=b"\x7f\0\0\1")
    if reply is None:
        assert len(packet) < 12 or packet[2] & 0x80
        return
    assert len(packet) >= 12
    assert reply[:2] == packet[:2]
    assert reply[2] & 0x80
    assert len(reply) <= (65535 if tcp else 1232)
    verdict = wire.parse(packet)
    if isinstance(verdict, wire.Rejected) and verdict.rcode == 1:
        assert len(reply) <= len(packet)


def queries(draw: random.Random) -> Iterator[bytes]:
    """Yield well-formed queries without end."""
    types = [*TYPES.values(), 0, 65280]
    while True:
        name = ".".join(draw.choices(WORDS, k=draw.randrange(7)))
        options = b"".join(draw.choices(OPTIONS, k=draw.randrange(3)))
        extra = opt(
            draw.choice((0, 512, 1232, 65535)),
            version=draw.choice((0, 0, 0, 1)),
            do=draw.random() < 0.5,
            options=options,
        )
        yield query(
            name,
            draw.choice(types),
            qclass=draw.choice((1, 1, 1, 1, 3, 255, 0)),
            flags=draw.choice((0, 0x100, 0x110, draw.randrange(0x8000))),
            extra=extra if draw.random() < 0.7 else b"",
        )


def mutated(packet: bytes, draw: random.Random) -> bytes:
    """Return a packet with a few things wrong: octets, length, a piece twice or lost."""
    octets = bytearray(packet)
    for _ in range(draw.randrange(4)):
        at = draw.randrange(len(octets))
        match draw.randrange(4):
            case 0:
                octets[at] = draw.randrange(256)
            case 1:
                octets[at] ^= 1 << draw.randrange(8)
            case 2:
                del octets[at : at + draw.randrange(1, 8)]
            case _:
                octets[at:at] = octets[at : at + draw.randrange(1, 24)]
        if not octets:
            break
    return bytes(octets[: draw.randrange(len(octets) + 1)] if draw.random() < 0.1 else octets)


def run(packets: int, seed: int) -> int:
    """Ask as often as told; return how many octets memory grew by after the first half."""
    draw = random.Random(seed)
    server = asker()
    grown = 0
    for number, packet in enumerate(queries(draw)):
        if number == packets // 2:
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if number >= packets:
            break
        wrong = mutated(packet, draw)
        try:
            check(server, wrong, tcp=draw.random() < 0.3)
        except Exception:
            print(f"seed {seed}, packet {number}: {wrong.hex()}", file=sys.stderr)
            raise
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown) << 10


def main() -> int:
    """Run and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    chosen = parser.parse_args()
    grown = run(chosen.packets, chosen.seed)
    print(f"{chosen.packets} packets, seed {chosen.seed}: memory grew by {grown >> 10} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
