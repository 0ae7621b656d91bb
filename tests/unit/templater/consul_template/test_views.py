"""Watches on a source that a test drives: sharing, order, failures, second looks."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sidecar.errors import StoreUnavailable
from sidecar.gotemplate.values import Slice
from sidecar.runtime.clock import FakeClock
from templater.consul_template import queries
from templater.consul_template.data import UNKNOWN
from templater.consul_template.queries import Query
from templater.consul_template.records import strings
from templater.consul_template.sources import Fetched
from templater.consul_template.views import Retry, Views

A = queries.key("a")
BLOCKING = queries.key("a", blocks=True)
LIST = queries.keys("a")


class _Source:
    """Answers in the order given; when there is nothing left it waits for ever."""

    def __init__(self, *answers: bytes | Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []

    async def fetch(self, _query: Query, index: int) -> Fetched:
        self.asked.append(index)
        if not self.answers:
            await asyncio.get_running_loop().create_future()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Fetched(answer, index + 1)

    def read(self, query: Query, body: bytes | None) -> object:
        if body is None:
            return None
        return strings(body.decode().split()) if query == LIST else body.decode()


class _Site:
    """Views on one source, and what they delivered."""

    def __init__(
        self,
        source: _Source,
        *,
        is_once: bool = False,
        attempts: int = 0,
        needs_all: bool = False,
    ) -> None:
        self.clock = FakeClock()
        self.values: list[object] = []
        self.source = source
        self.views = Views(
            lambda _: source,
            lambda _, value: self.values.append(value),
            self.clock,
            retry_of=lambda _: Retry(0.25, 4.0, attempts),
            is_once=is_once,
            needs_all=needs_all,
        )

    async def run(self, use: Callable[["_Site", asyncio.TaskGroup], Awaitable[None]]) -> None:
        async with asyncio.TaskGroup() as group:
            await use(self, group)
            self.views.close()


async def test_the_first_value_comes_at_once_and_a_burst_as_one() -> None:
    async def use(site: _Site, group: asyncio.TaskGroup) -> None:
        site.views.watch([A], group)
        await site.clock.advance(0)
        assert site.values == ["1"]
        await site.clock.advance(0.09)
        assert site.values == ["1"]
        await site.clock.advance(0.02)
        assert site.values == ["1", "2"]

    await _Site(_Source(b"1", b"2")).run(use)


async def test_equal_answers_are_no_news_and_an_agent_that_does_not_wait_is_not_hammered() -> None:
    async def use(site: _Site, group: asyncio.TaskGroup) -> None:
        site.views.watch([A], group)
        await site.clock.advance(0.55)
        assert site.values == ["1", "2"]
        assert len(site.source.asked) <= 7

    await _Site(_Source(b"1", b"1", b"1", b"2")).run(use)


async def test_a_query_is_watched_once_and_no_longer_than_it_is_used() -> None:
    async def use(site: _Site, group: asyncio.TaskGroup) -> None:
        assert site.views.watch([A], group) == frozenset()
        assert site.views.watch([A, A], group) == frozenset()
        await site.clock.advance(1)
        assert len(site.source.asked) == 1
        assert site.views.watch([], group) == {A}
        await site.clock.advance(1)
        assert len(site.source.asked) == 1

    await _Site(_Source()).run(use)


async def test_an_absent_key_is_no_value_to_who_waits_for_it() -> None:
    async def use(site: _Site, group: asyncio.TaskGroup) -> None:
        site.views.watch([BLOCKING], group)
        await site.clock.advance(1)
        assert site.values == ["1"]

    await _Site(_Source(None, b"1", None)).run(use)
    other = _Site(_Source(None))

    async def not_waiting(site: _Site, group: asyncio.TaskGroup) -> None:
        site.views.watch([A], group)
        await site.clock.advance(1)
        assert site.values == [None]

    await other.run(not_waiting)


async def test_a_source_that_is_away_is_asked_for_ever_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def use(site: _Site, group: asyncio.TaskGroup) -> None:
        site.views.watch([A], group)
        await site.clock.advance(0.1)
        assert site.values == ["1"]
        await site.clock.advance(1)
        assert site.views.trouble() == "gone"
        await site.clock.advance(60)
        assert site.values == ["1", "2"]
        assert site.views.trouble() is None

    away = [StoreUnavailable("gone")] * 8
    with caplog.at_level("INFO", "pinnace"):
        await _Site(_Source(b"1", *away, b"2")).run(use)
    assert [record.message for record in caplog.records] == [
        "data cannot be read; files stay as they are",
        "data is read again",
    ]


async def test_a_single_run_takes_one_value_and_gives_up_in_the_end() -> None:
    async def one(site: _Site, group: asyncio.TaskGroup) -> None:
        site.views.watch([A], group)
        await site.clock.advance(5)
        assert site.values == ["1"]

    await _Site(_Source(b"1", b"2"), is_once=True).run(one)

    async def none(site: _Site, group: asyncio.TaskGroup) -> None:
        site.views.watch([A], group)
        await site.clock.advance(60)
        assert site.values == [UNKNOWN]
        assert site.views.given_up == "gone"

    gone = _Source(*[StoreUnavailable("gone")] * 9)
    await _Site(gone, is_once=True, attempts=3).run(none)
    assert len(gone.asked) == 3


async def test_a_list_that_lost_most_is_looked_at_again_before_it_is_believed() -> None:
    async def use(site: _Site, group: asyncio.TaskGroup) -> None:
        site.views.watch([LIST], group)
        await site.clock.advance(0.5)
        assert site.values == [Slice(["a", "b", "c", "d", "e"])]
        await site.clock.advance(1)
        assert [len(value) for value in site.values] == [5, 4]  # type: ignore[arg-type]
        assert site.source.asked[2] == 0

    await _Site(_Source(b"a b c d e", b"a", b"a b c d")).run(use)


async def test_many_watches_are_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async def use(site: _Site, group: asyncio.TaskGroup) -> None:
        many = [queries.key(f"k{number}") for number in range(129)]
        site.views.watch(many, group)
        site.views.watch(many, group)

    with caplog.at_level("WARNING", "pinnace"):
        await _Site(_Source()).run(use)
    assert len(caplog.records) == 1


async def test_an_absent_key_is_given_up_when_all_are_needed() -> None:
    async def use(site: _Site, group: asyncio.TaskGroup) -> None:
        site.views.watch([BLOCKING], group)
        await site.clock.advance(0)
        assert site.views.given_up == f"{BLOCKING} does not exist"
        assert site.values == [UNKNOWN]

    await _Site(_Source(None), needs_all=True).run(use)


async def test_a_key_that_goes_later_is_not_given_up() -> None:
    async def use(site: _Site, group: asyncio.TaskGroup) -> None:
        site.views.watch([BLOCKING], group)
        await site.clock.advance(0)
        await site.clock.advance(1)
        assert site.values == ["1"]
        assert site.views.given_up is None

    await _Site(_Source(b"1", None), needs_all=True).run(use)
