"""All syntax errors of a document are found, and what is right is still read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.config.document import parse


def mistakes(text: str) -> list[str]:
    return [f"{mistake.at}: {mistake.message}" for mistake in parse(text).mistakes]


def test_a_right_document_has_values_positions_and_no_mistakes() -> None:
    document = parse("[dns]\nlisten = ':53'\n")
    assert document.values == {"dns": {"listen": ":53"}}
    assert document.positions["dns", "listen"] == (2, 1)
    assert document.mistakes == ()


def test_two_wrong_lines_are_both_named_and_the_others_kept() -> None:
    text = "a = consul\nb = 1\nc = 127.0.0.1:53\n[t]\nd 1\ne = 2"
    assert parse(text).values == {"b": 1, "t": {"e": 2}}
    assert mistakes(text) == [
        "1:5: invalid value; text must be in quotes",
        "3:10: expected newline or end of document after a statement; text must be in quotes",
        "5:3: expected '=' after a key in a key/value pair",
    ]


def test_lines_keep_their_numbers_behind_a_wrong_one() -> None:
    assert parse("a = \nb = 1").positions["b",] == (2, 1)


def test_a_key_given_twice_names_the_first() -> None:
    text = "a = 1\n\na = [\n 1,\n]\na = 2\nb = 3"
    assert parse(text).values == {"a": 1, "b": 3}
    assert mistakes(text) == [
        "3:1: 'a' is given twice, first at line 1",
        "6:1: 'a' is given twice, first at line 1",
    ]


def test_a_key_given_twice_on_the_last_line_without_a_line_end_is_named() -> None:
    assert mistakes("a = 1\na = 2") == ["2:1: 'a' is given twice, first at line 1"]


def test_a_table_given_twice_goes_as_a_whole() -> None:
    text = "[a]\nx = 1\n[b]\n[a]\nx = 2\ny = 3\n[c]\nz = 1"
    assert parse(text).values == {"a": {"x": 1}, "b": {}, "c": {"z": 1}}
    assert mistakes(text) == ["4:2: 'a' is given twice, first at line 1"]


def test_keys_below_a_wrong_header_do_not_fall_into_the_table_before() -> None:
    text = "[a]\nx = 1\n[b\nx = 2\n[c]\ny = 1"
    assert parse(text).values == {"a": {"x": 1}, "c": {"y": 1}}
    assert len(mistakes(text)) == 1


def test_other_rules_about_tables_are_told_in_the_words_of_the_parser() -> None:
    assert mistakes("a = 1\n[a.b]\n[d]") == ["2:5: cannot overwrite a value"]


def test_the_rest_of_a_wrong_array_is_no_second_mistake() -> None:
    text = "a = [1 2,\n  3,\n]\nb = 1\nc = =\n"
    assert parse(text).values == {"b": 1}
    assert [line.split(":")[0] for line in mistakes(text)] == ["1", "5"]


@pytest.mark.parametrize("text", ['a = """\nb = 1\n', "a = [\nb = 1\n"])
def test_when_the_end_of_a_wrong_statement_is_unclear_nothing_more_is_claimed(text: str) -> None:
    document = parse(text)
    assert (document.values, len(document.mistakes)) == ({}, 1)


def test_no_more_than_twenty_mistakes_are_told() -> None:
    assert len(mistakes("a = \n" * 50)) == 20


def test_nesting_beyond_reason_is_refused() -> None:
    assert mistakes("a = " + "[" * 100_000) == ["None: arrays or tables are nested too deeply"]


def test_nesting_beyond_reason_behind_another_mistake_is_refused_too() -> None:
    assert len(mistakes("a = 1__0\nb = " + "[" * 100_000)) == 1


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    (mistake,) = parse("a = " + "9" * 5000).mistakes
    assert mistake.at is None
    assert "digits" in mistake.message


def test_an_unquoted_word_gets_the_hint_but_a_wrong_number_does_not() -> None:
    assert mistakes("a = 1__0") == ["1:6: expected newline or end of document after a statement"]


@given(st.text(st.sampled_from("ab.=[]{}\"'\\\n\r\t ,#1-_"), max_size=60))
def test_any_text_gives_values_or_mistakes(text: str) -> None:
    document = parse(text)
    if not document.mistakes:
        assert document.values.keys() == {path[0] for path in document.positions}
