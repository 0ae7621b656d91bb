"""No pattern takes for ever, and which engine is used makes no difference."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.jmx import javapattern
from adapter.jmx.javaregex import compiled
from adapter.jmx.objectname import parse, parse_pattern

LONG = "a" * 3000
BAD = [
    (r"(a+)+$", LONG + "b", False),
    (r"(a+)+b", LONG + "b", True),
    (r"(a+)+c", LONG, False),
    (r"(a|aa)+c", LONG, False),
    (r"(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)c", LONG, False),
    (r"(a?){30}a{30}c", LONG, False),
    (r"(.*)(.*)(.*)(.*)(.*)c", LONG, False),
    (r"(\w+\.?)+<>", "d<" + LONG, False),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", LONG, False),
    (r"(.*)=(.*)=(.*)=(.*)=(.*)=(.*)c", "a=" * 500, False),
    (r"(?=c)(.*)(.*)(.*)(.*)", LONG, False),
    (r"(\w+) \1 (.*)(.*)(.*)c", LONG, False),
]


@pytest.mark.parametrize(("pattern", "text", "is_match"), BAD, ids=[one for one, *_ in BAD])
def test_a_bad_pattern_ends(pattern: str, text: str, is_match: bool) -> None:
    before = time.thread_time()
    java = compiled(pattern)
    assert (java.match(text) is not None) == is_match
    assert time.thread_time() - before < 30  # without a bound these take years


def test_what_is_given_up_is_counted() -> None:
    java = compiled(r"(?=a)(.*)(.*)(.*)(.*)c")
    assert java.match(LONG) is None
    assert java.gave_up == 1
    assert java.match("abc") is not None
    long = compiled(r"(a+)+b")
    assert long.match("a" * 2_000_000) is None
    assert long.gave_up == 1


@pytest.mark.parametrize(
    "pattern",
    [
        r"java.lang<type=(.+), name=(.+)><(.+), (.+)>(.+): (.+)",
        r"kafka.(\w+)<type=(.+), name=(.+)PerSec\w*, topic=(.+)><>Count",
        r"^Catalina<type=(\w+), name=(\"?.+\"?)><>(\w+):",
        r"org.apache.cassandra.metrics<type=(\w+), name=(\w+)><>(Mean|95thPercentile): (\d+)",
        r"(.*)<(.*)><(.*)>(.*)",
        r"^(?!java)(.+)<type=(.+)><>(\w+)",
        r"(?i)hadoop<service=(\w+), name=(\w+)><>(\w+)",
    ],
)
def test_patterns_as_people_write_them_stay_with_the_quick_engine(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = compiled(pattern)
    monkeypatch.setattr(java, "_row", None)
    for text in (
        "java.lang<name=G1 Old Generation, type=GarbageCollector, key=a><LastGcInfo>used: 94285952",
        "kafka.server<type=TopicMetrics, name=BytesInPerSec, topic=a.b.c.d>Count: 1234567890123",
    ):
        java.match(text)
    assert java.gave_up == 0


PIECES = st.sampled_from(
    [
        *(
            "a",
            "b",
            ".",
            "[ab]",
            r"\w",
            "a*",
            "b+?",
            ".*",
            "a?",
            "(a)",
            "(b|ab)",
            "(a+)",
            "(?:ab)*",
        ),
        *("(a|b)+", "(a*)b", "^", "$", r"\b", "a{1,2}", "(b{2}|)", ": ", "((a)|b)*?"),
    ]
)


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=5), st.text("ab: ", max_size=12))
def test_both_engines_take_the_same_alternatives(pieces: list[str], text: str) -> None:
    java = compiled("".join(pieces))
    assert java.linear is not None
    slow = java.search.fullmatch(text)
    found = java.linear.all(text, 1)
    assert bool(found) == (slow is not None)
    if slow is not None:
        groups = tuple(
            text[start:end] if start >= 0 else None
            for start, end in zip(found[0][2::2], found[0][3::2], strict=True)
        )
        # Of an empty round in a repetition Python keeps the groups, Java and we do not care.
        if not re.search(r"\*\)|\?\)\*|\|\)|\)[*+]", java.search.pattern):
            assert groups == slow.groups()


def test_a_pattern_of_names_does_not_go_back() -> None:
    _, matches = parse_pattern("d:type=" + "*a" * 40)
    assert matches(parse("d:type=" + "xa" * 40))
    assert not matches(parse("d:type=" + "a" * 5000 + "b"))
    _, odd = parse_pattern("d:type=a*b?d*")
    assert odd(parse("d:type=axbbcd"))
    assert odd(parse("d:type=abxd*"))
    assert not odd(parse("d:type=abd"))


def test_a_repeated_repetition_that_is_too_large_for_the_other_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="that could take for ever"):
        compiled("(?:a{0,900}b?){2,9}")


def test_text_with_line_ends_is_more_work() -> None:
    java = compiled("(.*)(a+)")
    assert java.match("a" * 50) is not None
    assert java.match("a" * 2000 + "\n") is None
    assert java.gave_up == 0


def test_the_bound_of_the_other_engine_is_not_below_that_of_the_first() -> None:
    assert javapattern.DEAR >= javapattern.CHEAP
