"""Quiescence: a change waits, further ones wait longer, never beyond the deadline."""

from templater.consul_template.quiescence import Quiescence


def test_each_change_waits_again_until_the_deadline() -> None:
    timer = Quiescence(2, 5)
    assert not timer.is_due(100)
    timer.tick(0)
    assert timer.due == 2
    timer.tick(1)
    assert timer.due == 3
    timer.tick(2.5)
    assert timer.due == 4.5
    timer.tick(4)
    assert timer.due == 5
    assert timer.is_due(5)
    timer.rest()
    timer.tick(10)
    assert timer.due == 12


def test_a_least_above_the_most_waits_the_most() -> None:
    timer = Quiescence(9, 5)
    timer.tick(0)
    assert timer.due == 5
