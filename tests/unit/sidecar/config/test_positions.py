"""The scanner finds every key that tomllib finds, in the place where it is written."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.config.positions import Path, Position, scan


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, bool]]:
    """Yield each path and whether a key (not an index) is its last part."""
    if path:
        yield path, isinstance(path[-1], str)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))


def written_at(text: str, at: Position) -> str:
    return text.replace("\r\n", "\n").split("\n")[at.line - 1][at.column - 1 :]


def is_key(text: str, name: str) -> bool:
    """Say whether text begins with this key, bare or quoted."""
    if text.startswith(name) and name and not text[len(name) : len(name) + 1].isalnum():
        return True
    if text.startswith(f"'{name}'"):
        return True
    if not text.startswith('"'):
        return False
    end = next(at for at in range(1, len(text)) if text[at] == '"' and not _is_escaped(text, at))
    return bool(tomllib.loads(f"k = {text[: end + 1]}")["k"] == name)


def _is_escaped(text: str, at: int) -> bool:
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


# --- documents, valid by construction: a number makes each key different ----------------------

BARE = st.text("abzAZ09_-", max_size=3)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"), max_size=6)
GAP = st.sampled_from(["", " ", "\t", "  "])
LINES = st.sampled_from(["", " ", "\n", "\n\n", ' # ] } = "\n', "\t\n # '''\n "])
COMMENT = st.sampled_from(["", " # x = 1", "#[a]", ' # """'])
SCALARS = st.sampled_from(
    [
        "1", "0x1F", "+1_000", "0.5e-3", "inf", "-nan", "true", "false",
        "1979-05-27T07:32:00Z", "1979-05-27 07:32:00.999-07:00", "1979-05-27", "07:32:00",
        '""', "''", '"a # b = [c"', "'\\'", '"\\""', '"\\u00e9\\\\"', "''' x '''",
        '"""\n[a]\nb = 1 \\""" """', '"""a"""""', "'''\n'' ' [x]\n'''''", '"""\\\n   x"""',
    ]
)  # fmt: skip


@st.composite
def keys(draw: st.DrawFn, number: int) -> str:
    match draw(st.integers(0, 2)):
        case 0:
            return f"{draw(BARE)}{number}"
        case 1:
            text = "".join(c for c in draw(ANY_TEXT) if c.isprintable() and c != "'")
            return f"'{text}{number}'"
        case _:
            return json.dumps(f"{draw(ANY_TEXT)}{number}", ensure_ascii=False)


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.integers(0, 3 if depth else 1))
    if kind <= 1:
        return draw(SCALARS)
    inner: list[str] = draw(st.lists(values(depth - 1), max_size=3))
    if kind == 2:
        gap = draw(LINES)
        trailing = draw(st.booleans())
        comma = "," if inner and trailing else ""
        return f"[{gap}" + f"{gap},{gap}".join(inner) + f"{comma}{gap}]"
    pairs = [f"{draw(dotted(100 + n))}{draw(GAP)}={draw(GAP)}{v}" for n, v in enumerate(inner)]
    return "{ " + " , ".join(pairs) + " }"


@st.composite
def dotted(draw: st.DrawFn, number: int) -> str:
    parts = [draw(keys(number)) for _ in range(draw(st.integers(1, 3)))]
    return f"{draw(GAP)}.{draw(GAP)}".join(parts)


@st.composite
def documents(draw: st.DrawFn) -> str:
    lines = []
    arrays: list[str] = []
    for number in range(draw(st.integers(0, 8))):
        gap = draw(GAP)
        match draw(st.integers(0, 5)):
            case 0:
                statement = f"[{gap}{draw(dotted(number))}{gap}]"
            case 1:
                arrays.append(draw(dotted(number)))
                statement = f"[[{gap}{arrays[-1]}{gap}]]"
            case 2 if arrays:
                statement = f"[[{draw(st.sampled_from(arrays))}]]"
            case 3 if arrays:
                statement = f"[{draw(st.sampled_from(arrays))}.{draw(keys(number))}]"
            case _:
                statement = f"{draw(dotted(number))}{gap}={gap}{draw(values())}"
        lines.append(f"{draw(GAP)}{statement}{draw(COMMENT)}")
    ending = draw(st.sampled_from(["\n", "\r\n", "\n\n# end\n"]))
    return ending.join(lines) + draw(st.sampled_from(["", ending]))


