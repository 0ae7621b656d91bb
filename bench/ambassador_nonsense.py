"""Nonsense for the ambassador from both sides (cases of ``bench.ambassador_faults``)."""

import argparse
import random
import socket
import threading
import time
from contextlib import suppress

from ambassador.redis.resp import packed
from tests.support.ambassador import Ambassador
from tests.support.redis import Redis

__all__ = ["replies", "requests"]

_GOOD = (
    packed(b"SET", b"k", b"v"), packed(b"GET", b"k"), packed(b"MGET", b"a", b"b", b"c"),
    packed(b"HELLO", b"3"), packed(b"CLIENT", b"REPLY", b"SKIP"), packed(b"SELECT", b"1"),
    packed(b"MULTI"), packed(b"EXEC"), packed(b"EVAL", b"return 1", b"0"), b"PING\r\n",
    b'SET "a b" \'c\'\r\n', packed(b"LPUSH", b"l", b"x" * 300), packed(b"SCAN", b"0"),
    packed(b"SUBSCRIBE", b"c"), packed(b"UNSUBSCRIBE"), packed(b"XADD", b"s", b"*", b"f", b"v"),
)  # fmt: skip
_BYTES = b"*$+-:\r\n0123456789_,#(!=~>%|\"' \x00\xff"


def mutated(data: bytes, count: int) -> bytes:
    """Return it with so many bytes changed, dropped, doubled or moved."""
    changed = bytearray(data)
    for _ in range(count):
        at = random.randrange(len(changed) or 1)
        match random.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([random.choice(_BYTES)])
            case 1:
                del changed[at : at + random.randrange(1, 9)]
            case 2:
                changed[at:at] = changed[at : at + random.randrange(1, 9)]
            case 3:
                changed[at:at] = bytes([random.randrange(256)])
            case _:
                changed[at:at] = random.choice(
                    (b"$-1\r\n", b"*0\r\n", b"$999999999\r\n", b"*-5\r\n")
                )
    return bytes(changed)


def requests(args: argparse.Namespace) -> list[str]:
    """Send mutated commands; others are served, and the server has what they wrote."""
    wrong = []
    with Redis() as server, Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy:
        before, done, connections = proxy.resident(), 0, 0
        with proxy.call() as witness:
            while done < args.mutations:
                connections += 1
                witness.do("SET", "witness", str(connections))
                done += _nonsense_to(proxy.port)
                if connections % 50 == 0 and witness.do("GET", "witness") != b"%d" % connections:
                    wrong.append("the witness reads something else")
        print(f"  {done} mutations on {connections} connections,"
              f" {(proxy.resident() - before) >> 20} MiB more")  # fmt: skip
        if "Traceback" in proxy.log_text() or "task failed" in proxy.log_text():
            wrong.append(proxy.log_text()[-2000:])
    return wrong


def _nonsense_to(port: int) -> int:
    count = 0
    with socket.create_connection(("127.0.0.1", port), timeout=5) as wild:
        reader = threading.Thread(target=_drain, args=(wild,), daemon=True)
        reader.start()
        with suppress(OSError):
            for _ in range(random.randrange(1, 200)):
                number = random.choice((0, 0, 1, 1, 3, 20))
                data = b"".join(random.choices(_GOOD, k=random.randrange(1, 20)))
                count += max(1, number)
                wild.sendall(mutated(data, number))
            wild.shutdown(socket.SHUT_WR)
            reader.join(0.05)
        with suppress(OSError):
            wild.shutdown(socket.SHUT_RDWR)
        reader.join(5)
    return count


def _drain(sock: socket.socket) -> None:
    with suppress(OSError):
        while sock.recv(1 << 16):
            pass


class Liar:
    """A relay to a server that changes what it answers, now and then."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.share = 0.0
        self.lies = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for source, to, is_lying in ((client, server, False), (server, client, True)):
                    pair = (source, to, is_lying)
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, is_lying: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if is_lying and random.random() < self.share:
                    self.lies += 1
                    data = mutated(data, random.randrange(1, 4))
                to.sendall(data)
        for sock in (source, to):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def replies(args: argparse.Namespace) -> list[str]:
    """Mutate what the server answers: the ambassador lives, and serves again when it ends."""
    wrong = []
    with Redis() as server:
        liar = Liar(server.port)
        with Ambassador("--primary", f"127.0.0.1:{liar.port}") as proxy:
            before = proxy.resident()
            liar.share = 0.2
            end = time.monotonic() + args.seconds
            threads = [
                threading.Thread(target=_ask, args=(proxy.port, end), daemon=True) for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            liar.share = 0.0
            print(f"  {liar.lies} lies, {(proxy.resident() - before) >> 20} MiB more")
            with proxy.call() as client:
                found = None
                for _ in range(100):
                    found = client.do("SET", "k", "v")
                    if found == b"OK":
                        break
                    time.sleep(0.1)
                if found != b"OK":
                    wrong.append(f"not served afterwards: {found!r}")
            if "Traceback" in proxy.log_text() or "task failed" in proxy.log_text():
                wrong.append(proxy.log_text()[-3000:])
        liar.close()
    return wrong


def _ask(port: int, end: float) -> None:
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
            for _ in range(50):
                sock.sendall(b"".join(random.choices(_GOOD[:3] + _GOOD[6:9], k=5)))
                if not sock.recv(1 << 16):
                    break
