"""Shared watches: what their listeners hear, outages, and values that are not believed at once."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

import pytest

from sidecar.errors import StoreUnavailable
from sidecar.runtime.clock import FakeClock
from templater.backends.base import Values
from templater.confd.feeds import Feeds


class Source:
    """A backend that a test plays."""

    address = "source"

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.is_away = False
        self.reads = 0
        self.watches = 0
        self._changed = asyncio.Event()

    def put(self, values: dict[str, str]) -> None:
        self.values = values
        self._changed.set()

    def fail(self) -> None:
        self.is_away = True
        self._changed.set()

    async def read(self, keys: Sequence[str]) -> Values:
        self.reads += 1
        self._check()
        return {key: text for key, text in self.values.items() if key.startswith(tuple(keys))}

    async def watch(self, key: str) -> AsyncGenerator[Values]:
        self.watches += 1
        while True:
            self._changed.clear()
            yield await self.read([key])
            await self._changed.wait()

    async def close(self) -> None:
        pass

    def _check(self) -> None:
        if self.is_away:
            raise StoreUnavailable("away")


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_ten_minutes_away_leave_the_values_and_are_two_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, source, heard = FakeClock(), Source(), list[frozenset[str]]()
    source.put({"/a": "1", "/b": "1"})
    feeds = Feeds(source, clock)
    with caplog.at_level(logging.INFO):
        async with asyncio.TaskGroup() as group:
            feeds.listen(["/a", "/b"], heard.append, group)
            await _settle()
            source.fail()
            for _ in range(600):
                await clock.advance(1)
                await _settle()
            assert feeds.values_of(["/a", "/b"]) == {"/a": "1", "/b": "1"}
            assert feeds.trouble() == "backend source: away"
            assert source.reads < 2 * 600, "it is not asked without a pause"
            source.is_away = False
            source.put({"/a": "2", "/b": "1"})
            await clock.advance(3)
            await _settle()
            assert feeds.values_of(["/a", "/b"]) == {"/a": "2", "/b": "1"}
            assert feeds.trouble() is None
            feeds.close()
    assert heard == [frozenset({"/a"}), frozenset({"/b"}), frozenset({"/a"})]
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2, lines
    assert "files stay as they are" in lines[0]
    assert "is read again" in lines[1]


async def test_a_key_is_watched_once_and_no_more_when_nobody_listens() -> None:
    clock, source = FakeClock(), Source()
    source.put({"/a": "1"})
    feeds = Feeds(source, clock)
    one, two = list[frozenset[str]](), list[frozenset[str]]()
    async with asyncio.TaskGroup() as group:
        feeds.listen(["/a"], one.append, group)
        feeds.listen(["/a"], two.append, group)
        await _settle()
        assert source.watches == 1
        feeds.leave(["/a"], one.append)
        source.put({"/a": "2"})
        await _settle()
        assert len(two) == 2
        feeds.leave(["/a", "/never"], two.append)
        await _settle()
        feeds.listen(["/a"], two.append, group)
        await _settle()
        assert source.watches == 2
        feeds.close()


async def test_most_keys_gone_must_be_seen_twice() -> None:
    clock, source, heard = FakeClock(), Source(), list[frozenset[str]]()
    full = {f"/a/{n}": "x" for n in range(6)}
    source.put(full)
    feeds = Feeds(source, clock)
    async with asyncio.TaskGroup() as group:
        feeds.listen(["/a"], heard.append, group)
        await _settle()
        source.put({})
        await _settle()
        source.put(full)
        await clock.advance(2)
        await _settle()
        assert feeds.values_of(["/a"]) == full
        source.put({})
        await _settle()
        assert feeds.values_of(["/a"]) == full
        await clock.advance(2)
        await _settle()
        assert feeds.values_of(["/a"]) == {}
        feeds.close()
    assert len(heard) == 2


async def test_a_polled_backend_is_read_at_its_interval() -> None:
    clock, source, heard = FakeClock(), Source(), list[frozenset[str]]()
    source.put({"/a": "1"})
    feeds = Feeds(source, clock, poll=60)
    async with asyncio.TaskGroup() as group:
        feeds.listen(["/a"], heard.append, group)
        await _settle()
        source.put({"/a": "2"})
        await clock.advance(59)
        await _settle()
        assert feeds.values_of(["/a"]) == {"/a": "1"}
        await clock.advance(2)
        await _settle()
        assert feeds.values_of(["/a"]) == {"/a": "2"}
        feeds.close()
    assert source.watches == 0
