"""What clients of the ambassador are told when things break: staged by chance, told by numbers.

    python -m bench.ambassador_faults [CASE]... [--seconds 20] [--seed 1]

Cases: ``cut`` (replies cut at byte 1 to 200, on shared, single and cluster connections), ``killed``
and ``frozen`` (one primary, again and again), ``promoted`` (Sentinel, under load), ``replicas``
(one lags, hangs, goes and loads while clients read), ``greedy`` (900 MB for clients that do not
read), ``requests`` and ``replies`` (nonsense from either side; ``--mutations``). Each ends with a
line; what must not be makes the exit status 1.
"""

import argparse
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from ambassador.redis.resp import Failure, packed
from bench.ambassador_nonsense import replies, requests
from tests.support.ambassador import Ambassador, Caller, replicas_of
from tests.support.pinnace import until
from tests.support.redis import Redis
from tests.support.redis_cluster import RedisCluster
from tests.support.sentinel import Sentinel
from tests.support.streams import Stream

_SAFE = ("--appendonly", "yes", "--appendfsync", "always")
_QUICK = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")


class Counter(threading.Thread):
    """A client that adds to a number of its own and keeps what it is told."""

    def __init__(self, proxy: Ambassador, name: str, *, copies: int = 0) -> None:
        super().__init__(daemon=True)
        self._proxy, self._name, self._copies = proxy, name, copies
        self.acknowledged = self.unknown = self.refused = self.connections = 0
        self.wrong: list[str] = []
        self.stopping = False

    def run(self) -> None:
        while not self.stopping:
            self.connections += 1
            with suppress(OSError, EOFError), self._proxy.call(timeout=30) as client:
                while not self.stopping:
                    self._add(client)

    def _add(self, client: Caller) -> None:
        depth = random.choice((1, 1, 5))
        client.sock.sendall(packed(b"INCR", self._name.encode()) * depth)
        seen = 0
        for _ in range(depth):
            reply = client.read()
            if isinstance(reply, int):
                self.acknowledged += 1
                if reply <= seen:
                    self.wrong.append(f"{reply} after {seen}")
                seen = reply
            elif b"unknown" in reply:
                self.unknown += 1
            else:
                self.refused += 1
        if self._copies:
            client.do("WAIT", str(self._copies), "2000")

    def verdict(self, counted: int) -> list[str]:
        """Return what is wrong, with the number that the server has at the end."""
        most = self.acknowledged + self.unknown
        if counted > most or (counted < self.acknowledged and not self._copies):
            self.wrong.append(f"{counted} counted, {self.acknowledged} to {most} told")
        return self.wrong


def _counted(
    proxy: Ambassador, work: Callable[[], None], names: str = "abcd", copies: int = 0
) -> list[str]:
    """Count while something is done to the servers; return what is wrong."""
    counters = [Counter(proxy, name, copies=copies) for name in names]
    for counter in counters:
        counter.start()
    work()
    for counter in counters:
        counter.stopping = True
    for counter in counters:
        counter.join(60)
    wrong = []
    with proxy.call(30) as client:
        until(lambda: not isinstance(client.do("GET", "a"), Failure), 60)
        for name, counter in zip(names, counters, strict=True):
            wrong += counter.verdict(int(client.do("GET", name) or 0))
    told = [sum(getattr(one, what) for one in counters) for what in
            ("acknowledged", "unknown", "refused", "connections")]  # fmt: skip
    print("  acknowledged {}, unknown {}, refused {}, connections {}".format(*told))
    return wrong


def killed(args: argparse.Namespace) -> list[str]:
    """Kill and start the only server."""
    with Redis(*_SAFE) as server, Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy:

        def work() -> None:
            end = time.monotonic() + args.seconds
            while time.monotonic() < end:
                time.sleep(random.uniform(0.2, 1.5))
                server.kill()
                time.sleep(random.uniform(0.0, 1.0))
                server.start()

        return _counted(proxy, work)


