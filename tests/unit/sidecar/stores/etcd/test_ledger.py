"""What an edge knows of its entries: what disturbs it, what an audit finds."""

import pytest

from sidecar.catalog.model import InstanceId, Key
from sidecar.stores.base import Holder
from sidecar.stores.etcd.entries import MARKS, Layout, mark_of
from sidecar.stores.etcd.keyspace import Event, Held, Reading
from sidecar.stores.etcd.ledger import Ledger, Want

US, THEM = Holder("registrar:1", "vm"), Holder("registrar:2", "vm")
VALUE, OTHER = b"10.0.0.1:80", b"10.0.0.2:80"


def entry(id_: str = "vm:web:80") -> Key:
    return Key("web", "vm", InstanceId(id_))


def want(value: bytes | None = VALUE, id_: str = "vm:web:80", holder: Holder | None = US) -> Want:
    mark = mark_of(entry(id_), holder.owner) if holder else b""
    return Want(entry(id_), f"/s/web/{id_}", value, mark)


def standing(*wants: Want, lease: int = 7) -> Reading:
    """Return a reading of these and their marks."""
    pairs = [(w.key, w.value) for w in wants if w.value is not None]
    pairs += [(w.mark_key, w.mark) for w in wants if w.mark]
    return Reading(9, {key: Held(value, lease=lease) for key, value in pairs})


def keeps(held: Held) -> bool:
    return held.lease == 7


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(Layout("/s/"))


def audit(ledger: Ledger, reading: Reading, *wants: Want) -> set[Key]:
    return set(ledger.audit({w.key: w for w in wants}, reading, US, keeps))


def gone(wanted: Want) -> Event:
    return Event(wanted.key, None)


def written(wanted: Want, value: bytes = VALUE, lease: int = 7) -> Event:
    return Event(wanted.key, Held(value, lease=lease))


# --- disturbances ------------------------------------------------------------------------------


def test_own_writes_do_not_disturb(ledger: Ledger) -> None:
    ledger.note([want(), want(None, "vm:old:80")])
    assert not ledger.disturbs([written(want()), gone(want(id_="vm:old:80"))], keeps)
    assert not ledger.disturbs(standing(want()), keeps)


def test_what_nobody_here_wrote_does_not_disturb(ledger: Ledger) -> None:
    assert not ledger.disturbs([written(want()), gone(want())], keeps)
    assert not ledger.disturbs(standing(want()), keeps)


@pytest.mark.parametrize(
    "event",
    [gone(want()), written(want(), OTHER), written(want(), lease=8)],
    ids=["removed", "changed", "another lease"],
)
def test_another_hand_at_an_entry_disturbs(ledger: Ledger, event: Event) -> None:
    ledger.note([want()])
    assert ledger.disturbs([event], keeps)


def test_a_reading_without_an_entry_disturbs(ledger: Ledger) -> None:
    ledger.note([want()])
    assert ledger.disturbs(Reading(9, {}), keeps)


def test_an_entry_that_comes_back_after_its_removal_disturbs(ledger: Ledger) -> None:
    ledger.note([want()])
    ledger.note([want(None)])
    assert ledger.disturbs([written(want())], keeps)
    assert ledger.disturbs(standing(want()), keeps)


def test_only_the_last_thousand_removals_are_remembered(ledger: Ledger) -> None:
    ledger.note(want(None, f"vm:{n}x:80") for n in range(1001))
    assert not ledger.disturbs([written(want(id_="vm:0x:80"))], keeps)
    assert ledger.disturbs([written(want(id_="vm:1x:80"))], keeps)


def test_what_was_refused_is_not_expected(ledger: Ledger) -> None:
    ledger.note([want()])
    ledger.forget([want().key])
    assert ledger.kept == ()
    assert not ledger.disturbs([gone(want())], keeps)


# --- audits ------------------------------------------------------------------------------------


def test_what_stands_as_wanted_is_right_and_kept_from_now_on(ledger: Ledger) -> None:
    assert audit(ledger, standing(want()), want()) == set()
    assert ledger.kept == (want(),)


@pytest.mark.parametrize(
    "reading",
    [
        Reading(9, {}),
        standing(want(OTHER)),
        standing(want(), lease=8),
        standing(want(holder=None)),
        Reading(9, dict(standing(want()).entries) | {want().mark_key: Held(want().mark, lease=8)}),
    ],
    ids=["missing", "other value", "other lease", "no mark", "mark on another lease"],
)
def test_what_does_not_stand_as_wanted_is_found(ledger: Ledger, reading: Reading) -> None:
    assert audit(ledger, reading, want()) == {entry()}
    assert ledger.kept == ()


