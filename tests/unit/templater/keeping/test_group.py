"""Resources that share one reload."""

import asyncio

from sidecar.errors import ReloadFailed
from templater.keeping.group import Groups, ReloadGroup


class Member:
    """Owes what it is told to."""

    def __init__(self, group: ReloadGroup, debt: int | None) -> None:
        self.debt = debt
        self.is_busy = False
        self.runs = 0
        self.fails = False
        self.settled: list[str | None] = []
        self.during: Member | None = None
        group.join(self)

    async def run_reload(self) -> None:
        self.runs += 1
        if self.during is not None and self.during.debt is not None:
            self.during.debt += 1
        if self.fails:
            raise ReloadFailed("no")

    async def settle(self, debt: int, failure: str | None) -> None:
        if self.debt == debt:
            self.settled.append(failure)
            self.debt = None if failure is None else self.debt


async def test_one_reload_settles_what_all_owe() -> None:
    group = ReloadGroup()
    first, second, third = Member(group, 1), Member(group, 7), Member(group, None)
    await asyncio.gather(group.reload(first), group.reload(second))
    assert [first.runs, second.runs] == [1, 0]
    assert [first.settled, second.settled, third.settled] == [[None], [None], []]


async def test_a_failure_is_everybodys() -> None:
    group = ReloadGroup()
    first, second = Member(group, 1), Member(group, 1)
    first.fails = True
    await group.reload(first)
    assert [first.settled, second.settled] == [["no"], ["no"]]


async def test_what_is_placed_while_it_runs_is_owed_still() -> None:
    group = ReloadGroup()
    first, second = Member(group, 1), Member(group, 1)
    first.during = second
    await group.reload(first)
    assert second.debt == 2
    assert second.settled == []


async def test_it_waits_for_members_that_are_about_to_be_rendered() -> None:
    group = ReloadGroup()
    first, second = Member(group, 1), Member(group, None)
    second.is_busy = True
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(group.reload(first))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not running.done()
        second.is_busy, second.debt = False, 3
        group.rendered()
    assert first.runs == 1
    assert second.settled == [None]


async def test_it_does_not_wait_for_ever() -> None:
    group = ReloadGroup(patience=0.01)
    first, second = Member(group, 1), Member(group, None)
    second.is_busy = True
    await group.reload(first)
    assert first.runs == 1
    group.leave(second)


def test_a_resource_without_a_group_is_its_own() -> None:
    groups = Groups()
    assert groups.of("a") is groups.of("a")
    assert groups.of("a") is not groups.of("b")
    assert groups.of("") is not groups.of("")
