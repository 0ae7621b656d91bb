import pytest

from adapter.statsd.globs import GlobTree, captures_of, count_of_captures


def tree(*patterns: str, is_ordered: bool = True) -> GlobTree:
    made = GlobTree(is_ordered=is_ordered)
    for number, pattern in enumerate(patterns):
        made.add(pattern, number)
    return made


@pytest.mark.parametrize(
    ("patterns", "name", "number", "captures"),
    [
        (["a.*.c"], "a.b.c", 0, ("b",)),
        (["a.*.c"], "a..c", 0, ("",)),
        (["*.*"], "a.b", 0, ("a", "b")),
        (["a.b.*", "a.*.c"], "a.b.c", 0, ("c",)),
        (["a.*.c", "a.b.*"], "a.b.c", 0, ("b",)),
        (["a.b.c", "a.b"], "a.b", 1, ()),
        (["a.b", "a.b"], "a.b", 0, ()),
        (["*.x.*", "a.*.c"], "a.b.c", 1, ("b",)),
        (["foo_*.b"], "foo_bar.b", 0, ("bar",)),
        (["foo.b", "f*.b"], "foo.b", 0, ()),
        (["f*.b", "foo.b"], "foo.b", 0, ("oo",)),
    ],
)
def test_the_first_pattern_wins(
    patterns: list[str], name: str, number: int, captures: tuple[str, ...]
) -> None:
    assert tree(*patterns).find(name) == (number, captures)


@pytest.mark.parametrize("name", ["a", "a.b.c.d", "x.b.c", "a.b.x", "", "a.b.c"])
def test_a_star_spans_no_dot_and_lengths_must_agree(name: str) -> None:
    assert tree("a.q*.c").find(name) is None


@pytest.mark.parametrize(
    ("patterns", "name", "number"),
    [
        (["a.*.c", "a.b.*"], "a.b.c", 1),
        (["*.b.c", "a.*.*"], "a.b.c", 1),
        (["a.b.x", "a.*.c"], "a.b.c", 1),
        (["a.*", "a.f*", "a.foo"], "a.foo", 2),
        (["a.*", "a.f*"], "a.foo", 1),
    ],
)
def test_without_order_the_most_literal_wins(patterns: list[str], name: str, number: int) -> None:
    hit = tree(*patterns, is_ordered=False).find(name)
    assert hit is not None
    assert hit.number == number


def test_without_order_too_nothing_may_fit() -> None:
    assert tree("a.b", is_ordered=False).find("a.c") is None


@pytest.mark.parametrize(
    ("pattern", "field", "captures"),
    [
        ("foo_*", "foo_bar", ("bar",)),
        ("foo_*", "foo_", ("",)),
        ("foo_*", "fo", None),
        ("*_x", "a_x", ("a",)),
        ("a*b*c", "a1b2c", ("1", "2")),
        ("a*b*c", "abc", ("", "")),
        ("a*b*c", "ac", None),
        ("ab*ba", "aba", None),
        ("a*x*a", "axxa", ("", "x")),
    ],
)
def test_stars_inside_a_field(pattern: str, field: str, captures: tuple[str, ...] | None) -> None:
    assert captures_of(pattern, field) == captures
    assert captures is None or len(captures) == count_of_captures(pattern)


def test_many_stars_take_linear_time() -> None:
    assert captures_of("a*" * 50 + "b", "a" * 60_000) is None


def test_the_tree_can_be_drawn() -> None:
    assert list(tree("a.*", "a.x*").lines("gauge")) == [
        '"gauge/2" -> "gauge/2.a" [label="a"];',
        '"gauge/2.a" -> "gauge/2.a.x*" [label="x*",shape=doublecircle];',
        '"gauge/2.a" -> "gauge/2.a.*" [label="*",shape=doublecircle];',
    ]