def frozen(args: argparse.Namespace) -> list[str]:
    """Freeze the only server for shorter and longer than ``op_timeout``."""
    env = {"AMBASSADOR_UPSTREAM__OP_TIMEOUT": "800ms"}
    words = ["--primary"]
    with Redis(*_SAFE) as server, Ambassador(*words, f"127.0.0.1:{server.port}", env=env) as proxy:

        def work() -> None:
            end = time.monotonic() + args.seconds
            while time.monotonic() < end:
                time.sleep(random.uniform(0.2, 1.0))
                server.freeze()
                time.sleep(random.choice((0.1, 0.4, 1.2, 2.5)))
                server.thaw()

        return _counted(proxy, work)


def promoted(args: argparse.Namespace) -> list[str]:
    """Kill or freeze primaries that Sentinel watches; nobody is disconnected."""
    with ExitStack() as stack:
        servers = [stack.enter_context(Redis(*_QUICK)) for _ in range(3)]
        primary, *others = servers
        replicas_of(primary, *others)
        sentinel = stack.enter_context(Sentinel(primary))
        sentinel.until_knows(2)
        proxy = stack.enter_context(Ambassador(*sentinel.words))
        idle = stack.enter_context(proxy.call())
        idle.do("PING")

        def now() -> Redis:
            until(lambda: proxy.get("/health/ready")[0] == 200, 60)
            label = proxy.get("/topology")[1]["primary"]
            return next(one for one in servers if label == f"127.0.0.1:{one.port}")

        def work() -> None:
            end = time.monotonic() + args.seconds
            while time.monotonic() < end:
                former = now()
                is_killed = random.random() < 0.5
                (former.kill if is_killed else former.freeze)()
                until(lambda former=former: now() is not former, 60)  # type: ignore[misc]
                (former.start if is_killed else former.thaw)()
                time.sleep(2)

        before = proxy.metric("ambassador_failovers_total")
        wrong = _counted(proxy, work, copies=1)
        print(f"  failovers {proxy.metric('ambassador_failovers_total') - before:.0f}")
        return wrong + ([] if idle.do("PING") == b"PONG" else ["an idle client was disconnected"])


def cut(_args: argparse.Namespace) -> list[str]:
    """Cut replies at every byte; nobody gets what is another's."""
    wrong: list[str] = []
    once = [("MULTI",), ("GET", "{}"), ("EXEC",)]
    with (
        Redis() as server,
        Stream(server.port) as stream,
        Ambassador("--primary", f"127.0.0.1:{stream.port}") as proxy,
    ):
        wrong += _cut(proxy, [stream], b"$3\r\nGET", lambda name: [("GET", name)])
        wrong += _cut(proxy, [stream], b"$4\r\nEXEC", lambda name: _named(once, name))
    with RedisCluster() as cluster, ExitStack() as stack:
        streams = [stack.enter_context(Stream(node.port)) for node in cluster.primaries]
        for node, stream in zip(cluster.primaries, streams, strict=True):
            node.ask("CONFIG", "SET", "cluster-announce-port", str(stream.port))
        words = [word for one in streams for word in ("--cluster", f"127.0.0.1:{one.port}")]
        proxy = stack.enter_context(Ambassador(*words, "--mode", "primary"))
        wrong += _cut(proxy, streams, b"$3\r\nGET", lambda name: [("GET", name)])
    return wrong


def _named(commands: list[tuple[str, ...]], name: str) -> list[tuple[str, ...]]:
    return [tuple(word.format(name) for word in words) for words in commands]


def _cut(
    proxy: Ambassador, streams: list[Stream], mark: bytes,
    commands: Callable[[str], list[tuple[str, ...]]],
) -> list[str]:  # fmt: skip
    values = {f"key{number}": f"<{number}>" * 60 for number in range(6)}
    wrong, errors = [], 0
    with ExitStack() as stack:
        callers = {key: stack.enter_context(proxy.call()) for key in values}
        for key, value in values.items():
            assert callers[key].do("SET", key, value) == b"OK"
        for stream in streams:
            stream.marked = mark
        for at in range(1, 201):
            for stream in streams:
                stream.cut_after = at
            for key, caller in callers.items():
                for words in commands(key):
                    caller.send(*words)
            for key, caller in callers.items():
                for _ in commands(key):
                    reply = caller.read()
                    errors += isinstance(reply, Failure)
                    said = str(reply)
                    if any(value in said for other, value in values.items() if other != key):
                        wrong.append(f"cut at {at}: {key} got {said[:40]}")
    cuts = sum(stream.cuts for stream in streams)
    print(f"  {cuts} cuts, {errors} errors")
    return wrong + ([] if cuts >= 150 else ["hardly anything was cut"])