@given(documents())
def test_every_path_tomllib_finds_has_a_position_where_its_key_is_written(text: str) -> None:
    found = scan(text)
    for path, is_name in leaves(tomllib.loads(text)):
        at = found.positions[path]
        if is_name:
            assert is_key(written_at(text, at), str(path[-1])), (path, at)
    assert found.repeats == []


@given(st.text(st.sampled_from("ab.=[]{}\"'\\\n\r\t ,#1-_é"), max_size=40))
def test_any_text_is_scanned_without_an_exception(text: str) -> None:
    positions = scan(text).positions
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert {path for path, _ in leaves(values)} <= positions.keys()


# --- examples ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "at"),
    [
        pytest.param("a = 1", ("a",), (1, 1), id="first key"),
        pytest.param("\n  [ a . b ]\nc.d=1", ("a", "b", "c", "d"), (3, 3), id="dotted key"),
        pytest.param("\n  [ a . b ]\nc.d=1", ("a", "b"), (2, 9), id="dotted table"),
        pytest.param("[a.b]\n[a.c]", ("a",), (1, 2), id="a table stands where it was named first"),
        pytest.param("[[a]]\n[[a]]\nb=1", ("a", 1, "b"), (3, 1), id="array of tables"),
        pytest.param("[[a]]\n[[a]]\n", ("a", 1), (2, 3), id="an element of it"),
        pytest.param("[[a]]\n[a.b]\n[[a]]\n[a.b]\nc=1", ("a", 1, "b", "c"), (5, 1), id="below"),
        pytest.param("[[a]]\n[[a.b]]\n[[a]]\n[[a.b]]", ("a", 1, "b", 0), (4, 5), id="nested"),
        pytest.param("a = {b = [1, {c = 2}]}", ("a", "b", 1, "c"), (1, 15), id="inline table"),
        pytest.param('a = """\nb = 1\n"""\nb = 2', ("b",), (4, 1), id="not in a string"),
        pytest.param("# b = 1\nb = 2", ("b",), (2, 1), id="not in a comment"),
        pytest.param('"\\u0061" = 1', ("a",), (1, 1), id="escaped key"),
        pytest.param("'é' = 1\r\n'ü'.b = 2", ("ü", "b"), (2, 5), id="CRLF"),
    ],
)
def test_a_key_stands_where_it_is_written(text: str, path: Path, at: tuple[int, int]) -> None:
    assert scan(text).positions[path] == at


def test_a_position_reads_as_line_and_column() -> None:
    assert str(Position(3, 14)) == "3:14"


@pytest.mark.parametrize(
    ("text", "path", "at", "first"),
    [
        pytest.param("[a]\nb = 1\nb = 2", ("a", "b"), (3, 1), (2, 1), id="key"),
        pytest.param("[a]\nb = 1\n[c]\n[a]", ("a",), (4, 2), (1, 2), id="table"),
        pytest.param("a = {b = 1, b = 2}", ("a", "b"), (1, 13), (1, 6), id="in an inline table"),
    ],
)
def test_what_is_given_twice_is_named_with_both_places(
    text: str, path: Path, at: tuple[int, int], first: tuple[int, int]
) -> None:
    assert scan(text).repeats == [(path, at, first)]


@pytest.mark.parametrize("wrong", ["b 1", "b = ", "b = ['' 2]", 'b = "x', "[b", "[[b]", "= 1", "."])
def test_what_was_seen_before_the_text_goes_wrong_is_kept(wrong: str) -> None:
    found = scan(f"a = 1\n{wrong}\nc = 1")
    assert found.positions["a",] == (1, 1)
    assert ("c",) not in found.positions
    assert found.statements == [1, 2]


@pytest.mark.parametrize("wrong", ['"\\q" = 1', "a = '' 2"])
def test_the_scan_ends_at_a_key_or_value_that_is_none(wrong: str) -> None:
    assert ("c",) not in scan(f"{wrong}\nc = 1").positions
