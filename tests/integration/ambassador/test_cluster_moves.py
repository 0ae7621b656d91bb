"""Slots that move and primaries that end, under load, as a plain client sees it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ambassador.redis.cluster.slots import slot_of
from ambassador.redis.resp import Failure
from tests.support.ambassador import Ambassador, Caller
from tests.support.pace import allowed
from tests.support.pinnace import until
from tests.support.redis_cluster import RedisCluster

pytestmark = pytest.mark.redis


class Worker(threading.Thread):
    """Counts keys up and reads them back, and notes whatever one Redis would not have said."""

    def __init__(self, port: int, name: str, keys: list[str], *, may_fail: bool = False) -> None:
        super().__init__(daemon=True)
        self._port, self._own, self._keys = port, name, keys
        self._may_fail = may_fail
        self.ending = threading.Event()
        self.wrong: list[object] = []
        self.rounds = 0

    def run(self) -> None:
        try:
            with Caller(self._port, timeout=30) as client:
                counts = dict.fromkeys(self._keys, 0)
                while not self.ending.is_set():
                    for key in self._keys:
                        self._round(client, key, counts)
                    self.rounds += 1
        except (OSError, EOFError) as error:
            self.wrong.append(("disconnected", error))

    def _round(self, client: Caller, key: str, counts: dict[str, int]) -> None:
        name = f"{key}:{self._own}"
        client.send("INCR", name)
        client.send("GET", name)
        first, second = client.read(), client.read()
        third = client.do("GET", name)
        if self._may_fail and isinstance(first, Failure):
            seen = client.do("GET", name)
            if not isinstance(seen, Failure):
                counts[key] = int(seen or 0)
            return
        counts[key] += 1
        expected = (counts[key], b"%d" % counts[key], b"%d" % counts[key])
        if (first, second, third) != expected and not self._may_fail:
            self.wrong.append((name, expected, first, second, third))
            counts[key] = first if isinstance(first, int) else counts[key]


@contextmanager
def under_load(
    proxy: Ambassador, keys: list[str], *, may_fail: bool = False
) -> Iterator[list[Worker]]:
    workers = [Worker(proxy.port, str(n), keys, may_fail=may_fail) for n in range(3)]
    for worker in workers:
        worker.start()
    try:
        yield workers
    finally:
        for worker in workers:
            worker.ending.set()
        for worker in workers:
            worker.join(60)
    assert [one for worker in workers for one in worker.wrong] == []
    assert all(worker.rounds > 3 for worker in workers)


def after_some_rounds(workers: list[Worker], count: int) -> Callable[[], bool]:
    """Return what says whether each worker did so much more."""
    wanted = [worker.rounds + count for worker in workers]
    return lambda: all(
        worker.rounds >= number or worker.wrong
        for worker, number in zip(workers, wanted, strict=True)
    )


@pytest.mark.parametrize("mode", ["session", "primary"])
def test_slots_move_under_load_and_nobody_notices(cluster: RedisCluster, mode: str) -> None:
    keys = ["{a}", "{b}", "{c}"]
    env = {"AMBASSADOR_LISTENER__SESSION_YOUNG": "0s"}  # every read asks a replica
    with Ambassador("--cluster", cluster.seed, "--mode", mode, env=env) as proxy:
        with under_load(proxy, keys) as workers:
            for number in range(12):
                until(after_some_rounds(workers, 5), allowed(30), 0.005)
                source = cluster.owner("{a}")
                target = next(one for one in cluster.primaries if one is not source)
                cluster.move(slot_of(b"a"), source, target, keys=1 + number % 2)
        nodes = proxy.get("/topology")[1]["nodes"]
        by_replicas = sum(node["commands"]["read"] for node in nodes if node["readable"])
        assert bool(by_replicas) == (mode == "session")
        with proxy.call() as client:
            assert client.do("FLUSHALL") == b"OK"


@contextmanager
def half_moved(cluster: RedisCluster, tag: str) -> Iterator[tuple[str, str]]:
    """Move one of two keys of a slot, then the rest; give the names of both."""
    slot, source = slot_of(tag.encode()), cluster.owner(tag)
    target = next(one for one in cluster.primaries if one is not source)
    here, there = f"{{{tag}}}here", f"{{{tag}}}there"
    for key in (here, there):
        assert source.ask("SET", key, "v") == b"OK"
    assert source.ask("WAIT", "1", "5000") == 1
    cluster.begin_move(slot, source, target)
    words = ("MIGRATE", "127.0.0.1", str(target.port), there, "0", "5000")
    assert source.ask(*words) == b"OK"
    assert source.ask("WAIT", "1", "5000") == 1
    try:
        yield here, there
    finally:
        cluster.move(slot, source, target)


def test_keys_of_a_slot_on_its_way_are_found_wherever_they_are(cluster: RedisCluster) -> None:
    with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
        replicas = [cluster.replicas_of(one)[0] for one in cluster.primaries]
        proxy.until_reads(*replicas)
        with half_moved(cluster, "moving") as (here, there):
            # A replica of the old owner knows nothing of the key that has left.
            assert client.do("GET", there) == b"v"
            assert client.do("GET", here) == b"v"
            assert client.do("STRLEN", there) == 1
            assert client.do("GET", "{moving}none") is None
            assert client.do("SET", there, "w") == b"OK"
            assert client.do("GET", there) == b"w"
            assert client.do("SET", "{moving}new", "n") == b"OK"
            assert client.do("GET", "{moving}new") == b"n"
            # Both at once nobody can tell now, as Redis says itself.
            assert client.do("MGET", here, there).startswith(b"TRYAGAIN")
            assert client.do("RPUSH", "{moving}list", "a") == 1
            assert client.do("BLPOP", "{moving}list", "1") == [b"{moving}list", b"a"]
            # A transaction cannot be sent on by ASK; nothing of it is executed.
            assert client.do("MULTI") == b"OK"
            assert client.do("INCR", "{moving}number").startswith(b"TRYAGAIN ambassador")
            assert client.do("EXEC").startswith(b"EXECABORT")
            assert client.do("GET", "{moving}number") is None
        assert client.do("MGET", here, there) == [b"v", b"w"]
        assert client.do("GET", "{moving}new") == b"n"


def test_an_upstream_alone_is_opened_where_the_slot_is_now(cluster: RedisCluster) -> None:
    with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
        for number, first in enumerate(("MULTI", "WATCH {moved}k", "BLPOP {moved}list 1")):
            source = cluster.owner("moved")
            target = next(one for one in cluster.primaries if one is not source)
            cluster.move(slot_of(b"moved"), source, target)
            assert target.ask("LPUSH", "{moved}list", "a") == 1
            reply = client.line(first)  # the ambassador may not know yet
            if number == 0:
                assert client.do("PING", "x") == b"QUEUED"
                assert client.do("INCR", "{moved}k") == b"QUEUED"
                assert client.do("EXEC") == [b"x", 1]
            elif number == 1:
                assert reply == b"OK"
                assert client.do("MULTI") == b"OK"
                assert target.ask("INCR", "{moved}k") == 2
                assert client.do("INCR", "{moved}k") == b"QUEUED"
                assert client.do("EXEC") is None
            else:
                assert reply == [b"{moved}list", b"a"]
            target.ask("DEL", "{moved}list")


def test_a_slot_that_leaves_in_a_transaction_ends_it(cluster: RedisCluster) -> None:
    with Ambassador("--cluster", cluster.seed) as proxy, proxy.call() as client:
        source = cluster.owner("leaves")
        target = next(one for one in cluster.primaries if one is not source)
        assert client.do("MULTI") == b"OK"
        assert client.do("SET", "leaves", "1") == b"QUEUED"
        cluster.move(slot_of(b"leaves"), source, target)
        assert client.do("EXEC").startswith(b"EXECABORT Transaction discarded because of: the slot")
        assert client.do("GET", "leaves") is None
        assert client.do("SET", "leaves", "2") == b"OK"


def test_a_primary_ends_and_its_replica_takes_over() -> None:
    with RedisCluster() as cluster, Ambassador("--cluster", cluster.seed) as proxy:
        lost = cluster.owner("{a}")
        [heir] = cluster.replicas_of(lost)
        with under_load(proxy, ["{a}", "{b}", "{c}"], may_fail=True) as workers:
            until(after_some_rounds(workers, 5), allowed(30), 0.005)
            lost.kill()
            until(after_some_rounds(workers, 5), allowed(60), 0.005)
        assert cluster.owner("{a}") is heir
        with proxy.call() as client:
            assert client.do("SET", "{a}k", "v") == b"OK"
            assert client.do("GET", "{a}k") == b"v"
            lost.start()  # as a replica now
            until(lambda: proxy.node(lost).get("readable") is True, 30, 0.05)
            assert client.do("GET", "{a}k") == b"v"


def test_without_a_primary_a_slot_is_waited_for_and_others_are_served() -> None:
    env = {"AMBASSADOR_UPSTREAM__FAILOVER_QUEUE": "1s"}
    with RedisCluster(replicas=0) as cluster:
        for node in cluster.nodes:
            node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        with Ambassador("--cluster", cluster.seed, env=env) as proxy, proxy.call() as client:
            lost = cluster.owner("{a}")
            kept = next(key for key in ("{b}", "{c}", "{d}") if cluster.owner(key) is not lost)
            assert client.do("SET", "{a}k", "v") == b"OK"
            lost.kill()
            until(lambda: proxy.get("/health/ready")[0] == 503, 20, 0.02)
            assert client.do("SET", f"{kept}k", "v") == b"OK"
            assert client.do("INCR", "{a}n").startswith(b"CLUSTERDOWN")
            assert client.do("DBSIZE").startswith(b"CLUSTERDOWN")
            assert client.do("GET", f"{kept}k") == b"v"
            lost.start()
            until(lambda: proxy.get("/health/ready")[0] == 200, 30, 0.05)
            until(lambda: not isinstance(client.do("SET", "{a}k", "w"), Failure), 30, 0.05)
            assert client.do("INCR", "{a}n") == 1  # what was refused was not executed
