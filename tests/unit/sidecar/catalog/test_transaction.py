import pytest

from sidecar.catalog.transaction import KeyOperation, Outcome, run
from sidecar.errors import ApiError
from tests.support.keys import NOBODY, A, B, Tables, session


@pytest.fixture
def tables() -> Tables:
    tables = Tables()
    tables.add(session(A), session(B))
    tables.put("old", value=b"1")
    tables.do(lambda draft, at: draft.acquire("held", b"2", 0, A, at))
    return tables


def _run(tables: Tables, *operations: KeyOperation) -> Outcome:
    return tables.do(lambda draft, at: run(draft, operations, at))


def _op(verb: str, key: str = "old", **fields: object) -> KeyOperation:
    return KeyOperation(verb=verb, key=key, **fields)  # type: ignore[arg-type]


def test_writes_show_entries_without_values_and_reads_with_them(tables: Tables) -> None:
    outcome = _run(
        tables,
        _op("set", "new", value=b"x", flags=5),
        _op("cas", value=b"y", index=3),
        _op("lock", "mine", session=B),
        _op("unlock", "held", session=A),
        _op("check-session", "mine", session=B),
        _op("check-not-exists", "absent"),
        _op("get", "new"),
        _op("get-tree", "ol"),
        _op("delete", "absent"),
    )
    assert outcome.failures == ()
    shown = [(entry.key, entry.value, entry.flags, entry.session) for entry in outcome.entries]
    assert shown == [
        ("new", b"", 5, ""),
        ("old", b"", 0, ""),
        ("mine", b"", 0, B),
        ("held", b"", 0, ""),
        ("mine", b"", 0, B),
        ("new", b"x", 5, ""),
        ("old", b"y", 0, ""),
    ]
    assert {entry.modify_index for entry in outcome.entries} == {tables.index}


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        (_op("cas", index=1), 'failed to set key "old", index is stale'),
        (_op("delete-cas", index=1), 'failed to delete key "old", index is stale'),
        (_op("lock", "held", session=B), 'failed to lock key "held", lock is already held'),
        (_op("lock", session=NOBODY), f'invalid session "{NOBODY}"'),
        (
            _op("unlock", session=A),
            'failed to unlock key "old", lock isn\'t held, or is held by another session',
        ),
        (_op("get", "no"), 'key "no" doesn\'t exist'),
        (
            _op("check-index", index=9),
            'failed index check for key "old", current modify index 3 != 9',
        ),
        (_op("check-index", "no"), 'failed to check index, key "no" doesn\'t exist'),
        (
            _op("check-session", session=A),
            f'failed session check for key "old", current session "" != "{A}"',
        ),
        (_op("check-not-exists"), 'key "old" exists'),
        (_op("bogus"), 'unknown KV verb "bogus"'),
        (_op("set", ""), "Must provide key"),
        (_op("get", 'a"b'), 'key "a\\"b" doesn\'t exist'),
    ],
)
def test_one_failure_undoes_all_and_is_explained(
    tables: Tables, operation: KeyOperation, text: str
) -> None:
    index = tables.state.kv.index
    outcome = _run(tables, _op("set", "before", value=b"x"), operation, _op("delete", "held"))
    assert [(each.operation, each.text) for each in outcome.failures] == [(1, text)]
    assert outcome.entries == ()
    assert tables.state.kv.get("before") is None
    assert tables.state.kv.get("held") is not None
    assert tables.state.kv.index == index


def test_every_failure_is_named(tables: Tables) -> None:
    outcome = _run(tables, _op("get", "x"), _op("get"), _op("get", "y"))
    assert [each.operation for each in outcome.failures] == [0, 2]


def test_steps_see_those_before_them(tables: Tables) -> None:
    outcome = _run(
        tables,
        _op("delete-tree", ""),
        _op("check-not-exists"),
        _op("set", "a"),
        _op("check-index", "a", index=tables.index + 1),
        _op("delete-cas", "a", index=tables.index + 1),
    )
    assert outcome.failures == ()
    assert tables.state.kv.keys() == []


def test_a_lock_within_the_delay_is_refused_before_anything_is_tried(tables: Tables) -> None:
    tables.do(lambda draft, at: draft.destroy(A, at))
    outcome = _run(tables, _op("get", "no"), _op("lock", "held", session=B))
    assert [(each.operation, each.text) for each in outcome.failures] == [
        (1, 'failed to lock key "held" due to lock delay')
    ]


def test_more_than_64_operations_are_refused(tables: Tables) -> None:
    assert _run(tables, *[_op("get")] * 64).failures == ()
    with pytest.raises(ApiError) as caught:
        _run(tables, *[_op("get")] * 65)
    assert caught.value.status == 413
    assert str(caught.value) == "Transaction contains too many operations (65 > 64)"
