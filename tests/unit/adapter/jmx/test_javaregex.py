import re

import pytest

from adapter.jmx import javapattern
from adapter.jmx.javaregex import compiled
from adapter.jmx.javatemplate import template


def _groups(pattern: str, text: str) -> tuple[str | None, ...] | None:
    match = compiled(pattern).search.fullmatch(text)
    return None if match is None else match.groups()


CASES: list[tuple[str, str, tuple[str | None, ...] | None]] = [
    (r"b(\w+)", "abcd", ("cd",)),
    (r"(?<name>\d+)-\k<name>", "12-12", ("12",)),
    (r"(a)\1", "xaa", ("a",)),
    (r"\Qa.b\E(c)", "a.bc", ("c",)),
    (r"\Qa.b\E(c)", "axbc", None),
    (r"\Qab\E+(c)", "abbc", ("c",)),
    (r"\Qopen", "open", ()),
    (r"\E\Q\Ex", "x", ()),
    (r"(\p{Alpha}+)(\p{Digit})", "ab1", ("b", "1")),
    (r"^(\p{Lu}\p{L}+)$", "Éa", ("Éa",)),
    (r"^(\P{Lower}+)$", "AB", ("AB",)),
    (r"^(\p{IsAlphabetic}+)$", "éa", ("éa",)),
    (r"^(\pL+)$", "ab", ("ab",)),
    (r"^(\p{^Digit}+)$", "ab", ("ab",)),
    (r"^([\p{Upper}\d_]+)$", "A1_", ("A1_",)),
    (r"^([a-z&&[^aeiou]]+)$", "xyz", ("xyz",)),
    (r"^([a-z&&[^aeiou]]+)$", "xaz", None),
    (r"^([a-c[x-z]]+)$", "axc", ("axc",)),
    (r"^([^a-c[x-z]]+)$", "mno", ("mno",)),
    (r"^([^a-c[x-z]]+)$", "amo", None),
    (r"^([\W_]+)$", "-_", ("-_",)),
    (r"^([\Qa-\E]+)$", "a-", ("a-",)),
    (r"^([]a]+)$", "]a", ("]a",)),
    (r"^([a-]+)$", "a-", ("a-",)),
    (r"^([\x41\u0042\t\0101]+)$", "AB\tA", ("AB\tA",)),
    (r"^(\x{1F600})$", "😀", ("😀",)),
    (r"^(\cA\e)$", "\x01\x1b", ("\x01\x1b",)),
    (r"^(\h+)\.$", " \t.", (" \t",)),
    (r"a(?i)b|c", "aB", ()),
    (r"^a(?i)b|xC$", "c", None),
    (r"(?i:ab)c", "ABc", ()),
    (r"(?i)x(?-i)Y", "XY", ()),
    (r"(?s)a(.)b", "a\nb", ("\n",)),
    (r"(?s:a.b)(.)", "a\nbc", ("c",)),
    (r"a(.)b", "a\nb", None),
    (r"a.*b", "a\u2028b", None),
    (r"^(a*+)(b)", "aab", ("aa", "b")),
    (r"^(?>a+)(b)", "aab", ("b",)),
    (r"(?=a)(\w)(?<=a)(?!c)(?<!x)b", "ab", ("a",)),
    (r"(?:a|b)+?(c)", "abc", ("c",)),
    (r"\Aa\b(.*)\z", "a b", (" b",)),
    (r"a\Z", "a", ()),
    (r"a{2}(b{1,})", "aabb", ("bb",)),
    (r"\.\*\[\{", ".*[{", ()),
    (r"\d", "٣", None),
    (r"\w", "é", None),
]


@pytest.mark.parametrize(("pattern", "text", "groups"), CASES)
def test_patterns_match_as_in_java(
    pattern: str, text: str, groups: tuple[str | None, ...] | None
) -> None:
    assert _groups(pattern, text) == groups


