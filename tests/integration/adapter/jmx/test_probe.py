"""One target's probe without a JVM: what it answers when there is nothing to be had."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapter.jmx.config import settings_of
from adapter.jmx.explaining import explained
from adapter.jmx.settings import Settings
from adapter.jmx.target import Probe
from sidecar.errors import ConfigError
from sidecar.runtime.clock import Clock, SystemClock
from tests.support.ports import free_port


@asynccontextmanager
async def _probe(more: str = "", clock: Clock | None = None) -> AsyncIterator[Probe]:
    text = f"hostPort: 127.0.0.1:{free_port()}\n" if "jmxUrl" not in more else ""
    (target,) = settings_of(text + more, "file", {}).targets
    probe = Probe(target, SystemClock() if clock is None else clock)
    try:
        yield probe
    finally:
        if not probe._is_closed:
            await probe.close()


async def test_a_scrape_within_the_delay_says_so() -> None:
    async with _probe("startDelaySeconds: 600\n") as probe:
        outcome = await probe.scrape()
    assert "startDelaySeconds: " in str(outcome.error)
    assert not outcome.up


async def test_a_target_that_was_taken_off_is_not_asked() -> None:
    async with _probe() as probe:
        await probe.close()
        assert "taken off the list" in str((await probe.scrape()).error)


async def test_a_defect_of_ours_costs_one_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _probe() as probe:

        def broken(_: object) -> None:
            raise ZeroDivisionError("on purpose")

        with monkeypatch.context() as patch:
            patch.setattr(probe._scraper, "scrape", broken)
            assert "unexpected: ZeroDivisionError" in str((await probe.scrape()).error)
        assert "nothing listens there" in str((await probe.scrape()).error)


async def test_a_thread_that_does_not_come_back_does_not_keep_the_scraper_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = threading.Event()
    async with _probe() as probe:
        with monkeypatch.context() as patch:
            patch.setattr(probe._scraper, "scrape", lambda _: held.wait(60))
            outcome = await probe.scrape(0.05)
        held.set()
    assert outcome.timed_out
    assert probe.timeouts == 1


async def test_an_agent_that_is_away_is_told() -> None:
    url = f"http://127.0.0.1:{free_port()}/jolokia"
    async with _probe(f"jmxUrl: {url}\n") as probe:
        outcome = await probe.scrape()
    assert url in str(outcome.error)


@pytest.mark.parametrize("settings", [Settings(), settings_of("hostPort: h:1\n", "file", {})])
def test_what_is_no_target_cannot_be_explained(settings: Settings) -> None:
    with pytest.raises(ConfigError):
        [*explained(settings, "no place", with_rules=True)]
