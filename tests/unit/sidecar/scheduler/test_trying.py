"""A canary in a cluster of numbers: the real plan."""

from dataclasses import replace

from sidecar.catalog.matching import Lot
from sidecar.scheduler.actions import Alarm, Weigh
from sidecar.scheduler.canary import (
    CanaryPolicy,
    Kept,
    Phase,
    Sides,
    Tally,
    Trial,
    is_canary,
    kept_of,
)
from sidecar.scheduler.cluster import Cluster, Copy, Goal, OnFailure, Order, Stage, Update
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import NANO, NodeView, Request, Resources
from sidecar.scheduler.simulation import Latency, Simulation

POLICY = CanaryPolicy(steps=(10, 50), hold=20.0, min_requests=10, deadline=100.0)


class World(Simulation):
    """Numbers with a load balancer that shares requests out exactly."""

    def __init__(self, *goals: Goal) -> None:
        nodes = [NodeView(name=f"n{i}", capacity=Resources(8 * NANO, 2**33)) for i in range(4)]
        super().__init__(nodes, goals, latency=Latency(0.5, 0.5, 0.5, 0.5))
        self.seen = Sides()
        self.ratio = 0.0
        self.shares: list[float] = []

    def cluster(self) -> Cluster:
        return replace(super().cluster(), sides={"web": self.seen})

    def alive(self, spec: str = "") -> list[Copy]:
        found = self.copies.get("web", ())
        running = [copy for copy in found if copy.stage is Stage.RUNNING]
        return [copy for copy in running if not spec or copy.spec == spec]

    def canaries(self) -> list[Copy]:
        return [copy for copy in self.alive() if is_canary(copy.slot) and not copy.is_draining]

    def turn(self, seconds: float) -> None:
        super().turn(seconds)
        shares = [copy.share.percent for copy in self.canaries() if copy.share]
        share = max(shares, default=0.0)
        if not self.shares or self.shares[-1] != share:
            self.shares.append(share)
        canary = self.seen.canary
        more = round(100 * seconds * share / 100)
        tally = Tally(canary.requests + more, canary.errors + round(more * self.ratio))
        stable = Tally(self.seen.stable.requests + 100 - more)
        self.seen = Sides(canary=tally, stable=stable)


def goal(spec: str, previous: Goal | None = None, **more: object) -> Goal:
    slots = {str(n): Request(service="web", slot=str(n)) for n in range(1, 5)}
    update = Update(order=Order.START_FIRST, monitor=2.0)
    fields = {"update": update, "canary": POLICY, "previous": previous} | more
    return Goal(service="web", spec=spec, slots=slots, **fields)  # type: ignore[arg-type]


def running(**more: object) -> World:
    """Return a world with four copies of spec a, and spec b just deployed."""
    world = World(goal("a"))
    world.until_quiet()
    world.goals = [goal("b", goal("a"), **more)]
    return world


def test_the_first_deploy_needs_no_canary() -> None:
    world = World(goal("a"))
    world.until_quiet()
    assert sorted(copy.slot for copy in world.alive()) == ["1", "2", "3", "4"]
    assert world.memory.trials == {}


def test_a_good_spec_goes_through_its_steps_and_replaces_the_old_one() -> None:
    world = running()
    world.run(10.0)
    assert len(world.alive("a")) == 4
    assert [copy.slot for copy in world.alive("b")] == ["canary-1"]
    world.run(30.0)
    assert [copy.slot for copy in world.canaries()] == ["canary-1", "canary-2"]
    world.until_quiet()
    assert world.shares == [0.0, 10.0, 50.0, 0.0]
    assert {copy.slot for copy in world.alive("b")} == {"1", "2", "3", "4"}
    assert (world.alive("a"), world.memory.trials) == ([], {})


def test_canaries_keep_their_share_until_the_rest_is_rolled_out() -> None:
    world = running()
    shares: set[float | None] = set()
    while "web" in world.memory.trials or not shares:
        world.run(0.5)
        trial = world.memory.trials.get("web")
        if trial is not None and trial.phase is Phase.PROMOTED:
            shares |= {each.share and each.share.percent for each in world.canaries()}
            assert len(world.canaries()) == 2
            world.memory = replace(world.memory, trials={})  # as another process begins
            world.goals = [goal("b", goal("a"), trial=kept_of(trial, world.now, world.now))]
    assert shares == {50.0}


