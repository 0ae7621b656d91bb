from dataclasses import replace

import pytest

from sidecar.catalog.draft import Draft
from sidecar.catalog.session_id import checked_id
from sidecar.catalog.sessions import Moment
from sidecar.errors import ApiError
from tests.support.keys import NOBODY, A, B, Tables, session

_LOOKUP = "failed session lookup: index error"


@pytest.fixture
def tables() -> Tables:
    tables = Tables()
    tables.add(session(A), session(B, behavior="delete", lock_delay=0.0))
    return tables


def test_an_identical_write_does_not_move_the_index(tables: Tables) -> None:
    tables.put("k", value=b"1")
    before = tables.state.kv.get("k")
    tables.put("k", value=b"1")
    assert tables.state.kv.get("k") is before
    tables.do(lambda draft, at: draft.put("k", b"1", 7, at))
    after = tables.state.kv.get("k")
    assert after is not None
    assert before is not None
    assert (after.flags, after.create_index) == (7, before.create_index)
    assert after.modify_index > before.modify_index


@pytest.mark.parametrize(("there", "expected", "done"), [
    (False, 0, True), (False, 3, False), (True, 0, False), (True, 3, True), (True, 2, False),
])  # fmt: skip
def test_compare_and_set(tables: Tables, there: bool, expected: int, done: bool) -> None:
    if there:
        tables.put("k")
    assert tables.do(lambda draft, at: draft.put_if("k", b"new", 0, expected, at)) is done
    entry = tables.state.kv.get("k")
    assert (entry is not None and entry.value == b"new") is done


@pytest.mark.parametrize(("expected", "done"), [(3, True), (0, False), (2, False)])
def test_compare_and_delete(tables: Tables, expected: int, done: bool) -> None:
    tables.put("k")
    assert tables.do(lambda draft, at: draft.delete_if("k", expected, at)) is done
    assert (tables.state.kv.get("k") is None) is done


def test_compare_and_delete_of_an_absent_key_is_done(tables: Tables) -> None:
    assert tables.do(lambda draft, at: draft.delete_if("k", 5, at))
    assert tables.state.kv.index == 1


def test_a_lock_counts_its_holders_and_only_the_holder_takes_it_again(tables: Tables) -> None:
    assert tables.do(lambda draft, at: draft.acquire("k", b"1", 0, A, at))
    entry = tables.state.kv.get("k")
    assert entry is not None
    assert (entry.lock_index, entry.session) == (1, A)
    assert not tables.do(lambda draft, at: draft.acquire("k", b"2", 0, B, at))
    assert tables.do(lambda draft, at: draft.acquire("k", b"3", 0, A, at))
    entry = tables.state.kv.get("k")
    assert entry is not None
    assert (entry.lock_index, entry.value) == (1, b"3")
    assert not tables.do(lambda draft, at: draft.release("k", b"4", 0, B, at))
    assert not tables.do(lambda draft, at: draft.release("k", b"4", 0, NOBODY, at))
    assert tables.do(lambda draft, at: draft.release("k", b"4", 0, A, at))
    entry = tables.state.kv.get("k")
    assert entry is not None
    assert (entry.lock_index, entry.session, entry.value) == (1, "", b"4")
    assert tables.do(lambda draft, at: draft.acquire("k", b"5", 0, B, at))
    entry = tables.state.kv.get("k")
    assert entry is not None
    assert entry.lock_index == 2


def test_a_plain_write_keeps_the_holder_and_resets_the_lock_index(tables: Tables) -> None:
    tables.do(lambda draft, at: draft.acquire("k", b"1", 0, A, at))
    tables.put("k", value=b"1")
    entry = tables.state.kv.get("k")
    assert entry is not None
    assert (entry.lock_index, entry.session) == (0, A)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (NOBODY, f'invalid session "{NOBODY}"'),
        ("short", f"{_LOOKUP}: UUID must be 36 characters"),
        (
            "x" * 36,
            f"{_LOOKUP}: Invalid UUID: encoding/hex: invalid byte: U+0078 'x'",
        ),
        ("1" * 36, f'invalid session "{"1" * 36}"'),
        ("", "missing session"),
    ],
)
def test_a_lock_for_no_session_is_an_error(tables: Tables, wanted: str, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        tables.do(lambda draft, at: draft.acquire("k", b"", 0, wanted, at))
    assert (caught.value.status, str(caught.value)) == (500, text)


def test_a_release_for_no_session_is_an_error(tables: Tables) -> None:
    with pytest.raises(ApiError, match="missing session"):
        tables.do(lambda draft, at: draft.release("k", b"", 0, "", at))
    assert not tables.do(lambda draft, at: draft.release("absent", b"", 0, A, at))


def test_the_end_of_a_session_releases_its_keys_and_delays_the_next_lock(tables: Tables) -> None:
    tables.do(lambda draft, at: draft.acquire("k", b"1", 0, A, at))
    tables.do(lambda draft, at: draft.destroy(A, at))
    entry = tables.state.kv.get("k")
    assert entry is not None
    assert (entry.session, entry.lock_index, entry.modify_index) == ("", 1, tables.index)
    assert tables.state.sessions.get(A) is None
    for now, locked in [(14.9, False), (15.1, True)]:
        tables.now = now
        assert tables.do(lambda draft, at: draft.acquire("k", b"2", 0, B, at)) is locked


def test_the_end_of_a_session_that_deletes_takes_its_keys_along(tables: Tables) -> None:
    tables.do(lambda draft, at: draft.acquire("k", b"1", 0, B, at))
    tables.do(lambda draft, at: draft.destroy(B, at))
    assert tables.state.kv.get("k") is None
    assert tables.do(lambda draft, at: draft.acquire("k", b"2", 0, A, at)), "no lock delay"


def test_a_release_leaves_no_delay(tables: Tables) -> None:
    tables.do(lambda draft, at: draft.acquire("k", b"1", 0, A, at))
    tables.do(lambda draft, at: draft.release("k", b"1", 0, A, at))
    assert tables.do(lambda draft, at: draft.acquire("k", b"2", 0, B, at))


def test_the_end_of_a_session_that_is_not_there_changes_nothing(tables: Tables) -> None:
    index = tables.state.sessions.index
    tables.do(lambda draft, at: draft.destroy(NOBODY, at))
    assert tables.state.sessions.index == index


def test_a_draft_shows_what_will_be_and_the_tables_what_is(tables: Tables) -> None:
    tables.put("p/a", "p/b", "q")
    draft = Draft(tables.state)
    at = Moment(50, 0.0, 0.0)
    draft.delete("p/a", at)
    draft.delete("absent", at)
    draft.put("p/c", b"", 0, at)
    draft.acquire("p/b", b"", 0, A, at)
    assert draft.keys("p/") == ["p/b", "p/c"]
    assert draft.keys("q") == ["q"]
    assert draft.get("p/a") is None
    assert draft.held(A) == {"p/b"}
    draft.destroy(A, at)
    assert draft.held(A) == set()
    assert draft.session(A) is None
    assert draft.delayed_until("p/b") == 15.0
    draft.add(replace(session(NOBODY), create_index=50))
    assert draft.session(NOBODY) is not None
    assert draft.renew(NOBODY) is not None
    assert draft.renew(A) is None
    assert draft.writes
    assert tables.state.kv.keys("p/") == ["p/a", "p/b"]
    assert tables.state.sessions.get(A) is not None
    draft.delete_tree("", at)
    assert draft.keys("") == []


def test_an_id_has_the_form_of_a_uuid() -> None:
    assert checked_id(A) == A