@pytest.mark.parametrize(("pattern", "text", "groups"), CASES)
def test_the_linear_engine_finds_the_same(
    pattern: str,
    text: str,
    groups: tuple[str | None, ...] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    java = compiled(pattern)
    monkeypatch.setattr(javapattern, "CHEAP", 0)
    found = java.match(text)
    if groups is None:
        assert found is None
    else:
        assert found is not None
        assert tuple(found[number + 1] for number in range(len(groups))) == groups


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", r"\( is not closed"),
        ("a)", r"\) at 2 closes nothing"),
        ("*a", "nothing to repeat"),
        ("[a", r"\[ is not closed"),
        (r"\p{Nope}", "no character class"),
        (r"\p", "a name in braces"),
        (r"\y", "means nothing"),
        ("a\\", "means nothing"),
        (r"\k1", "wants <name>"),
        (r"[b-a]", "runs backwards"),
        (r"\x{110000}", "no character"),
        (r"(?x)a", "flag x"),
        (r"(?<=a+)b", "cannot be used"),
        (r"(?<n>a)(?<n>b)", "cannot be used"),
        (r"\2", "cannot be used"),
    ],
)
def test_what_cannot_be_translated_is_told(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "is_fixed"),
    [
        (r"a<type=(\w+)><>(\w+)", True),
        (r"a<type=(\w+)><>(\w+):", False),
        (r"a<type=(\w+)><>(\w+): (.*)", False),
        (r"a<type=(.+)><>(.+)", False),
        (r"a<type=(.+)><>Count", True),
        ("kafka.*", True),
        ("kafka.+", True),
        ("kafka.{3}", False),
        (".*", True),
        ("", True),
        ("(.*)", False),
        ("7", False),
        ("true", False),
        ("a|b", False),
        ("(?:a|b)<>x", True),
        ("(?:a|b)x?", False),
        ("(?:a|b)<>Count", True),
        (r"<>Count\d*", True),
        (r"<>\S+", False),
        (r"<>[^ ]+", False),
        (r"<>[^: ]+", True),
        (r"Count$", False),
        (r"(?i)count", False),
        (r"<>C?", True),
        (r"C?o*", False),
        (r"\QCount: \E", False),
        (r"\Q><>\E", True),
    ],
)
def test_a_pattern_is_fixed_only_if_no_number_can_change_its_match(
    pattern: str, is_fixed: bool
) -> None:
    java = compiled(pattern)
    assert java.is_fixed == is_fixed
    if is_fixed:
        found = {
            (match is not None, match.groups() if match else ())
            for value in ("7", "-1.0E10", "NaN", "-Infinity", "true", "false", "0.0")
            for text in (f"kafka<type=Aa><>Count: {value}",)
            for match in (java.search.fullmatch(text),)
        }
        assert len(found) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x_$1", "x_one"),
        ("${word}-$2", "two-two"),
        ("$12", "one2"),
        (r"\$1\\", "$1\\"),
        ("$0!", "one two!"),
        ("[$3]", "[]"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_templates_are_filled_as_by_replace_all(text: str, expected: str) -> None:
    pattern = re.compile(r"(\w+) (?P<word>\w+)(x)?")
    match = pattern.fullmatch("one two")
    assert match is not None
    assert template(text, pattern).of(match) == expected


def test_a_group_of_two_digits_is_taken_if_there_is_one() -> None:
    pattern = re.compile("(.)" * 12)
    match = pattern.fullmatch("abcdefghijkl")
    assert match is not None
    assert template("$12$1x", pattern).of(match) == "lax"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$", "followed by a group"),
        ("$x", "followed by a group"),
        ("$4", "no group 4"),
        ("${nope}", "no group 'nope'"),
        ("a\\", "stands for nothing"),
    ],
)
def test_a_template_that_java_would_refuse_is_told(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        template(text, re.compile(r"(a)(?P<word>b)(c)"))
