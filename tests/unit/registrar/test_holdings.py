from registrar.endings import Endings
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


def ending(endings: Endings) -> Holdings:
    holdings = Holdings(PLACE, endings)
    holdings.see("box-id", BOX, None)
    return holdings


ON_SUCCESS = Endings("on-success")


def test_a_failure_keeps_the_entries_until_the_container_is_gone() -> None:
    holdings = ending(ON_SUCCESS)
    assert holdings.ended(event("die", exit_code=1)) == KEYS
    assert (entry(holdings), holdings.keeps(KEY)) == (None, True)
    assert holdings.see("box-id", container(Running=False, ExitCode=1), None) == frozenset()
    assert holdings.keeps(KEY)
    assert holdings.ended(event("destroy", after=2)) == KEYS, "--rm, or docker rm"
    assert not holdings.keeps(KEY)


def test_a_success_removes_the_entries() -> None:
    holdings = ending(ON_SUCCESS)
    assert holdings.ended(event("die", exit_code=0)) == KEYS
    assert not holdings.keeps(KEY)


def test_a_death_that_was_not_told_is_judged_by_the_look() -> None:
    for exit_code, keeps in ((0, False), (1, True), (137, False)):
        holdings = ending(ON_SUCCESS)
        assert holdings.see("box-id", container(Running=False, ExitCode=exit_code), None) == KEYS
        assert holdings.keeps(KEY) is keeps
    holdings = ending(ON_SUCCESS)
    assert holdings.see("box-id", None, None) == KEYS
    assert not holdings.keeps(KEY)


def test_a_death_without_a_status_waits_for_the_look() -> None:
    assert ending(ON_SUCCESS).ended(event("die")) == frozenset()
    assert ending(Endings("never")).ended(event("die")) == KEYS


def test_a_container_that_starts_again_takes_its_entries_up() -> None:
    holdings = ending(ON_SUCCESS)
    holdings.ended(event("die", exit_code=1))
    assert holdings.see("box-id", BOX, None) == KEYS
    assert not holdings.keeps(KEY)
    assert holdings.ended(event("die", after=2, exit_code=0)) == KEYS
    assert not holdings.keeps(KEY)


def test_a_successor_of_the_same_name_ends_the_keeping() -> None:
    holdings = ending(ON_SUCCESS)
    holdings.ended(event("die", exit_code=1))
    again = container(published=ON_8080, id_="new")
    assert holdings.see("new", again, None) == KEYS
    assert holdings.ended(event("destroy", after=2)) == frozenset()
    assert entry(holdings) is not None


def test_never_keeps_whatever_becomes_of_the_container() -> None:
    holdings = ending(Endings("never"))
    assert holdings.ended(event("die", exit_code=0)) == KEYS
    assert holdings.ended(event("destroy", after=2)) == frozenset()
    assert holdings.keeps(KEY)
    gone = ending(Endings("never"))
    assert gone.see("box-id", None, None) == KEYS
    assert gone.keeps(KEY)


def test_what_is_released_is_kept_no_more() -> None:
    holdings = ending(ON_SUCCESS)
    holdings.ended(event("die", exit_code=1))
    holdings.release([KEY])
    assert not holdings.keeps(KEY)
    holdings.spared = frozenset({"box"})
    assert holdings.keeps(KEY), "it ended before we began"
    holdings.see("box-id", BOX, None)
    assert holdings.ended(event("die", after=2, exit_code=137)) == KEYS
    assert not holdings.keeps(KEY), "it has run since"


def test_a_removal_ends_the_keeping_also_when_a_later_look_listed_the_end() -> None:
    holdings = ending(ON_SUCCESS)
    holdings.ended(event("die", exit_code=1))
    holdings.spared = frozenset({"box", "other"})
    assert holdings.ended(event("destroy", after=2)) == KEYS
    assert not holdings.keeps(KEY)
    assert holdings.spared == {"other"}


def test_what_is_kept_is_bounded() -> None:
    holdings = Holdings(PLACE, ON_SUCCESS)
    for number in range(10_001):
        name = f"b{number}"
        holdings.see(name, container(name, published=ON_8080, id_=name), None)
        holdings.see(name, container(name, id_=name, Running=False, ExitCode=1), None)
    first, last = (Key("bb", "vm", InstanceId(f"vm:b{n}:80")) for n in (0, 10_000))
    assert (holdings.keeps(first), holdings.keeps(last)) == (False, True)


def test_compat_keeps_the_first_name_acts_on_no_signal_and_no_removal() -> None:
    holdings = ending(Endings("on-success", compat=True))
    renamed = container("new", published=ON_8080, id_="box-id")
    assert holdings.see("box-id", renamed, None) == frozenset()
    assert holdings.killed(event("kill", signal=15)) == frozenset()
    holdings.ended(event("die", exit_code=1))
    assert holdings.ended(event("destroy", after=2)) == frozenset()
    assert holdings.keeps(KEY)


def test_a_rename_moves_the_entry_by_default() -> None:
    holdings = holding()
    renamed = container("new", published=ON_8080, id_="box-id")
    assert holdings.see("box-id", renamed, None) == KEYS | {
        Key("bb", "vm", InstanceId("vm:new:80"))
    }


def test_a_person_drains_and_takes_it_back() -> None:
    holdings = holding()
    assert holdings.drain("box-id", on=True) == KEYS
    assert is_draining(holdings)
    assert [i.draining for i in holdings.of("box-id")] == [True]
    assert holdings.see("box-id", BOX, None) == frozenset()
    assert holdings.drain("box-id", on=False) == KEYS
    assert not is_draining(holdings)
    assert holdings.drain("unknown", on=True) == frozenset()


def test_a_start_ends_a_persons_drain() -> None:
    holdings = holding()
    holdings.drain("box-id", on=True)
    holdings.started(event("start", after=2))
    holdings.see("box-id", BOX, None)
    assert not is_draining(holdings)


def test_other_labels_than_the_engines_can_be_given_and_taken_back() -> None:
    holdings = holding()
    assert holdings.relabel("box-id", {"SERVICE_TAGS": "new"}) == KEYS
    found = entry(holdings)
    assert found is not None
    assert "new" in found.tags
    assert holdings.see("box-id", BOX, None) == frozenset(), "also at the next look"
    assert holdings.relabel("box-id", {"SERVICE_IGNORE": "true"}) == KEYS
    assert entry(holdings) is None
    assert holdings.relabel("box-id", None) == KEYS
    found = entry(holdings)
    assert found is not None
    assert "new" not in found.tags


def test_labels_can_be_given_before_a_container_is_seen_and_end_with_it() -> None:
    holdings = Holdings(PLACE)
    assert holdings.relabel("box-id", {"SERVICE_IGNORE": "true"}) == frozenset()
    assert holdings.see("box-id", BOX, None) == frozenset()
    assert entry(holdings) is None
    holdings.ended(event("destroy"))
    assert holdings.see("box-id", BOX, None) == KEYS
