"""A resource's keys as templates read them, and what was read."""

import pytest

from templater.confd.store import KVPair, Store

VALUES = {
    "/p/a": "1", "/p/b/x": "2", "/p/b/y/z": "2", "/p/upstream/app2": "10", "/p/upstream/app1": "9",
}  # fmt: skip


def filled(prefix: str = "/p") -> Store:
    store = Store(prefix)
    store.fill(VALUES)
    return store


def test_only_an_exact_key_exists() -> None:
    store = filled()
    assert store.exists("/a")
    assert not store.exists("/b")


def test_a_missing_key_is_confds_error_unless_there_is_a_default() -> None:
    store = filled()
    with pytest.raises(LookupError, match=r"^key does not exist: /no$"):
        store.getv("/no")
    with pytest.raises(LookupError, match=r"^key does not exist: /no$"):
        store.get("/no")
    assert store.getv("/no", "first", "second") == "first"
    assert store.getv("/a", "unused") == "1"
    assert store.get("/a") == KVPair("/a", "1")


def test_an_empty_value_wins_over_the_default() -> None:
    store = Store()
    store.fill({"/e": ""})
    assert store.getv("/e", "d") == ""


def test_pairs_are_sorted_by_key_and_values_by_themselves() -> None:
    store = filled()
    assert store.gets("/upstream/*") == [
        KVPair("/upstream/app1", "9"), KVPair("/upstream/app2", "10"),
    ]  # fmt: skip
    assert store.getvs("/upstream/*") == ["10", "9"]
    assert store.gets("/none/*") == []


def test_a_bad_pattern_is_no_error_where_there_are_no_keys() -> None:
    assert Store().gets("[") == []
    with pytest.raises(ValueError, match="syntax error in pattern"):
        filled().gets("[")


@pytest.mark.parametrize(
    ("folder", "names", "folders"),
    [
        ("/", ["a"], []),  # the root shows keys, not folders (measured on confd)
        ("/b", ["x", "y"], ["y"]),
        ("/a", ["a"], []),
        ("/b/", ["x", "y"], ["y"]),
        ("/up", [], []),
        ("/none", [], []),
    ],
)
def test_names_one_level_below(folder: str, names: list[str], folders: list[str]) -> None:
    assert filled().ls(folder) == names
    assert filled().lsdir(folder) == folders


@pytest.mark.parametrize(
    ("key", "matters"),
    [("/p/a", True), ("/p/upstream/new", True), ("/p/upstream/a/b", False), ("/p/b/new", True),
     ("/p/b/y/new/deep", True), ("/p/other", False), ("/p/no", True)],
)  # fmt: skip
def test_only_a_key_that_was_asked_for_matters(key: str, matters: bool) -> None:
    store = filled()
    store.getv("/a")
    store.gets("/upstream/*")
    store.ls("/b")
    store.exists("/no")
    assert store.concerned([key]) is matters
    store.fill(VALUES)
    assert not store.concerned([key]), "filling forgets"
