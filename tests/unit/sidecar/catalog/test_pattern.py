import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog.automaton import Automaton, Budget, TooExpensive, TooLarge
from sidecar.catalog.pattern import MAX_PATTERN, PatternError, parse_pattern


def occurs(pattern: str, text: str) -> bool:
    return Automaton(parse_pattern(pattern)).search(text, Budget(100_000))


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ("^a$", "a\n", False),
        ("(?m)^b$", "a\nb\nc", True),
        ("a.c", "a\nc", False),
        ("(?s)a.c", "a\nc", True),
        (r"\bweb\b", "a web b", True),
        (r"\bweb\b", "aweb", False),
        (r"\Bb", "ab", True),
        (r"\pL", "é", True),
        (r"\P{L}", "é", False),
        (r"\p{^Lu}", "A", False),
        (r"[^\d]", "7", False),
        (r"[[:^alpha:]]", "a1", True),
        (r"[[:cntrl:]]", "\x7f", True),
        (r"\D", "1", False),
        (r"\x41\x{42}\103", "ABC", True),
        (r"\Qa.b\E+", "a.bb", True),
        (r"\Qa.b", "a.b", True),
        ("(?i)K", "\u212a", True),
        ("(?i)[a-c]x", "BX", True),
        ("(?i)a(?-i)b", "AB", False),
        ("(?i:a)b", "Ab", True),
        ("a{2,3}$", "baa", True),
        ("^a{2}$", "aaa", False),
        ("a{1,}?", "a", True),
        ("x{,2}", "x{,2}", True),
        ("", "", True),
        ("a||b", "", True),
    ],
)
def test_a_pattern_occurs_or_not(pattern: str, text: str, wanted: bool) -> None:
    assert occurs(pattern, text) is wanted


def test_length_and_depth_and_size_are_bounded() -> None:
    with pytest.raises(PatternError, match="longer"):
        parse_pattern("a" * (MAX_PATTERN + 1))
    with pytest.raises(PatternError, match="deeply"):
        parse_pattern("(" * 60)
    with pytest.raises(TooLarge):
        Automaton(parse_pattern("(a{1000}){1000}"))


def test_work_is_bounded() -> None:
    with pytest.raises(TooExpensive):
        Automaton(parse_pattern("a")).search("b" * 100, Budget(50))


def test_the_table_of_steps_is_bounded() -> None:
    automaton = Automaton(parse_pattern("x"))
    text = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 5000))
    assert not automaton.search(text, Budget(100_000))
    assert automaton.search(text + "x", Budget(100_000))


PATTERNS = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\b", "^", "$", "c"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=6,
)


@given(PATTERNS, st.text("abc-", max_size=8))
def test_a_pattern_occurs_where_the_standard_library_finds_it(pattern: str, text: str) -> None:
    assert occurs(pattern, text) == bool(re.search(pattern.replace("$", r"\Z"), text, re.ASCII))


@given(st.text("ab()[]{}|*+?\\^$.-:,<>PQEdpLx0129!=imsU", max_size=14))
def test_any_text_is_a_pattern_or_a_pattern_error(pattern: str) -> None:
    with suppress(PatternError, TooLarge):
        occurs(pattern, "abab")
