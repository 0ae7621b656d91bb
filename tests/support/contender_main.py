"""A process that takes part in an election and says every few milliseconds that it leads."""

import asyncio
import json
import sys

from sidecar.runtime.clock import LeaseClock
from sidecar.runtime.log import configure
from sidecar.scheduler.election.opening import open_election

_PAUSE = 0.01


async def _main(url: str, name: str, ttl: float) -> None:
    clock = LeaseClock()
    election = open_election(url, name, ttl=ttl, clock=clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(election.run())
        while True:
            if (epoch := election.epoch) is not None:
                print(json.dumps([clock.monotonic(), epoch]), flush=True)
            await asyncio.sleep(_PAUSE)


if __name__ == "__main__":
    configure("json", "info")
    asyncio.run(_main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
