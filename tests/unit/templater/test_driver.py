"""When changes that failed are tried again, of a program that takes none for a while."""

import asyncio

from sidecar.errors import ReloadFailed
from sidecar.runtime.clock import FakeClock
from templater.driver import ProxyDriver
from templater.routes import Routes


class _Life:
    """A program that needs nothing."""

    async def stop(self, drain: float) -> None:
        """Be gone."""

    async def kill(self) -> None:
        """Be gone."""


class _Driver(ProxyDriver[_Life]):
    """Refuses changes while its disk is full."""

    name = "program"
    audit = 3600.0

    def __init__(self) -> None:
        super().__init__(drain=0.0, clock=FakeClock(), report=lambda _: None)
        self.is_full = True
        self.tries: asyncio.Queue[bool] = asyncio.Queue()

    async def _prepare(self) -> None:
        pass

    def _made(self) -> _Life:
        return _Life()

    async def _begin(self, life: _Life, group: asyncio.TaskGroup) -> str:
        return "started"

    async def _compare(self, life: _Life) -> None:
        pass

    async def _apply(self, life: _Life) -> None:
        self._wake.clear()
        self.tries.put_nowait(not self.is_full)
        if self.is_full:
            raise ReloadFailed("No space left on device")

    def _endpoints(self) -> int:
        return 0


async def test_many_changes_that_failed_do_not_put_off_the_next_try() -> None:
    driver, serving = _Driver(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(serving.set))
        await serving.wait()
        for _ in range(12):
            driver.want(Routes())
            assert not await driver.tries.get()
        assert driver.trouble() == "a change is owed: No space left on device"
        driver.is_full = False
        async with asyncio.timeout(10.0):  # pauses that had grown each time would be 15 s and more
            while not await driver.tries.get():
                pass
        assert driver.trouble() is None
        task.cancel()
