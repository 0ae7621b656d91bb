from itertools import pairwise

from sidecar.runtime.backoff import Backoff


def test_delays_double_up_to_the_cap() -> None:
    backoff = Backoff(0.1, 1.0, draw=lambda: 1.0)
    assert [round(backoff.next(), 3) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_jitter_stays_in_the_upper_half() -> None:
    backoff = Backoff(1.0, 1.0, draw=lambda: 0.0)
    assert backoff.next() == 0.5


def test_reset_starts_from_the_first_delay() -> None:
    backoff = Backoff(0.1, 5.0, draw=lambda: 1.0)
    delays = [backoff.next() for _ in range(4)]
    assert all(a < b for a, b in pairwise(delays))
    backoff.reset()
    assert backoff.next() == delays[0]
    assert backoff.attempts == 1


def test_a_thousand_failures_do_not_overflow() -> None:
    backoff = Backoff(0.1, 5.0, draw=lambda: 1.0)
    assert [backoff.next() for _ in range(1000)][-1] == 5.0
