import pytest

from registrar.plan import Claims, changes_for, differing, is_draining_signal
from sidecar.catalog import Drop, Put
from sidecar.catalog.model import InstanceId, Key, key_of
from tests.support.catalog import instance
from tests.support.docker import container

WEB = instance("web", "vm:a:80")
KEY = key_of(WEB)


def test_a_claim_wins_and_its_end_frees_the_entry() -> None:
    claims = Claims()
    assert claims.put("c1", [WEB]) == {KEY}
    assert claims.put("c1", [WEB]) == frozenset()
    assert (claims.winner(KEY), claims.of("c1"), len(claims)) == (WEB, (WEB,), 1)
    assert claims.holds("c1", KEY)
    assert claims.put("c1", []) == {KEY}
    assert (claims.winner(KEY), claims.of("c1"), len(claims)) == (None, (), 0)
    assert not claims.holds("c1", KEY)


def test_the_late_end_of_a_predecessor_removes_nothing_of_its_successor() -> None:
    claims = Claims()
    new = instance("web", "vm:a:80", port=2)
    claims.put("old", [WEB], started=1)
    assert claims.put("new", [new], started=2) == {KEY}
    assert claims.winner(KEY) == new
    assert claims.put("old", []) == frozenset()
    assert claims.winner(KEY) == new


def test_a_predecessor_seen_late_does_not_displace_its_successor() -> None:
    claims = Claims()
    claims.put("new", [WEB], started=2)
    assert claims.put("old", [instance("web", "vm:a:80", port=2)], started=1) == frozenset()
    assert not claims.holds("old", KEY)


def test_an_id_from_a_label_displaces_neither_a_usual_one_nor_an_older_claim() -> None:
    claims = Claims()
    thief = instance("web", "vm:a:80", port=6666)
    custom = frozenset({InstanceId("vm:a:80")})
    claims.put("thief", [thief], started=1, custom=custom)
    assert claims.put("late", [instance(id_="vm:a:80")], started=2, custom=custom) == frozenset()
    assert claims.winner(KEY) == thief
    assert claims.put("owner", [WEB], started=3) == {KEY}
    assert claims.winner(KEY) == WEB
    assert claims.put("owner", []) == {KEY}
    assert claims.winner(KEY) == thief


def test_a_rename_moves_the_entry() -> None:
    claims = Claims()
    claims.put("c", [WEB])
    renamed = instance("web", "vm:b:80")
    changed = claims.put("c", [renamed])
    assert changes_for({key: claims.winner(key) for key in changed})[0] == (
        Drop("web", WEB.id, WEB.node),
        Put(renamed),
    )


def test_only_what_differs_from_the_store_is_written() -> None:
    other = instance("web", "other")
    desired = {KEY: WEB, key_of(other): other}
    assert differing(desired, [WEB, other]) == frozenset()
    assert differing(desired, [WEB]) == {key_of(other)}
    orphan = Key("web", WEB.node, InstanceId("orphan"))
    assert differing({KEY: WEB}, [instance(id_="orphan"), WEB]) == {orphan}
    assert differing({KEY: WEB}, [instance("web", "vm:a:80", port=1)]) == {KEY}


@pytest.mark.parametrize(
    ("number", "is_one"),
    [(15, True), (2, True), (3, True), (9, True), (1, False), (10, False), (None, False)],
)
def test_signals_that_ask_a_container_to_end(number: int | None, is_one: bool) -> None:
    assert is_draining_signal(number, None) is is_one
    assert is_draining_signal(number, container()) is is_one


def test_the_stop_signal_of_a_container_drains_it() -> None:
    stopped_by_usr1 = type(container())(id="x", stop_signal=10)
    assert is_draining_signal(10, stopped_by_usr1)
    assert not is_draining_signal(12, stopped_by_usr1)
