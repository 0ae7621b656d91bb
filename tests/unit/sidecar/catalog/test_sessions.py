from dataclasses import replace
from typing import Any

import pytest

from sidecar.catalog.kv import Removed
from sidecar.catalog.sessions import Moment, Sessions, delay_of
from sidecar.errors import ApiError
from tests.support.keys import A, B, session


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"ttl": "5s", "lifetime": 5.0},
            "Invalid Session TTL '5000000000', must be between [10s=24h0m0s]",
        ),
        (
            {"ttl": "25h", "lifetime": 90000.0},
            "Invalid Session TTL '90000000000000', must be between [10s=24h0m0s]",
        ),
        ({"behavior": "boo"}, "Invalid Behavior setting 'boo'"),
        ({"node": "elsewhere"}, "Missing node registration"),
        ({"checks": ("nope",)}, "Missing check 'nope' registration"),
        ({"checks": ("serfHealth", "sick")}, "Check 'sick' is in critical state"),
    ],
)
def test_what_a_session_cannot_be_is_said_in_consuls_words(
    fields: dict[str, Any], text: str
) -> None:
    with pytest.raises(ApiError) as caught:
        session(**fields)
    assert (caught.value.status, str(caught.value)) == (500, text)


def test_defaults_are_consuls() -> None:
    made = session(index=7, behavior="")
    assert (made.lock_delay, made.behavior, made.ttl) == (15.0, "release", "")
    assert made.checks == ("serfHealth",)
    assert (made.create_index, made.modify_index) == (7, 7)
    assert not made.deletes


def test_a_session_ends_at_twice_its_ttl_after_the_last_renewal() -> None:
    sessions = Sessions([session(B)])
    assert not sessions.have_deadlines
    sessions = Sessions()
    moment = Moment(1, 0.0, 100.0)
    both = {A: session(A, ttl="10s", lifetime=10.0), B: session(B)}
    sessions.commit(both, {}, moment)
    assert sessions.have_deadlines
    assert sessions.expired(119.9) == ()
    assert sessions.expired(120.0) == (A,)
    sessions.renew(A, 119.0)
    sessions.renew(B, 119.0)
    sessions.renew("unknown", 119.0)
    assert sessions.expired(120.0) == ()
    assert sessions.expired(139.0) == (A,)
    sessions.commit({A: Removed(5)}, {}, moment)
    assert sessions.expired(1e9) == ()
    assert (sessions.index, sessions.get(A)) == (5, None)


def test_each_ttl_begins_anew_when_sessions_are_read_back() -> None:
    sessions = Sessions([session(A, 4, ttl="10s", lifetime=10.0)], index=9, awake=0.0)
    assert sessions.index == 9
    assert sessions.expired(19.0) == ()
    assert sessions.expired(20.0) == (A,)


def test_sessions_are_listed_by_id_and_node() -> None:
    sessions = Sessions([session(B), session(A)])
    assert [each.id for each in sessions.list()] == [A, B]
    assert [each.id for each in sessions.list("node-1")] == [A, B]
    assert sessions.list("other") == ()
    assert Sessions().index == 1


@pytest.mark.parametrize(
    ("after", "ended"),
    [
        pytest.param({"serfHealth": "passing"}, (), id="nothing changed"),
        pytest.param({"serfHealth": "warning"}, (), id="a warning ends nothing"),
        pytest.param({"serfHealth": "critical"}, (A, B), id="critical"),
        pytest.param({}, (A, B), id="the check went"),
        pytest.param(None, (A, B), id="the node went"),
    ],
)
def test_sessions_end_with_their_node_and_its_checks(
    after: dict[str, str] | None, ended: tuple[str, ...]
) -> None:
    sessions = Sessions([session(B), session(A)])
    assert sessions.ended_by(lambda _: {"serfHealth": "passing"}, lambda _: after) == ended


def test_what_was_not_there_before_ends_nothing() -> None:
    assert Sessions([session(A)]).ended_by(lambda _: None, lambda _: None) == ()


def test_lock_delays_end_and_are_forgotten() -> None:
    sessions = Sessions()
    sessions.commit({}, {"k": 15.0}, Moment(1, 0.0, 0.0))
    assert sessions.delayed_until("k") == 15.0
    sessions.commit({}, {"other": 30.0}, Moment(2, 16.0, 0.0))
    assert sessions.delayed_until("k") == 0.0
    assert delay_of(session(lock_delay=600.0)) == 60.0


def test_sessions_end_with_their_node_or_a_check_that_goes_or_turns_critical() -> None:
    sessions = Sessions([replace(session(A), checks=("c",)), session(B, checks=())])

    def ended(before: str | None, after: str | None, *, known: bool = True) -> tuple[str, ...]:
        was = {} if before is None else {"c": before}
        now = {} if after is None else {"c": after}
        return sessions.ended_by(lambda _: was, lambda _: now if known else None)

    assert ended("passing", "warning") == ended("critical", "critical") == ()
    assert ended("passing", "critical") == ended("warning", None) == (A,)
    assert ended(None, "critical") == ()  # it may not be back yet after a restart
    assert ended("passing", None, known=False) == (A, B)
    assert sessions.ended_by(lambda _: None, lambda _: {}) == ()
    assert len(sessions) == 2
