"""What the scheduler asks of a real engine, asked for by several at once."""

import asyncio

import pytest

from deploy.tools.engine import PrivateEngine
from sidecar.engine.operations import Operations

pytestmark = pytest.mark.engine


async def test_many_who_need_a_network_make_one(engine: PrivateEngine) -> None:
    operations = Operations(engine.url)
    try:
        await asyncio.gather(*(operations.make_network("shop_default", {}) for _ in range(8)))
        names = engine.docker("network", "ls", "--format", "{{.Name}}").split()
        assert names.count("shop_default") == 1
    finally:
        await operations.close()
        ids = engine.docker("network", "ls", "-q", "--filter", "name=shop_default").split()
        engine.docker("network", "rm", *ids)
