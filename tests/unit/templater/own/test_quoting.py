"""A quoted value, read by its target's rules, is the value again and nothing besides."""

import json
import re
import shlex
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import RenderError
from templater.own.quoting import haproxy, nginx, quoted_json, quoted_yaml, regex, shell
from templater.own.values import UNSAFE, Suspect, wrapped
from tests.support.words import haproxy_words, nginx_words

NASTY = st.sampled_from(
    ["", "'", '"', "\\", "a b", "#", "a'b\"c\\", "; rm -rf /", "$(id)", "`id`", "{", "}",
     "%[env(A)]",
     "${HOME}", "\\'", "-n", "=x", "é", "\u00a0", "a\\", "''", "*", "~", "!x", "null", "yes", "1e3"]
)  # fmt: skip
CLEAN = (st.text(max_size=40) | NASTY).filter(lambda text: UNSAFE.search(text) is None)
ANY = st.text(max_size=40) | NASTY | st.text("\n\r\t\x00\x7f\x85\u2028'\"\\ #;$", max_size=9)


@given(CLEAN)
def test_haproxy_reads_one_word(text: str) -> None:
    assert haproxy_words(f"setenv X {haproxy(text)} more") == ["setenv", "X", text, "more"]


@given(CLEAN)
def test_percent_doubles_in_a_format_of_haproxy(text: str) -> None:
    (word,) = haproxy_words(haproxy(text, format=True))
    assert word == text.replace("%", "%%")


@given(CLEAN.filter(lambda text: "$" not in text))
def test_nginx_reads_one_word(text: str) -> None:
    assert nginx_words(f"return 200 {nginx(text)} more;") == ["return", "200", text, "more"]


@given(ANY.filter(lambda text: "\0" not in text))
def test_a_shell_reads_one_word(text: str) -> None:
    if re.search("[\ud800-\udfff]", text):
        return
    assert shlex.split(f"echo {shell(text)} more") == ["echo", text, "more"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | ANY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(VALUES)
def test_json_gives_the_value_back_on_one_line_of_ascii(value: Any) -> None:
    text = quoted_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert text.isprintable()


@given(st.lists(ANY, max_size=4) | st.dictionaries(ANY, ANY | st.integers(), max_size=4) | ANY)
def test_yaml_gives_the_value_back_and_ends_nothing(value: Any) -> None:
    text = quoted_yaml(value)
    assert yaml.safe_load(f"key: {text}\nother: 1\n") == {"key": value, "other": 1}


@given(ANY)
def test_an_expression_matches_the_text_only(text: str) -> None:
    try:
        quoted = regex(text)
    except RenderError:
        assert re.search("[\x85\u2028\u2029\ud800-\udfff]", text)
        return
    assert re.fullmatch(quoted, text)
    assert re.fullmatch(quoted, text + "x") is None
    assert UNSAFE.search(quoted) is None


@pytest.mark.parametrize("quote", [haproxy, nginx])
@pytest.mark.parametrize("char", ["\n", "\r", "\t", "\0", "\x7f", "\x85", "\u2028", "\ud800"])
def test_what_a_line_cannot_hold_is_refused_naming_service_and_field(quote: Any, char: str) -> None:
    value = wrapped(f"a{char}b", "service 'web'", "meta 'x'")
    with pytest.raises(RenderError, match=r"cannot hold .*service 'web': meta 'x'"):
        quote(value)


@pytest.mark.parametrize(
    ("quote", "value"), [(nginx, "$host"), (shell, "\0"), (shell, "\ud800"), (regex, "\u2028")]
)
def test_what_a_target_cannot_hold_is_refused(quote: Any, value: str) -> None:
    with pytest.raises(RenderError):
        quote(value)


def test_suspect_values_are_quoted_wherever_they_stand() -> None:
    value = wrapped("a\nb", "x", "y")
    assert isinstance(value, Suspect)
    assert quoted_json({"k": [value]}) == '{"k": ["a\\nb"]}'
    assert quoted_yaml([value]) == '["a\\nb"]'
    assert shell(value) == "'a\nb'"


@pytest.mark.parametrize("value", [object(), {1, 2}, [[[object()]]]])
def test_what_is_no_data_is_not_quoted(value: Any) -> None:
    with pytest.raises(RenderError):
        quoted_json(value)


def test_numbers_and_truth_are_words() -> None:
    assert [haproxy(1), nginx(2.5), shell(value=True), regex(7)] == ["1", "2.5", "true", "7"]


def test_depth_and_length_of_keys_are_bounded() -> None:
    deep: Any = []
    for _ in range(30):
        deep = [deep]
    with pytest.raises(RenderError, match="nested"):
        quoted_json(deep)
    with pytest.raises(RenderError, match="too long"):
        quoted_yaml({"k" * 2000: 1})
