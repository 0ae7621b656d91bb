"""A registrar in small as a process of its own, for tests that freeze and kill it.

``python -m tests.integration.stores.zookeeper.keeper URL SESSION PORT...`` keeps an entry for each
port, with a session of so many seconds, and says "kept" when they are written.
"""

import asyncio
import sys

from sidecar.stores.base import EdgeOptions
from sidecar.stores.zookeeper.client import Client
from sidecar.stores.zookeeper.edge import ZooKeeperEdge
from sidecar.stores.zookeeper.location import location
from tests.integration.stores.conformance.kit import Keeper, entry


async def _keep(url: str, session: float, ports: list[int]) -> None:
    client = Client(location(url), session=session)
    keeper = Keeper(ZooKeeperEdge(client, EdgeOptions()))
    async with keeper.at_work():
        keeper.want(*(entry(port=port) for port in ports))
        await keeper.settled()
        print("kept", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_keep(sys.argv[1], float(sys.argv[2]), [int(text) for text in sys.argv[3:]]))
