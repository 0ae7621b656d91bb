import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.golang.quoting import quoted, unquoted
from sidecar.golang.reading import base64_of, integer, truth


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('a"b\\', '"a\\"b\\\\"'),
        ("\n\t\x01\x7f", '"\\n\\t\\x01\\x7f"'),
        ("é\u200b\U000e0001", '"é\\u200b\\U000e0001"'),
    ],
)
def test_text_is_quoted_as_go_prints_it(text: str, wanted: str) -> None:
    assert quoted(text) == wanted


@given(st.text())
def test_what_is_quoted_can_be_read_back(text: str) -> None:
    assert unquoted(quoted(text)) == text


@pytest.mark.parametrize("literal", ['"\\400"', '"\\ud800"', '"\\U00110000"', '"\\q"', '"a\nb"'])
def test_malformed_literals_mean_nothing(literal: str) -> None:
    assert unquoted(literal) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("0x1f", 31), ("-0b11", -3), ("0o17", 15), ("017", 15), ("+1_000", 1000), ("0", 0)],
)
def test_integers_are_read_in_every_base(text: str, wanted: int) -> None:
    assert integer(text) == wanted


def test_truth_has_six_spellings_each() -> None:
    assert all(truth(word) for word in ("1", "t", "T", "true", "TRUE", "True"))
    assert not any(truth(word) for word in ("0", "f", "F", "false", "FALSE", "False"))


@pytest.mark.parametrize(
    ("text", "data"), [("", b""), ("YQ==", b"a"), ("YW\nI=\r\n", b"ab"), ("YWJj", b"abc")]
)
def test_base64_is_read_with_padding_and_without_line_ends(text: str, data: bytes) -> None:
    assert base64_of(text) == data


@pytest.mark.parametrize(
    ("text", "at"),
    [("%%", 0), ("YQ%=", 2), ("YQ", 0), ("YQ=", 3), ("YQ=x", 2), ("YWI=x", 4), ("Y===", 1)],
)
def test_what_is_wrong_with_base64_is_told_by_its_place(text: str, at: int) -> None:
    with pytest.raises(ValueError, match=f"^illegal base64 data at input byte {at}$"):
        base64_of(text)
