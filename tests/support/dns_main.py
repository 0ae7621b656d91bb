"""A DnsServer of a fixed catalogue as a process: JSON in, the ports out, ends with its input."""

import asyncio
import json
import sys
from typing import Any

from dnsd.component import DnsServer
from sidecar.catalog.live import Catalog
from sidecar.config.model import DnsSettings
from sidecar.runtime import log
from tests.support.asker import instance


def catalog_of(services: dict[str, list[str]]) -> Catalog:
    catalog = Catalog()
    catalog.commit(
        [
            instance(name, number, address=address.partition(":")[0],
                     port=int(address.partition(":")[2] or 80))
            for name, addresses in services.items()
            for number, address in enumerate(addresses, 1)
        ]
    )  # fmt: skip
    catalog.mark_synced()
    return catalog


async def serve(told: dict[str, Any]) -> None:
    lists: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in told["settings"].items()
    }
    server = DnsServer(catalog_of(told["services"]), DnsSettings(**lists), node_name="node-1")
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.run(ready.set))
        await ready.wait()
        print(*(at.port for at in server.addresses), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        serving.cancel()


if __name__ == "__main__":
    log.configure()
    asyncio.run(serve(json.loads(sys.argv[1])))
