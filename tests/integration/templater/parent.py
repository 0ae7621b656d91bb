"""A program that runs a load balancer and prints its directory: ``parent.py PORT DIR [KIND]``."""

import asyncio
import sys
from typing import Literal

from sidecar.catalog.live import Catalog
from sidecar.config.model import LbSettings
from templater.component import LoadBalancer
from templater.rundir import private_directory


async def main(port: int, given: str, kind: Literal["haproxy", "nginx"]) -> None:
    settings = LbSettings(kind=kind, listen=f"127.0.0.1:{port}", dir=given)
    lb = LoadBalancer(Catalog(), settings, domains=("consul",))
    await lb.run(lambda: print(given or private_directory(port), flush=True))


if __name__ == "__main__":
    asyncio.run(
        main(int(sys.argv[1]), sys.argv[2], "nginx" if sys.argv[3:] == ["nginx"] else "haproxy")
    )