def test_without_marks_none_is_missed(ledger: Ledger) -> None:
    assert audit(ledger, standing(want(holder=None)), want(holder=None)) == set()


def test_an_entry_that_should_be_absent_is_found(ledger: Ledger) -> None:
    assert audit(ledger, standing(want()), want(None)) == {entry()}
    assert audit(ledger, Reading(9, {}), want(None)) == set()


def test_own_entries_that_nobody_wants_are_found_by_their_marks(ledger: Ledger) -> None:
    custom = want(id_="custom")
    assert audit(ledger, standing(want(), custom), want()) == {entry("custom")}


def test_a_mark_without_its_entry_is_found(ledger: Ledger) -> None:
    alone = Reading(9, {want().mark_key: Held(want().mark)})
    assert audit(ledger, alone) == {entry()}


def test_entries_without_marks_are_taken_over_by_id_and_node(ledger: Ledger) -> None:
    unmarked = [want(id_=i, holder=None) for i in ("vm:web:80", "vm-2:web:80", "custom")]
    assert audit(ledger, standing(*unmarked)) == {entry()}


def test_without_marks_what_was_written_here_is_known(ledger: Ledger) -> None:
    custom = want(id_="custom", holder=None)
    ledger.note([custom])
    assert audit(ledger, standing(custom)) == {entry("custom")}


def test_what_cannot_be_read_is_nobodys(ledger: Ledger) -> None:
    assert audit(ledger, standing(want(b"garbage", holder=None))) == set()


def test_entries_of_another_owner_are_never_named(ledger: Ledger) -> None:
    assert audit(ledger, standing(want(holder=THEM))) == set()
    assert audit(ledger, standing(want(holder=THEM)), want(None)) == set()
    alone = Reading(9, {want().mark_key: Held(want(holder=THEM).mark)})
    assert audit(ledger, alone) == set()


# --- two owners of one key ---------------------------------------------------------------------


def test_an_entry_of_another_owner_is_taken_over_once_and_then_let_be(ledger: Ledger) -> None:
    theirs = standing(want(OTHER, holder=THEM))
    assert audit(ledger, theirs, want()) == {entry()}
    ledger.note([want()])
    assert audit(ledger, theirs, want()) == set()
    assert ledger.kept == ()
    assert audit(ledger, theirs, want()) == set()
    assert not ledger.disturbs([written(want(), OTHER)], keeps)


def test_a_lost_entry_is_taken_again_when_the_other_owner_lets_go(ledger: Ledger) -> None:
    ledger.note([want()])
    audit(ledger, standing(want(OTHER, holder=THEM)), want())
    assert ledger.disturbs([gone(want())], keeps)
    assert audit(ledger, Reading(9, {}), want()) == {entry()}


# --- letting go --------------------------------------------------------------------------------


def test_what_was_let_go_is_neither_kept_nor_missed_nor_found(ledger: Ledger) -> None:
    ledger.note([want()])
    assert ledger.let_go([want().key, "/s/web/unknown"]) == (want(),)
    assert ledger.kept == ()
    assert not ledger.disturbs([written(want(), lease=8)], keeps)
    assert audit(ledger, standing(want(), lease=8)) == set()
    assert not ledger.disturbs([gone(want())], keeps)
    assert not ledger.disturbs(Reading(9, {}), keeps)


def test_an_audit_that_does_not_find_it_ends_what_was_let_go(ledger: Ledger) -> None:
    ledger.note([want()])
    ledger.let_go([want().key])
    assert audit(ledger, Reading(9, {})) == set()
    assert audit(ledger, standing(want())) == {entry()}


def test_what_is_wanted_again_is_kept_again(ledger: Ledger) -> None:
    ledger.note([want()])
    ledger.let_go([want().key])
    assert audit(ledger, standing(want(), lease=8), want()) == {entry()}
    ledger.note([want()])
    assert ledger.kept == (want(),)
    assert ledger.disturbs([gone(want())], keeps)


def test_marks_stand_outside_every_prefix() -> None:
    assert want().mark_key == f"{MARKS}/s/web/vm:web:80"
    assert not want().mark_key.startswith("/")
