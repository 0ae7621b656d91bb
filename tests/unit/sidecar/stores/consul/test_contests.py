from sidecar.stores.consul.contests import Contests


def test_the_third_change_within_a_minute_is_once_too_often() -> None:
    contests = Contests()
    assert [contests.changed("a", now) for now in (0.0, 10.0, 20.0)] == [False, False, True]
    assert contests.is_lost("a", 20.0)
    assert not contests.is_lost("b", 20.0)


def test_after_a_minute_we_insist_again() -> None:
    contests = Contests()
    for now in (0.0, 10.0, 20.0):
        contests.changed("a", now)
    assert contests.is_lost("a", 59.0)
    assert not contests.is_lost("a", 61.0)
    assert contests.changed("a", 61.0)


def test_changes_now_and_then_are_mended_for_ever() -> None:
    contests = Contests()
    assert not any(contests.changed("a", hour * 3600.0) for hour in range(10))
    assert not contests.is_lost("a", 40_000.0)
