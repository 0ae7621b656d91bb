"""An event loop whose time jumps to the next timer when nothing is to be done: no test waits."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["LoopClock", "run_virtually"]

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Skips the time that a loop would wait."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen any more")
        if not ready and timeout is not None and timeout > 0:
            self.skipped += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Selector()
        super().__init__(self._skipping)

    def skip(self, seconds: float) -> None:
        """Let time pass without anything being done."""
        self._skipping.skipped += seconds

    def time(self) -> float:
        """Return virtual seconds from 1000 on; nothing takes any by itself."""
        return 1000.0 + self._skipping.skipped


class LoopClock:
    """A Clock that goes with the loop; ``jump`` sets the wall clock alone."""

    def __init__(self, wall: float = 1_700_000_000.0) -> None:
        self.wall_offset = wall

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return self.monotonic() + self.wall_offset

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def stall(self, seconds: float) -> None:
        """Let the process get no CPU time for so long."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, _Loop)
        loop.skip(seconds)


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run on a loop with virtual time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
