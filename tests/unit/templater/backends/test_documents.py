"""YAML as confd reads it; expected values were measured on confd."""

import pytest

from sidecar.errors import ProtocolError
from templater.backends.documents import values_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "true"), ("No", "false"), ("on", "true"), ("y", "true"), ("t", "t"),
        ("TRUE", "true"), ("0644", "420"), ("0o644", "420"), ("0x1F", "31"), ("0b101", "5"),
        ("-0b11", "-3"), ("-0x1F", "-31"), ("1_000", "1000"), ("1:30", "1:30"), ("08", "8"),
        ("+7", "7"), ("1e3", "1000"), ("1.0", "1"), (".5", "0.5"), ("5.", "5"),
        ("99999999999999999999", "100000000000000000000"), (".inf", "+Inf"), (".nan", "NaN"),
        ("''", ""), ("2020-01-01", "2020-01-01"), ("2020-01-01T10:00:00Z", "2020-01-01T10:00:00Z"),
        ("!!binary aGVsbG8=", "hello"), ("!!str 12", "12"), ('"x"', "x"), ("a b", "a b"),
        ("0x", "0x"), ("1__0", "10"), ("0o8", "0o8"),
    ],
)  # fmt: skip
def test_plain_text_means_what_it_means_to_confd(text: str, value: str) -> None:
    assert values_of(f"k: {text}".encode(), "f") == {"/k": value}


@pytest.mark.parametrize("text", ["~", "null", "", "Null"])
def test_null_is_dropped(text: str) -> None:
    assert values_of(f"k: {text}\nl: 1".encode(), "f") == {"/l": "1"}


def test_a_key_is_its_text_whatever_it_looks_like() -> None:
    assert values_of(b"{yes: 1, 1: 2, 1.50: 3, n: 4}", "f") == {
        "/yes": "1", "/1": "2", "/1.50": "3", "/n": "4",
    }  # fmt: skip


def test_merges_and_json_work() -> None:
    assert values_of(b"m: &m {p: 1, q: 2}\no: {<<: *m, q: 3}\n", "f") == {
        "/m/p": "1", "/m/q": "2", "/o/p": "1", "/o/q": "3",
    }  # fmt: skip
    assert values_of(b'{"a": [1, {"b": "c"}]}', "f") == {"/a/0": "1", "/a/1/b": "c"}


def test_an_empty_document_has_no_values() -> None:
    assert values_of(b"", "f") == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"- a\n", "f: the top must be a mapping, not list"),
        (b"a: [", "f: "),
        (b"a: !!python/object:os.system x", "f: "),
        (b"a: \xff", "f: "),
        (b"a: &a [*a]", "deep"),
        (b"[" * 5000, "f: "),
    ],
)
def test_what_is_no_document_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        values_of(content, "f")


def test_aliases_that_explode_are_refused() -> None:
    lines = [b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [b"a%d: &a%d [%s]" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 8)]
    with pytest.raises(ProtocolError, match="more than"):
        values_of(b"\n".join(lines), "f")


def test_a_file_too_large_is_refused() -> None:
    with pytest.raises(ProtocolError, match="larger than"):
        values_of(b" " * ((64 << 20) + 1), "f")
