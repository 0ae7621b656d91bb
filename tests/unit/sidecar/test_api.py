"""The API loads itself when there is something to do for it."""

import asyncio

from sidecar.api import Api
from sidecar.catalog.changes import Put
from sidecar.catalog.model import Check, Status
from sidecar.config.model import RegistrarSettings, Settings
from sidecar.runtime.clock import SystemClock
from sidecar.stores.embedded import EmbeddedStore
from tests.support.catalog import instance


async def test_a_container_that_comes_with_a_check_has_it_run_though_nobody_asked() -> None:
    store = await EmbeddedStore.open("")
    settings = Settings(registrar=RegistrarSettings(node="n1"))
    ready: list[None] = []
    async with asyncio.TaskGroup() as group:
        api = Api(store, settings, SystemClock())
        task = group.create_task(api.run(lambda: ready.append(None)))
        await store.commit([Put(instance(id="plain", node="n1"))])
        check = Check(id="service:c", name="c", type="ttl", definition='{"TTL": "1s"}')
        await store.commit([Put(instance(id="c", node="n1", owner="registrar:e", checks=(check,)))])
        async with asyncio.timeout(10):
            while True:
                (found,) = [i for i in store.catalog.snapshot.services["web"] if i.id == "c"]
                if found.checks[0].status is Status.PASSING:
                    break
                await store.catalog.changed()
        task.cancel()
    assert ready == [None]
    await store.close()
