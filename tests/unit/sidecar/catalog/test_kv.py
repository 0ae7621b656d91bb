import pytest

from sidecar.catalog.kv import Entry, KeyValues, Removed, cut_at
from tests.support.keys import Tables


def _entry(key: str, index: int, session: str = "") -> Entry:
    return Entry(key=key, create_index=index, modify_index=index, session=session)


def test_an_empty_table_has_index_1() -> None:
    kv = KeyValues()
    assert kv.index == kv.index_of("x") == kv.index_below("x") == kv.index_below("") == 1
    assert kv.list().entries == ()


def test_a_prefix_is_a_plain_beginning_of_text_and_the_list_is_sorted() -> None:
    tables = Tables()
    tables.put("d/h", "dx", "d/", "e", "d/e/f", "d")
    assert [entry.key for entry in tables.state.kv.list("d").entries] == [
        "d", "d/", "d/e/f", "d/h", "dx",
    ]  # fmt: skip
    assert tables.state.kv.keys("d/") == ["d/", "d/e/f", "d/h"]
    assert len(tables.state.kv) == 6


def test_order_is_that_of_utf8_bytes() -> None:
    keys = ["\U0001f600", "\uffee", "z", "é", "a"]
    tables = Tables()
    tables.put(*keys)
    assert tables.state.kv.keys() == sorted(keys, key=str.encode)


@pytest.mark.parametrize(
    ("prefix", "separator", "cut"),
    [
        ("d/", "/", ["d/", "d/e/", "d/h"]),
        ("", "/", ["d/", "e"]),
        ("d/e", "/", ["d/e/"]),
        ("", "", ["d/", "d/e/f", "d/e/g", "d/h", "e"]),
        ("", "e/", ["d/", "d/e/", "d/h", "e"]),
    ],
)
def test_keys_are_cut_after_the_next_separator(prefix: str, separator: str, cut: list[str]) -> None:
    tables = Tables()
    tables.put("d/", "d/e/f", "d/e/g", "d/h", "e")
    assert cut_at(tables.state.kv.keys(prefix), prefix, separator) == cut


def test_a_present_key_has_its_own_index_and_an_absent_one_the_tables() -> None:
    tables = Tables()
    tables.put("a", "b")
    assert (tables.state.kv.index_of("a"), tables.state.kv.index_of("x")) == (1, 2)


def test_deleting_the_newest_child_moves_the_index_of_the_prefix_up() -> None:
    tables = Tables()
    tables.put("p/a", "p/b", "q")
    kv = tables.state.kv
    assert kv.index_below("p/") == 2
    tables.do(lambda draft, at: draft.delete("p/b", at))
    assert kv.index_below("p/") == 4
    tables.do(lambda draft, at: draft.delete("p/a", at))
    assert kv.index_below("p/") == 5
    tables.put("q")
    assert (kv.index_below("p/"), kv.index_below("none/")) == (5, 5)
    tables.put("q", value=b"new")
    assert (kv.index_below("p/"), kv.index_below("none/")) == (5, 7)
    assert kv.has_own_index("p/")
    assert not kv.has_own_index("none/")


def test_a_tombstone_outlives_the_return_of_its_key() -> None:  # recorded on Consul 1.8.7
    kv = KeyValues()
    kv.commit({"p/a": _entry("p/a", 3)})
    kv.commit({"p/a": Removed(4)})
    kv.commit({"p/a": _entry("p/a", 6)})
    assert kv.index_below("p/") == 6
    kv.commit({"p/a": Removed(7, "p")})  # with the prefix "p", which is not below "p/"
    kv.commit({"other": _entry("other", 8)})
    assert kv.index_below("p/") == 7, (
        "another key does not move it; nor does it fall to 4, as there"
    )
    assert kv.has_own_index("p/")


def test_forgotten_tombstones_leave_a_floor_under_every_prefix() -> None:
    kv = KeyValues(tombstones=4)
    kv.commit({f"p/{n}": _entry(f"p/{n}", n) for n in range(1, 6)})
    kv.commit({"kept": _entry("kept", 6)})
    for n in range(1, 6):
        kv.commit({f"p/{n}": Removed(10 + n)})
    assert len(kv._tombstones) == 2
    assert kv.index_below("p/") == 15
    assert kv.index_below("p/1") == 15, "the table's, as it is not known any more"
    assert kv.index_below("kept") == 13, "never back, even where nothing was deleted"
    assert kv.index_of("kept") == 6


def test_the_index_of_a_prefix_never_falls_below_what_was_before_a_restart() -> None:
    kv = KeyValues([_entry("p/a", 3), _entry("q", 9)], index=12)
    assert (kv.index, kv.index_below("p/"), kv.index_of("p/a")) == (12, 12, 3)


def test_many_changes_at_once_keep_the_order() -> None:
    kv = KeyValues()
    kv.commit({f"{n:03}": _entry(f"{n:03}", 1) for n in range(200)})
    kv.commit({f"{n:03}": Removed(2) for n in range(0, 200, 2)})
    assert kv.keys() == [f"{n:03}" for n in range(1, 200, 2)]
    assert kv.index_below("00") == 2


def test_the_keys_a_session_holds_are_known() -> None:
    kv = KeyValues([_entry("a", 1, "s"), _entry("b", 1, "s")])
    kv.commit({"a": _entry("a", 2), "c": _entry("c", 2, "t")})
    assert (kv.held("s"), kv.held("t"), kv.held("u")) == ({"b"}, {"c"}, set())
    kv.commit({"b": Removed(3)})
    assert kv.held("s") == set()


def test_keys_that_go_with_a_prefix_share_one_tombstone_there() -> None:
    tables = Tables()
    for key in ("a/x", "a/d/x", "z"):
        tables.put(key)
    tables.do(lambda draft, at: draft.delete_tree("a", at))
    gone = tables.index
    tables.put("z", value=b"new")
    kv = tables.state.kv
    assert kv.index_below("a") == gone
    assert kv.index_below("a/d/") == kv.index == gone + 1  # as Consul 1.8.7: the table's


def test_no_index_falls_below_a_prefix_that_went_whatever_tombstones_are_left() -> None:
    tables = Tables()
    for key in ("a/x", "a/y"):
        tables.put(key)
    tables.do(lambda draft, at: draft.delete("a/x", at))
    tables.put("a/y", value=b"new")
    before = tables.state.kv.index_below("a/")
    tables.do(lambda draft, at: draft.delete_tree("a", at))
    assert tables.state.kv.index_below("a/") == tables.index > before
