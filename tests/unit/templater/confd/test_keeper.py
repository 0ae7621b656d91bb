"""What a keeper tells of the reloads that it settles."""

import logging
from pathlib import Path
from typing import Any

import pytest

from sidecar.runtime.clock import FakeClock
from templater.confd.keeper import Keeper


class Applier:
    """Places nothing; always owes a reload."""

    class resource:  # noqa: N801 - stands for an instance
        dest = Path("/nowhere")
        debounce = 0.0
        min_reload_interval = 0.0

    async def prepare(self) -> bool:
        return True

    async def forgive(self) -> None:
        return


async def _owing(applier: Any) -> Keeper[Any]:
    keeper: Keeper[Any] = Keeper(applier, lambda: None, FakeClock())
    keeper.stop()
    await keeper.run()
    return keeper


async def test_a_reload_that_goes_on_failing_is_told_once_whoever_of_the_group_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keeper = await _owing(Applier())
    debt = keeper.debt
    assert debt is not None
    with caplog.at_level(logging.INFO):
        await keeper.settle(debt, "reload of a failed: exit 1")
        await keeper.settle(debt, "reload of b failed: exit 1")
    assert keeper.trouble() == "reload of b failed: exit 1"
    assert [r.levelname for r in caplog.records if "tried again" in r.getMessage()] == ["ERROR"]
    await keeper.settle(debt, None)
    assert keeper.trouble() is None
    assert keeper.debt is None
