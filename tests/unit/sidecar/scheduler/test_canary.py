"""When a canary's share grows, when it is promoted and when aborted."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.scheduler.canary import CanaryPolicy, Phase, Sides, Tally, Trial, is_canary, step

POLICY = CanaryPolicy(steps=(5, 25, 50), hold=60.0, min_requests=100, deadline=300.0)


def sides(canary: int, errors: int = 0, stable: int = 1000, stable_errors: int = 0) -> Sides:
    return Sides(canary=Tally(canary, errors), stable=Tally(stable, stable_errors))


def trying(policy: CanaryPolicy = POLICY, number: int = 0, since: float = 0.0) -> Trial:
    return Trial("b", phase=Phase.TRYING, number=number, since=since)


@pytest.mark.parametrize(
    ("replicas", "number", "count"),
    [(1, 0, 1), (10, 0, 1), (20, 0, 1), (21, 0, 2), (10, 1, 3), (10, 2, 5), (10, 9, 5), (0, 0, 1)],
)
def test_there_are_as_many_canaries_as_their_share_of_replicas_and_one_at_least(
    replicas: int, number: int, count: int
) -> None:
    assert POLICY.count(replicas, number) == count


def test_canaries_get_no_work_before_all_are_ready() -> None:
    trial = Trial("b")
    assert trial.share(POLICY) == 0.0
    assert step(POLICY, trial, Sides(), 5.0, ready=1, wanted=2) is trial
    began = step(POLICY, trial, sides(7), 6.0, ready=2, wanted=2)
    assert (began.phase, began.share(POLICY), began.since) == (Phase.TRYING, 5, 6.0)
    assert began.begun == sides(7)


def test_each_step_is_held_and_then_the_spec_is_promoted() -> None:
    trial, now = trying(), 0.0
    shares = []
    while trial.phase is Phase.TRYING:
        shares.append((now, trial.share(POLICY)))
        now += 30.0
        trial = step(POLICY, trial, sides(int(now * 10)), now, ready=1, wanted=1)
    assert shares == [(0, 5), (30, 5), (60, 25), (90, 25), (120, 50), (150, 50)]
    assert (trial.phase, now) == (Phase.PROMOTED, 180.0)


def test_what_is_not_automatic_waits_for_a_person() -> None:
    policy = replace(POLICY, auto_promote=False)
    trial = step(policy, trying(number=2), sides(500), 60.0, ready=1, wanted=1)
    assert (trial.phase, trial.share(policy)) == (Phase.WAITING, 50)
    assert step(policy, trial, sides(900), 9999.0, ready=1, wanted=1) == trial
    done = step(policy, trial, sides(900), 9999.0, ready=1, wanted=1, is_promoted=True)
    assert (done.phase, done.why) == (Phase.PROMOTED, "by a person")


def test_too_few_requests_hold_a_step_longer_and_then_a_person_decides() -> None:
    assert step(POLICY, trying(), sides(99), 299.0, ready=1, wanted=1) == trying()
    after = step(POLICY, trying(), sides(99), 300.0, ready=1, wanted=1)
    assert (after.phase, after.why) == (Phase.WAITING, "99 of 100 requests within 300 s")
    assert step(POLICY, trying(), sides(100), 60.0, ready=1, wanted=1).number == 1


def test_a_held_trial_stays_but_is_aborted_all_the_same() -> None:
    held = step(POLICY, trying(), sides(900), 900.0, ready=1, wanted=1, is_held=True)
    assert held == trying()
    lost = step(POLICY, trying(), sides(900, 300), 900.0, ready=1, wanted=1, is_held=True)
    assert lost.phase is Phase.ABORTED


@pytest.mark.parametrize(
    ("seen", "is_lost"),
    [
        (sides(100, 1), False),
        (sides(100, 2), True),
        (sides(20, 1), False),
        (sides(20, 2), True),
        (sides(1000, 10), False),
        (sides(1000, 11), True),
        (sides(100, 6, 1000, 50), False),
        (sides(100, 7, 1000, 50), True),
    ],
    ids=["1 %", "2 %", "early good", "early bad", "exact", "one more", "stable fails", "worse"],
)
def test_canaries_may_fail_as_often_as_stable_copies_and_a_little_more(
    seen: Sides, is_lost: bool
) -> None:
    after = step(POLICY, trying(), seen, 10.0, ready=1, wanted=1)
    assert (after.phase is Phase.ABORTED) is is_lost
    assert after.share(POLICY) == (0.0 if is_lost else 5)


def test_only_what_came_in_the_window_counts() -> None:
    trial = Trial("b", phase=Phase.TRYING, begun=sides(1000, 500))
    assert step(POLICY, trial, sides(1100, 500), 10.0, ready=1, wanted=1) == trial
    assert Tally(5, 1).since(Tally(1000, 500)) == Tally(5, 1)  # the proxy began anew


def test_slow_canaries_are_aborted_where_that_is_asked() -> None:
    policy = replace(POLICY, max_p95=0.2)
    slow = Sides(canary=Tally(100), stable=Tally(100), latency=0.3)
    after = step(policy, trying(), slow, 10.0, ready=1, wanted=1)
    assert (after.phase, after.why) == (Phase.ABORTED, "requests take 300 ms")
    few = Sides(canary=Tally(99), stable=Tally(100), latency=0.3)
    assert step(policy, trying(), few, 10.0, ready=1, wanted=1) == trying()


def test_a_canary_that_fails_itself_ends_the_trial() -> None:
    for trial in (Trial("b"), trying()):
        after = step(POLICY, trial, Sides(), 1.0, ready=0, wanted=1, has_failed=True)
        assert (after.phase, after.why) == (Phase.ABORTED, "a canary failed")


@pytest.mark.parametrize("phase", [Phase.PROMOTED, Phase.ABORTED])
def test_what_is_over_stays(phase: Phase) -> None:
    trial = Trial("b", phase=phase)
    assert step(POLICY, trial, sides(9, 9), 1.0, ready=1, wanted=1, is_promoted=True) is trial


def test_the_next_step_waits_for_its_canaries() -> None:
    after = step(POLICY, trying(), sides(500), 60.0, ready=0, wanted=1)
    assert after == trying()


@given(st.integers(0, 3), st.sampled_from(Phase), st.floats(0, 1e6), st.integers(0, 10**9))
def test_a_trial_can_be_written_and_read(number: int, phase: Phase, at: float, count: int) -> None:
    trial = Trial("b", phase=phase, number=number, since=at, begun=sides(count), why="x")
    assert msgspec.json.decode(msgspec.json.encode(trial), type=Trial) == trial


def test_slots_of_canaries_are_known_by_their_name() -> None:
    assert is_canary("canary-1")
    assert not is_canary("1")
