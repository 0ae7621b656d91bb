"""A process that keeps entries in a store until somebody ends it: ``holder.py URL TTL PORT...``."""

import asyncio
import sys

from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import EdgeOptions
from sidecar.stores.etcd.opening import open_edge
from tests.integration.stores.conformance.kit import entry, running, wanted


async def hold(url: str, ttl: float, ports: list[int]) -> None:
    """Write once, say so, and keep what was written alive."""
    edge = open_edge(url, EdgeOptions(ttl=ttl), clock=SystemClock(), environ={})
    async with running(edge):
        assert await edge.write(wanted(*(entry(port=port) for port in ports))) == {}
        sys.stdout.write("written\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], float(sys.argv[2]), [int(port) for port in sys.argv[3:]]))
