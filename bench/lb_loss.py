"""Failed requests when endpoints leave, planned and abruptly, and when structure changes.

drain: every endpoint in turn is replaced as a planned stop does it. kill: an endpoint is ended by
``kill -9`` every half second; the catalogue hears of it a little later, as from Docker. reload: new
services come and go, each a reload. nginx closes idle connections of clients at a reload, so it is
loaded with a connection for each request.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from bench.fleet import (
    Balancer,
    Endpoint,
    Kind,
    Outcome,
    Single,
    balancer,
    fleet,
    loaded,
    reloads,
)
from sidecar.catalog.changes import Drop
from sidecar.runtime import log
from templater.telemetry import APPLIES

ENDPOINTS = 5
Run = Callable[[Kind, argparse.Namespace], Awaitable[int]]


def _load(
    bench: Balancer, kind: Kind, options: argparse.Namespace, path: str
) -> AbstractAsyncContextManager[Outcome]:
    return loaded(bench.port, clients=options.clients, path=path, keep_alive=kind == "haproxy")


async def drain(kind: Kind, options: argparse.Namespace) -> int:
    """Drain every endpoint in turn until there were requests enough; return the failures."""
    async with fleet() as ends:
        seats = [Endpoint(n, await ends.open()) for n in range(ENDPOINTS)]
        async with balancer(kind, [one.put() for one in seats]) as bench:
            async with _load(bench, kind, options, "/?80") as outcome:
                until = time.monotonic() + options.seconds
                count = 0
                while count < ENDPOINTS or time.monotonic() < until:
                    old = seats.pop(0)
                    new = Endpoint(ENDPOINTS + count, await ends.open())
                    bench.catalog.commit([new.put()])
                    bench.catalog.commit([old.put(draining=True)])
                    await bench.drained(old)
                    await ends.close(old.port)  # it ends before the catalogue hears of that
                    bench.catalog.commit([Drop("web", old.put().instance.id)])
                    seats.append(new)
                    count += 1
            print(f"  {count} endpoints drained")
    if outcome.total < 5000:
        print("  fewer than 5000 requests: --seconds more")
    return len(outcome.failures)


async def kill(kind: Kind, options: argparse.Namespace) -> int:
    """Kill an endpoint again and again; return the failures."""
    singles = [await Single.start() for _ in range(ENDPOINTS)]
    seats = [Endpoint(n, one.port) for n, one in enumerate(singles)]
    try:
        async with balancer(kind, [one.put() for one in seats]) as bench:
            async with _load(bench, kind, options, "/?20") as outcome:
                count = 0
                for count in range(1, int(options.seconds / 0.5) + 1):
                    await asyncio.sleep(0.5)
                    await singles.pop(0).kill()
                    old = seats.pop(0)
                    await asyncio.sleep(options.notice)
                    bench.catalog.commit([Drop("web", old.put().instance.id)])
                    singles.append(await Single.start())
                    seats.append(Endpoint(ENDPOINTS + count, singles[-1].port))
                    bench.catalog.commit([seats[-1].put()])
            print(f"  {count} endpoints killed")
    finally:
        for one in singles:
            await one.kill()
    return len(outcome.failures)


async def reload(kind: Kind, options: argparse.Namespace) -> int:
    """Make structural changes one after the other; return the failures."""
    async with fleet() as ends:
        seats = [Endpoint(n, await ends.open()) for n in range(ENDPOINTS)]
        async with balancer(kind, [one.put() for one in seats]) as bench:
            before = reloads()
            async with _load(bench, kind, options, "/?10") as outcome:
                for number in range(options.reloads):
                    known = APPLIES.labels("reload").value
                    new = Endpoint(number, seats[0].port, f"new{number}")
                    gone = Endpoint(number - 3, 0, f"new{number - 3}")
                    changes = [Drop(gone.service, gone.put().instance.id)] if number > 2 else []
                    bench.catalog.commit([new.put(), *changes])
                    while APPLIES.labels("reload").value == known:
                        await asyncio.sleep(0.01)
            print(f"  {reloads() - before} reloads")
    return len(outcome.failures)


RUNS: dict[str, Run] = {"drain": drain, "kill": kill, "reload": reload}


async def all_of(options: argparse.Namespace) -> int:
    """Run what is asked for, print what came of it; return the exit status."""
    failed = 0
    for name in options.runs or RUNS:
        for kind in options.proxy:
            print(f"{kind}, {name}: target 0 failed")
            failed += await RUNS[name](kind, options)
    return 1 if failed else 0


def main() -> int:
    """Run all."""
    log.configure("text", "warning")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{' '.join(RUNS)} [all]")
    parser.add_argument("--proxy", nargs="+", default=["haproxy", "nginx"])
    parser.add_argument("--seconds", type=float, default=15, help="of drain and kill")
    parser.add_argument("--reloads", type=int, default=100)
    parser.add_argument("--notice", type=float, default=0.1, help="until a death is known")
    parser.add_argument("--clients", type=int, default=50)
    return asyncio.run(all_of(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
