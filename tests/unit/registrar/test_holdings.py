from registrar.holdings import Holdings
from sidecar.catalog.model import Instance, InstanceId, Key
from tests.support.docker import PLACE, container, event

ON_8080 = {"80/tcp": ":8080"}
BOX = container(published=ON_8080)
KEY = Key("bb", "vm", InstanceId("vm:box:80"))
KEYS = frozenset({KEY})


def holding() -> Holdings:
    holdings = Holdings(PLACE)
    assert holdings.see("box-id", BOX, None) == KEYS
    return holdings


def entry(holdings: Holdings) -> Instance | None:
    return holdings.claims.winner(KEY)


def is_draining(holdings: Holdings) -> bool:
    found = entry(holdings)
    assert found is not None
    return found.draining


def test_a_living_container_is_held_once() -> None:
    holdings = holding()
    assert holdings.see("box-id", BOX, None) == frozenset()
    assert (len(holdings), list(holdings), "box-id" in holdings) == (1, ["box-id"], True)


def test_a_container_dead_when_looked_at_is_never_held() -> None:
    holdings = Holdings(PLACE)
    dead = container(published=ON_8080, Running=False)
    assert holdings.see("box-id", dead, None) == frozenset()
    assert holdings.see("gone", None, None) == frozenset()
    assert "box-id" not in holdings


def test_a_container_found_dead_loses_its_entries() -> None:
    holdings = holding()
    assert holdings.see("box-id", None, None) == KEYS
    assert entry(holdings) is None


def test_a_death_after_the_known_start_removes_at_once() -> None:
    holdings = holding()
    assert holdings.ended(event("die")) == KEYS
    assert "box-id" not in holdings
    assert holdings.ended(event("destroy")) == frozenset()


def test_a_death_told_again_from_before_the_start_says_nothing() -> None:
    assert holding().ended(event("die", after=-1)) == frozenset()


def test_a_stop_signal_drains_until_the_next_start() -> None:
    holdings = holding()
    assert holdings.killed(event("kill", signal=15)) == KEYS
    assert is_draining(holdings)
    assert holdings.see("box-id", BOX, None) == frozenset()
    assert is_draining(holdings)
    holdings.started(event("start", after=2))
    assert holdings.see("box-id", BOX, None) == KEYS
    assert not is_draining(holdings)


def test_a_later_run_is_not_draining_even_when_its_start_was_not_told() -> None:
    holdings = holding()
    holdings.killed(event("kill", signal=9))
    again = container(published=ON_8080, StartedAt="2023-11-14T22:13:21Z")
    holdings.see("box-id", again, None)
    assert not is_draining(holdings)


def test_other_signals_do_not_drain() -> None:
    holdings = holding()
    assert holdings.killed(event("kill", signal=1)) == frozenset()
    assert not is_draining(holdings)


def test_a_signal_before_the_first_look_counts() -> None:
    holdings = Holdings(PLACE)
    assert holdings.killed(event("kill", signal=15)) == frozenset()
    holdings.see("box-id", BOX, None)
    assert is_draining(holdings)


def test_problems_are_told_once_per_container() -> None:
    holdings = Holdings(PLACE)
    bad = container(published=ON_8080, env=("SERVICE_NAME=a/b",))
    holdings.see("box-id", bad, None)
    assert [p.label for p in holdings.new_problems("box-id")] == ["SERVICE_NAME"]
    holdings.see("box-id", bad, None)
    assert holdings.new_problems("box-id") == ()
    holdings.see("box-id", None, None)
    assert holdings.new_problems("box-id") == ()
    holdings.see("box-id", bad, None)
    assert len(holdings.new_problems("box-id")) == 1


def test_a_container_that_asks_for_anothers_id_is_refused_and_told() -> None:
    holdings = holding()
    env = ("SERVICE_ID=vm:box:80", "SERVICE_NAME=bb")
    thief = container("thief", published={"80/tcp": ":6666"}, env=env)
    assert holdings.see("thief-id", thief, None) == frozenset()
    (problem,) = holdings.new_problems("thief-id")
    assert (problem.container, problem.label) == ("thief", "SERVICE_ID")
    assert "another container holds vm:box:80" in problem.text
    assert entry(holdings) == BOXES_ENTRY


(BOXES_ENTRY,) = holding().claims.of("box-id")
