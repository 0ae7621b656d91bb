"""Who is the primary, how far replicas are behind, and what Sentinel says."""

import pytest

from ambassador.frame.address import Address
from ambassador.redis.resp import Failure
from ambassador.redis.roles import Lag, Observation, judge, observation_of
from ambassador.redis.sentinel import View, newest, view_of
from sidecar.errors import ProtocolError

ONE, TWO, THREE = (Address("192.0.2.1", port) for port in (6379, 6380, 6381))


def seen(role: str, *, followers: int = 0, since: float = 0.0) -> Observation:
    return Observation(role=role, offset=1, followers=followers, since=since)


def test_the_one_that_calls_itself_the_primary_is_it() -> None:
    assert judge({ONE: seen("slave"), TWO: seen("master")}).primary == TWO
    assert judge({ONE: seen("slave")}) == (None, "no server calls itself the primary")


def test_two_are_a_split_unless_evidence_may_decide() -> None:
    both = {ONE: seen("master", since=5), TWO: seen("master", followers=2), THREE: seen("slave")}
    verdict = judge(both)
    assert verdict.primary is None
    assert "192.0.2.1:6379 and 192.0.2.1:6380 both" in verdict.why
    assert judge(both, by_evidence=True).primary == TWO
    later = {ONE: seen("master", since=1), TWO: seen("master", since=2)}
    assert judge(later, by_evidence=True).primary == TWO


def test_whom_sentinel_names_must_say_so_itself() -> None:
    both = {ONE: seen("master"), TWO: seen("master")}
    assert judge(both, named=TWO).primary == TWO
    assert judge({ONE: seen("master"), TWO: seen("slave")}, named=TWO).primary is None


def test_what_a_server_says_is_read() -> None:
    info = b"loading:0\r\nmaster_link_status:up\r\nmaster_replid:abc\r\nrun_id:r\r\n"
    found = observation_of([b"slave", b"h", 1, b"connected", 42], info, 7.0)
    assert (found.role, found.offset, found.replid, found.is_linked) == ("slave", 42, "abc", True)
    down = observation_of([b"slave", b"h", 1, b"connect", -1], info, 7.0)
    assert not down.is_linked
    syncing = info + b"master_sync_in_progress:1\r\n"
    assert not observation_of([b"slave", b"h", 1, b"connected", 1], syncing, 0).is_linked
    master = observation_of([b"master", 9, [[b"h", b"1", b"9"]]], Failure(b"NOPERM"), 0)
    assert (master.role, master.followers, master.replid) == ("master", 1, "")
    loading = observation_of(Failure(b"LOADING wait"), info, 0)
    assert loading.is_loading
    for wrong in (Failure(b"NOAUTH x"), [b"sentinel", []], None):
        with pytest.raises(ProtocolError):
            observation_of(wrong, info, 0)


def test_lag_is_how_long_ago_the_primary_was_past_a_replica() -> None:
    lag = Lag()
    assert lag.bytes_behind(5) == 0
    for at, offset in ((1.0, 100), (2.0, 200), (3.0, 200), (4.0, 300)):
        lag.sample(at, offset)
    assert lag.bytes_behind(150) == 150
    assert lag.seconds_behind(150, 5.0) == 3.0
    assert lag.seconds_behind(300, 5.0) == 0.0
    lag.sample(6.0, 10)  # another primary
    assert lag.bytes_behind(5) == 5


def test_the_newest_view_of_several_sentinels_counts() -> None:
    old = View(1, ONE, frozenset({TWO}))
    views = [old, View(2, TWO, frozenset({ONE})), View(2, TWO, frozenset({THREE}))]
    assert newest(views) == View(2, TWO, frozenset({ONE, THREE}))


def test_sentinels_answers_are_read() -> None:
    master = [b"name", b"m", b"ip", b"192.0.2.1", b"port", b"6379", b"config-epoch", b"3"]
    replica = [b"ip", b"192.0.2.1", b"port", b"6380"]
    assert view_of(master, [replica]) == View(3, ONE, frozenset({TWO}))
    for wrong in (Failure(b"ERR No such master"), None, [b"ip", b"x"]):
        with pytest.raises(ProtocolError):
            view_of(wrong, [])
