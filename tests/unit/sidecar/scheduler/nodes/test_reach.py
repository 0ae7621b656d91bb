"""Whether a node can be reached, from what was heard of it."""

from sidecar.scheduler.model import State
from sidecar.scheduler.nodes.reach import Heard, Reach, reach_of


def at(heard: Heard, now: float) -> Reach:
    return reach_of(heard, now, down_after=15.0)


UP = Heard(0.0).stream(is_open=True).looked(100.0)


def test_a_node_joins_until_all_it_holds_was_looked_at() -> None:
    heard = Heard(0.0).answered(1.0)
    assert at(heard, 14.0).state is State.JOINING
    assert at(heard, 15.0) == Reach(State.DOWN, 0.0, 0)
    assert at(heard.looked(20.0), 20.0) == Reach(State.UP, 20.0)


def test_one_missed_probe_is_nothing_and_two_make_it_suspect() -> None:
    assert at(UP.missing(), 101.0) == Reach(State.UP, 100.0, 50)
    assert at(UP.missing().missing(), 102.0).state is State.SUSPECT


def test_a_broken_stream_and_one_missed_probe_make_it_suspect() -> None:
    assert at(UP.stream(is_open=False), 101.0).state is State.UP
    assert at(UP.stream(is_open=False).missing(), 101.0).state is State.SUSPECT


def test_it_is_down_from_its_last_good_moment_on() -> None:
    heard = UP.answered(104.0).missing().missing()
    assert at(heard, 118.9).state is State.SUSPECT
    assert at(heard, 119.0) == Reach(State.DOWN, 104.0, 0)


def test_an_answer_alone_does_not_bring_it_back() -> None:
    heard = UP.missing().missing().answered(110.0)
    assert at(heard, 110.0).state is State.SUSPECT
    assert at(heard, 115.0).state is State.DOWN
    assert at(heard.looked(116.0), 116.0).state is State.UP


def test_looks_that_fail_count_though_probes_are_answered() -> None:
    heard = UP.failing().answered(101.0).failing().answered(103.0)
    assert at(heard, 103.0).state is State.SUSPECT
    assert at(heard, 116.0) == Reach(State.DOWN, 101.0, 0)
    assert at(heard.looked(120.0), 120.0).state is State.UP


def test_late_answers_take_from_its_health_and_prompt_ones_give_it_back() -> None:
    heard = UP
    for _ in range(5):
        heard = heard.answered(101.0, is_late=True)
    assert at(heard, 101.0).health == 25
    assert at(heard.missing(), 101.0) == Reach(State.UP, 101.0, 1)
    for _ in range(3):
        heard = heard.answered(102.0)
    assert at(heard, 102.0).health == 100


def test_what_is_fenced_is_so_whatever_it_answers() -> None:
    heard = Heard(0.0, is_fenced=True).looked(5.0)
    assert at(heard, 5.0) == Reach(State.FENCED, 5.0, 0)
