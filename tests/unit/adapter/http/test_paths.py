from typing import Any

import pytest

from adapter.http.paths import Path, find, path_of

ROOT: Any = {"a": {"b": [1, {"c": 2}], "d.e": 3}, "x": {"k": {"v": 4}, "l": {"v": 5}}}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("$.a.b", ("a", "b")),
        ("a.*.c", ("a", None, "c")),
        ('a."d.e"', ("a", "d.e")),
        ('"*"', ("*",)),
    ],
)
def test_paths(text: str, path: Path) -> None:
    assert path_of(text) == path


@pytest.mark.parametrize("text", ["", "a.", ".a", "a..b", 'a"b"', '"a', ".".join("a" * 33)])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"path|fields"):
        path_of(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b.0", [(1, ())]),
        ("a.b.1.c", [(2, ())]),
        ("a.b.2", []),
        ("a.b.x", []),
        ('a."d.e"', [(3, ())]),
        ("x.*.v", [(4, ("k",)), (5, ("l",))]),
        ("a.b.*.c", [(2, ("1",))]),
        ("a.zz", []),
        ("a.b.0.c", []),
        ("a.b.0.*", []),
    ],
)
def test_values_at_a_path(text: str, values: list[tuple[Any, tuple[str, ...]]]) -> None:
    assert [(f.value, f.captures) for f in find(ROOT, path_of(text))] == values


def test_the_element_is_what_the_last_star_stands_for() -> None:
    assert [f.element for f in find(ROOT, path_of("x.*.v"))] == [{"v": 4}, {"v": 5}]
