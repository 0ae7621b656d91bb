"""Regular expressions of templates; expected values are those of Go's package regexp."""

import time

import pytest

from sidecar.catalog.regex import Regex, compiled
from tests.support.pace import allowed


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a|ab", "ab", ["a"]),
        ("a*?b", "aab", ["aab"]),
        ("a+?", "aa", ["a", "a"]),
        ("(?U)a+", "aa", ["a", "a"]),
        ("x*", "axb", ["", "x", ""]),
        ("a{2,3}", "aaaaa", ["aaa", "aa"]),
        (r"\bw\w+", "web awe wo", ["web", "wo"]),
        ("(?m)^.$", "a\nbc\nd", ["a", "d"]),
        ("é+", "caféé", ["éé"]),
        ("nope", "text", []),
    ],
)
def test_matches_are_the_leftmost_and_preferred(pattern: str, text: str, found: list[str]) -> None:
    assert [text[caps[0] : caps[1]] for caps in Regex(pattern).all(text)] == found


@pytest.mark.parametrize(
    ("pattern", "text", "new", "result"),
    [
        ("a(x*)b", "-ab-axxb-", "${1}W", "-W-xxW-"),
        ("a(x*)b", "-ab-axxb-", "$1W", "---"),
        ("(?P<one>a)|(b)", "ab", "<$one$2>", "<a><b>"),
        ("a", "aa", "$$9$", "$9$$9$"),
        ("a", "a", "$9", ""),
        ("x*", "ab", "-", "-a-b-"),
        ("x*", "axb", "-", "-a-b-"),
        ("(a){0,2}b", "aab", "$1", "a"),
        ("(a)?b", "b", "[$1]", "[]"),
    ],
)
def test_replacing_names_groups_as_go_does(pattern: str, text: str, new: str, result: str) -> None:
    assert Regex(pattern).replaced(text, new) == result


def test_a_literal_replacement_has_no_groups() -> None:
    assert Regex("(a)").replaced("a", "$1", is_literal=True) == "$1"


def test_a_pattern_that_makes_others_go_back_takes_linear_time() -> None:
    begun = time.perf_counter()
    assert not Regex("^(a+)+$").matches("a" * 5000 + "!")
    assert Regex("(a*)*b").replaced("a" * 2000 + "c", "") == "a" * 2000 + "c"
    assert time.perf_counter() - begun < allowed(2)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "error parsing regexp: missing closing ): `(`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(a{1000}){1000}", "error parsing regexp: expression too large"),
    ],
)
def test_a_wrong_pattern_is_told_in_gos_words(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match="error parsing regexp") as raised:
        compiled(pattern)
    assert words in str(raised.value)


def test_a_text_that_takes_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="takes too long"):
        Regex("(a|b)*c", 200).matches("ab" * 500)
    with pytest.raises(ValueError, match="takes too long"):
        Regex("a(b)", 200).all("ab" + "a" * 300 + "ab")