def test_a_bad_spec_gets_no_more_work_and_goes_while_the_old_one_stays() -> None:
    world = running()
    world.ratio = 0.5
    before = {copy.name for copy in world.alive("a")}
    world.until_quiet()
    assert {copy.name for copy in world.alive()} == before
    assert world.shares == [0.0, 10.0, 0.0]
    assert world.memory.trials["web"].phase is Phase.ABORTED
    assert ("web", "b") in world.memory.paused
    world.crash(world.alive()[0].name)
    world.until_quiet()
    assert {copy.spec for copy in world.alive()} == {"a"}
    # Another scheduler, which knows only what was kept of it.
    world.memory = Memory()
    world.goals = [goal("b", goal("a"), is_stopped=True)]
    world.until_quiet()
    assert {copy.spec for copy in world.alive()} == {"a"}
    # A person has it go on.
    world.ratio = 0.0
    world.goals = [goal("b", goal("a"), attempt=1)]
    world.until_quiet()
    assert {copy.spec for copy in world.alive()} == {"b"}


def test_where_failures_are_taken_back_the_canary_is_too() -> None:
    world = running(update=Update(on_failure=OnFailure.ROLLBACK, order=Order.START_FIRST))
    world.ratio = 0.5
    world.until_quiet()
    assert {copy.spec for copy in world.alive()} == {"a"}
    assert len(world.alive()) == 4


def test_a_canary_that_crashes_ends_the_trial() -> None:
    world = running()
    world.run(10.0)
    world.crash("web_canary-1_1")
    world.until_quiet()
    assert {copy.spec for copy in world.alive()} == {"a"}
    assert world.memory.trials["web"].why == "a canary failed"


def test_a_canary_that_gets_too_little_waits_for_a_person_and_says_so() -> None:
    world = running(canary=replace(POLICY, min_requests=10**6))
    world.run(120.0)
    assert world.memory.trials["web"].phase is Phase.WAITING
    assert isinstance(world.plans[-1].actions[-1], Alarm)
    assert (len(world.alive("a")), len(world.canaries())) == (4, 1)


def test_a_person_promotes_at_once() -> None:
    world = running()
    world.run(10.0)
    world.goals = [goal("b", goal("a"), promoted="b")]
    world.until_quiet()
    assert len(world.alive("b")) == 4
    assert 50.0 not in world.shares


def test_a_person_holds_a_step() -> None:
    world = running()
    world.run(10.0)
    world.goals = [goal("b", goal("a"), is_paused=True)]
    world.run(300.0)
    assert world.shares == [0.0, 10.0]
    assert len(world.alive("a")) == 4


def test_a_stable_copy_that_fails_meanwhile_is_healed_by_the_old_spec() -> None:
    world = running()
    world.run(10.0)
    world.crash("web_2_1")
    world.run(10.0)
    assert {copy.spec for copy in world.alive() if copy.slot == "2"} == {"a"}


def test_without_knowing_the_old_spec_its_copies_are_left_alone() -> None:
    world = running()
    world.goals = [goal("b")]
    world.run(10.0)
    assert (len(world.alive("a")), len(world.canaries())) == (4, 1)
    world.until_quiet()
    assert len(world.alive("b")) == 4


def test_a_newer_spec_begins_a_trial_of_its_own() -> None:
    world = running()
    world.run(10.0)
    world.goals = [goal("c", goal("a"))]
    world.run(10.0)
    assert world.memory.trials["web"].spec == "c"
    assert {copy.spec for copy in world.canaries()} == {"c"}
    world.until_quiet()
    assert {copy.spec for copy in world.alive()} == {"c"}


def test_a_spec_on_trial_is_not_rolled_out_because_a_newer_one_comes() -> None:
    world = running()
    world.run(10.0)
    world.goals = [goal("c", goal("b"))]
    world.run(10.0)
    assert {copy.spec for copy in world.canaries()} == {"c"}
    assert [copy.spec for copy in world.alive() if not is_canary(copy.slot)] == ["a"] * 4


def test_a_promotion_that_was_under_way_goes_on_without_memory() -> None:
    world = running()
    world.run(40.0)
    while not any(not is_canary(copy.slot) for copy in world.alive("b")):
        world.run(1.0)
    world.memory = Memory()
    world.run(1.0)
    assert world.memory.trials["web"].phase is Phase.PROMOTED
    world.until_quiet()
    assert len(world.alive("b")) == 4