def replicas(args: argparse.Namespace) -> list[str]:
    """Trouble replicas while clients read what they wrote."""
    wrong: list[str] = []
    with ExitStack() as stack:
        primary, one, two = (stack.enter_context(Redis(*_QUICK)) for _ in range(3))
        proxy = stack.enter_context(Ambassador(*replicas_of(primary, one, two)))
        stopping = threading.Event()
        turns = [0]

        def client_of(number: int) -> None:
            with proxy.call(30) as client:
                turn = 0
                while not stopping.is_set():
                    turn += 1
                    client.do("SET", f"k{number}", str(turn))
                    for _ in range(random.choice((1, 3))):
                        seen = client.do("GET", f"k{number}")
                        turns[0] += 1
                        if seen != str(turn).encode():
                            wrong.append(f"{seen!r} in place of {turn}")

        threads = [threading.Thread(target=client_of, args=(n,), daemon=True) for n in range(4)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + args.seconds
        while time.monotonic() < end:
            victim = random.choice((one, two))
            how = random.choice((_hang, _lose, _reload, _detach))
            how(victim, primary)
        stopping.set()
        for thread in threads:
            thread.join(60)
        shares = [proxy.node(server)["commands"]["read"] for server in (primary, one, two)]
        print(f"  {turns[0]} reads, by server {shares}, {len(wrong)} wrong")
    return wrong


def _hang(victim: Redis, _: Redis) -> None:
    victim.freeze()
    time.sleep(random.uniform(0.1, 2.0))
    victim.thaw()


def _lose(victim: Redis, primary: Redis) -> None:
    victim.kill()
    time.sleep(0.3)
    victim.start()
    victim.do("REPLICAOF", "127.0.0.1", str(primary.port))


def _reload(victim: Redis, primary: Redis) -> None:
    primary.do("DEBUG", "CHANGE-REPL-ID")
    victim.do("REPLICAOF", "127.0.0.1", "1")
    victim.do("REPLICAOF", "127.0.0.1", str(primary.port))
    time.sleep(0.5)


def _detach(victim: Redis, primary: Redis) -> None:
    victim.do("REPLICAOF", "127.0.0.1", "1")
    time.sleep(random.uniform(0.1, 1.5))
    victim.do("REPLICAOF", "127.0.0.1", str(primary.port))


def greedy(_args: argparse.Namespace) -> list[str]:
    """Have 60 clients ask for 15 MB each and read nothing."""
    wrong = []
    with Redis() as server, Ambassador("--primary", f"127.0.0.1:{server.port}") as proxy:
        with Caller(server.port) as direct:
            direct.do("SET", "big", b"x" * (15 << 20))
        most = before = proxy.resident()
        with ExitStack() as stack:
            # Who comes when all memory is taken is refused, so this one is here before.
            other = stack.enter_context(proxy.call(60))
            for _ in range(60):
                slow = stack.enter_context(proxy.call())
                slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.send("GET", "big")
            worst = 0.0
            for _ in range(100):
                began = time.monotonic()
                if (reply := other.do("SET", "k", "v")) != b"OK":
                    wrong.append(f"another client is told {reply!r}")
                worst = max(worst, time.monotonic() - began)
                most = max(most, proxy.resident())
                time.sleep(0.02)
        print(f"  {(most - before) >> 20} MiB more, another client waited {worst:.2f} s at most")
        if most - before > 900 << 20:
            wrong.append("more memory than limits allow")
    return wrong


CASES: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    "cut": cut, "killed": killed, "frozen": frozen, "promoted": promoted, "replicas": replicas,
    "greedy": greedy, "requests": requests, "replies": replies,
}  # fmt: skip


def main() -> int:
    """Stage the cases that are asked for; say what must not be."""
    parser = argparse.ArgumentParser(prog="bench.ambassador_faults")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--mutations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    status = 0
    for name in args.cases or CASES:
        random.seed(args.seed)
        print(name)
        wrong = CASES[name](args)
        print(f"  {'; '.join(wrong[:5]) or 'as it should be'}")
        status |= bool(wrong)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
