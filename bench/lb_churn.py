"""Failed requests while 5 of 10 endpoints are replaced again and again: HAProxy and nginx in turn.

Each replacement is the one of a planned stop: the new endpoint is there, the old one drains, and it
ends when the load balancer says that nothing is in flight. nginx takes changes by reloads, which
close idle connections of clients; so it is also loaded with a connection for each request, and its
loss with kept connections stands beside that of plain HUPs at the same pace with nothing changed.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench.fleet import Balancer, Endpoint, Fleet, Kind, balancer, fleet, loaded, reloads
from sidecar.catalog.changes import Drop
from sidecar.catalog.live import Catalog
from sidecar.runtime import log
from templater.child import find_program
from templater.names import Address, Port, SocketAddress
from templater.nginx.directory import CONFIG, SOCKET, NginxDirectory
from templater.nginx.place import place_of
from templater.nginx.process import Nginx, asked_build
from templater.nginx.render import Renderer
from templater.routes import routes_of
from tests.support.ports import free_port

ENDPOINTS, REPLACED = 10, 5


async def _replace(bench: Balancer, ends: Fleet, old: Endpoint, number: int) -> Endpoint:
    """Replace an endpoint as a planned stop does; return the new one."""
    new = Endpoint(number, await ends.open())
    bench.catalog.commit([new.put(), old.put(draining=True)])
    await bench.drained(old)
    bench.catalog.commit([Drop("web", old.put().instance.id)])
    await ends.close(old.port)
    return new


async def _churn(bench: Balancer, ends: Fleet, seats: list[Endpoint], every: float) -> None:
    """Replace the endpoints in the first seats in turn, for ever."""

    async def seat(index: int) -> None:
        number = ENDPOINTS + index
        await asyncio.sleep(every * (index + 1))
        while True:
            begun = time.monotonic()
            seats[index] = await _replace(bench, ends, seats[index], number)
            counts[index] += 1
            number += REPLACED
            await asyncio.sleep(max(0.0, begun + every * REPLACED - time.monotonic()))

    counts = [0] * REPLACED
    try:
        async with asyncio.TaskGroup() as group:
            for index in range(REPLACED):
                group.create_task(seat(index))
    finally:
        print(f"  {sum(counts)} endpoints replaced")


async def churned(kind: Kind, options: argparse.Namespace, *, keep_alive: bool) -> tuple[int, int]:
    """Return failures and reloads of one load balancer."""
    async with fleet() as ends:
        seats = [Endpoint(n, await ends.open()) for n in range(ENDPOINTS)]
        async with balancer(kind, [one.put() for one in seats]) as bench:
            before = reloads()
            async with (
                loaded(
                    bench.port, clients=options.clients, path=options.path, keep_alive=keep_alive
                ) as outcome,
                asyncio.TaskGroup() as group,
            ):
                churn = group.create_task(_churn(bench, ends, seats, options.every))
                await asyncio.sleep(options.seconds)
                churn.cancel()
            count = reloads() - before
    print(f"  {count} reloads")
    return len(outcome.failures), count


async def plain(options: argparse.Namespace) -> tuple[int, int]:
    """Return failures and reloads of an nginx that gets a HUP each second and nothing new."""
    host = Address("127.0.0.1")
    port = Port(free_port())
    program = find_program("", "nginx")
    with tempfile.TemporaryDirectory(prefix="pnc-") as folder:
        directory = NginxDirectory(Path(folder) / "lb")
        directory.open()
        async with fleet() as ends, asyncio.TaskGroup() as group:
            catalog = Catalog()
            catalog.commit([Endpoint(n, await ends.open()).put() for n in range(ENDPOINTS)])
            place = place_of(
                await asked_build(program), SocketAddress(host, port), host, directory.path / SOCKET
            )
            config = Renderer(place).config(routes_of(catalog.snapshot, ("consul",)))
            directory.replace(CONFIG, config.text, sync=False)
            nginx = Nginx(program, directory)
            await nginx.start()
            listening = group.create_task(nginx.listen())
            await nginx.serving(config.digest)
            pid = int((directory.path / "nginx.pid").read_text())
            async with loaded(
                port, clients=options.clients, path=options.path, keep_alive=True
            ) as outcome:
                for _ in range(int(options.seconds)):
                    await asyncio.sleep(1.0)
                    os.kill(pid, signal.SIGHUP)
            await nginx.stop(2.0)
            listening.cancel()
        directory.close()
    return len(outcome.failures), int(options.seconds)


async def compared(options: argparse.Namespace) -> int:
    """Run all; return the exit status."""
    print("HAProxy, kept connections: target 0 failed")
    haproxy, _ = await churned("haproxy", options, keep_alive=True)
    print("nginx, a connection for each request: target 0 failed")
    nginx, _ = await churned("nginx", options, keep_alive=False)
    print("nginx, kept connections: not more per reload than plain HUPs")
    kept, count = await churned("nginx", options, keep_alive=True)
    print("nginx, kept connections, plain HUPs of an unchanged file")
    lost, hups = await plain(options)
    ours, theirs = kept / max(count, 1), lost / max(hups, 1)
    print(f"lost per reload: {ours:.2f}, by plain HUP {theirs:.2f}")
    return 1 if haproxy or nginx else 0


def main() -> int:
    """Run all."""
    log.configure("text", "warning")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="of each of four runs")
    parser.add_argument("--every", type=float, default=0.2, help="seconds between replacements")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--path", default="/?10", help="/?80 answers after 80 ms")
    return asyncio.run(compared(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
