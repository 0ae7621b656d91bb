"""Matching and replacing as Go's regexp does."""

import pytest

from sidecar.catalog.regex import Regex, compiled


@pytest.mark.parametrize(
    ("pattern", "text", "new", "result"),
    [
        ("c(y*)d", "+cd+cyyd+", "N", "+N+N+"),
        ("c(y*)d", "+cd+cyyd+", "$1", "++yy+"),
        ("c(y*)d", "+cd+cyyd+", "$1Z", "+++"),
        ("c(y*)d", "+cd+cyyd+", "${1}Z", "+Z+yyZ+"),
        ("", "abc", "-", "-a-b-c-"),
        ("a*", "baac", "x", "xbxcx"),
        ("a+?", "aaa", "b", "bbb"),
        ("(?U)a+", "aaa", "b", "bbb"),
        ("a??b", "aab", "x", "ax"),
        ("(a|ab)(c|bcd)(d*)", "abcd", "$1,$2,$3", "a,bcd,"),
        (r"(?P<first>\w+) (?P<second>\w+)", "a b c d", "${second} $first", "b a d c"),
        ("(?i)ABC", "xabcx", "$$", "x$x"),
        ("(a)|b", "ab", "[$1$9$nope]", "[a][]"),
        (r"^\d{2,3}$", "123", "y", "y"),
        (r"(?m)^x", "x\nx", "y", "y\ny"),
        (r"\bx\b", "x xx x", "y", "y xx y"),
        ("(ab){2}", "abab", "$1", "ab"),
        ("(a|b)*", "ab", "<$1>", "<b>"),
        ("x$ y", "x", "z", "x"),
        ("x", "x", "a$", "a$"),
    ],
)
def test_replacing_is_gos(pattern: str, text: str, new: str, result: str) -> None:
    assert compiled(pattern).replaced(text, new) == result


def test_matching_takes_time_linear_in_the_text() -> None:
    assert not compiled("(a+)+$").matches("a" * 5000 + "b")
    assert compiled("(a*)*b").replaced("a" * 3000 + "b", "x") == "x"


def test_a_literal_replacement_has_no_groups() -> None:
    assert compiled("(a)").replaced("a", "$1", is_literal=True) == "$1"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "error parsing regexp: missing closing ): `(`"),
        ("a**", "invalid nested repetition operator"),
        ("((a{100}){100})", "too large"),
    ],
)
def test_a_wrong_pattern_is_refused_in_gos_words(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match="error parsing regexp") as refused:
        compiled(pattern)
    assert words in str(refused.value)


def test_work_is_bounded() -> None:
    with pytest.raises(ValueError, match="takes too long"):
        Regex("(?:a?){30}b", 1000).matches("a" * 2000)
    with pytest.raises(ValueError, match="takes too long"):
        Regex("a+?b", 1000).all("a" * 600 + "b")