def test_going_back_by_hand_needs_no_canary() -> None:
    world = running()
    world.run(10.0)
    world.goals = [goal("a", is_rollback=True)]
    world.until_quiet()
    assert {copy.spec for copy in world.alive()} == {"a"}
    assert world.memory.trials == {}
    weighed = [a for plan in world.plans for a in plan.actions if isinstance(a, Weigh)]
    assert {action.key for action in weighed} == {"weigh/web/canary-1/1/10"}


def test_requests_that_match_are_for_canaries_from_their_start_until_they_are_aborted() -> None:
    policy = replace(POLICY, match="header:X-Canary=1")
    world = running(canary=policy)
    lots: list[Lot] = []

    def turn(seconds: float) -> None:
        World.turn(world, seconds)
        found = [copy.share for copy in world.canaries() if copy.share is not None]
        lots.extend(lot for lot in found if lot not in lots)

    world.turn = turn  # type: ignore[method-assign]
    world.run(10.0)
    assert lots[0] == Lot(0.0, "header:X-Canary=1") or lots[0] == Lot(10.0, "header:X-Canary=1")
    world.ratio = 1.0
    world.run(5.0)
    assert lots[-1].match == "header:X-Canary=1"
    assert world.memory.trials["web"].phase is Phase.ABORTED
    assert Trial("b", phase=Phase.ABORTED).lot(policy) == Lot(0.0)
    assert Trial("b").lot(policy) == Lot(0.0, "header:X-Canary=1")
    assert Trial("b", phase=Phase.TRYING, number=1).lot(policy) == Lot(50.0, "header:X-Canary=1")


def taken_over(world: World, at: float, *, after: float) -> World:
    """Have another process go on ``after`` seconds that no one led: all it knows is written."""
    kept = kept_of(world.memory.trials["web"], world.now, at)
    world.turn(after)
    world.wall = at + after
    world.seen = Sides()
    world.memory = Memory()
    world.goals = [replace(each, trial=kept) for each in world.goals]
    return world


def test_another_process_goes_on_at_the_step_that_was_written_down() -> None:
    world = running()
    world.run(32.0)
    trial = world.memory.trials["web"]
    assert (trial.phase, trial.number) == (Phase.TRYING, 1)
    held = world.now - trial.since
    taken_over(world, 1_000.0, after=2.0).run(1.0)
    found = world.memory.trials["web"]
    assert (found.phase, found.number) == (Phase.TRYING, 1)
    assert round(world.now - found.since) == round(held + 3.0)
    assert len(world.canaries()) == 2
    world.until_quiet()
    assert {copy.spec for copy in world.alive()} == {"b"}
    assert 0.0 not in world.shares[1:-1], "the share never fell before the end"


def test_its_requests_have_the_whole_deadline_anew_after_a_long_time_without_anybody() -> None:
    world = running(canary=replace(POLICY, min_requests=10**6, hold=5.0))
    world.run(10.0)
    taken_over(world, 1_000.0, after=500.0).run(50.0)
    phases = [world.memory.trials["web"].phase]
    world.run(60.0)
    assert [*phases, world.memory.trials["web"].phase] == [Phase.TRYING, Phase.WAITING]


def test_a_trial_that_waits_is_promoted_or_aborted_outlives_its_process() -> None:
    world = running(canary=replace(POLICY, steps=(10,), auto_promote=False))
    world.run(40.0)
    assert world.memory.trials["web"].phase is Phase.WAITING
    (alarm,) = [each for each in world.look().actions if isinstance(each, Alarm)]
    assert not alarm.is_trouble, "who waits for a person is ready"
    taken_over(world, 1_000.0, after=1.0).run(5.0)
    assert world.memory.trials["web"].phase is Phase.WAITING
    assert max(copy.share.percent for copy in world.canaries() if copy.share) == 10.0
    known = goal("b", goal("a"), trial=Kept("b", Phase.PROMOTED))
    world = running()
    world.goals = [known]
    world.run(3.0)
    assert world.memory.trials["web"].phase is Phase.PROMOTED
    world = running(trial=Kept("b", Phase.ABORTED, why="it failed"), is_stopped=True)
    world.memory = Memory()
    world.run(30.0)
    assert world.memory.trials["web"].why == "it failed"
    assert len(world.alive("a")) == 4
    assert world.canaries() == []


def test_what_was_written_of_another_spec_or_before_a_resume_is_no_trial() -> None:
    for kept in (Kept("old", Phase.PROMOTED), Kept("b", Phase.ABORTED)):
        world = running(trial=kept)
        world.run(5.0)
        assert world.memory.trials["web"].phase is Phase.TRYING
