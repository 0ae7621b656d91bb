"""HCL, version 1: what users write in configuration files, and garbage."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templater.consul_template.hcl import Block, HclError, Item, Value, parse


def plain(block: Block) -> list[object]:
    """Return keys and values without positions."""

    def of(value: Value) -> object:
        if isinstance(value, Block):
            return plain(value)
        return [of(each) for each in value] if isinstance(value, list) else value

    return [(*item.keys, of(item.value)) for item in block.items]


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", []),
        ("a = 1", [("a", 1)]),
        ('a = "x" b = true\nc = false', [("a", "x"), ("b", True), ("c", False)]),
        ("a = 1, b = 2", [("a", 1), ("b", 2)]),
        (
            "n = -3 h = 0x1F o = 0644 z = 0 f = 1.5e3",
            [(k, v) for k, v in (("n", -3), ("h", 31), ("o", 420), ("z", 0), ("f", 1500.0))],
        ),
        ('consul { address = "127.0.0.1:8500" }', [("consul", [("address", "127.0.0.1:8500")])]),
        ('b "c" "d" { e = 1 }', [("b", "c", "d", [("e", 1)])]),
        ('"quoted key" = 1', [("quoted key", 1)]),
        ("l = [1, 2,]", [("l", [1, 2])]),
        ("l = []", [("l", [])]),
        ("l = [{ a = 1 }, { a = 2 }]", [("l", [[("a", 1)], [("a", 2)]])]),
        ("# one\n// two\n/* three\n*/ a = 1 # four", [("a", 1)]),
        ("t {}\nt {}", [("t", []), ("t", [])]),
        (r'a = "x\n\"y\"\\ \u00e9\x41"', [("a", 'x\n"y"\\ \u00e9A')]),
        ('a = "${key("b")} c"', [("a", '${key("b")} c')]),
        ('a = "$b ${c{}} $" d = 1', [("a", "$b ${c{}} $"), ("d", 1)]),
        ("a = <<EOF\none\n  two\nEOF\nb = 1", [("a", "one\n  two\n"), ("b", 1)]),
        ("a = <<-EOF\n    one\n      two\n    EOF\n", [("a", "one\n  two\n")]),
        ("a = <<-EOF\n  one\n    EOF\n", [("a", "  one\n")]),
        ('{"a": {"b": [1, {"c": []}]}, "a": {}}', [("a", [("b", [1, [("c", [])]])]), ("a", [])]),
        ("a-b.c = 1", [("a-b.c", 1)]),
    ],
)
def test_a_text_is_read(text: str, items: list[object]) -> None:
    assert plain(parse(text)) == items


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", "1:5: a value is expected, not the end"),
        ("a", "1:2: '=' or '{' is expected after 'a', not the end"),
        ("a {\n b = 1", "2:7: a block is not closed, '}' is missing"),
        ("\n  a = [1 2]", "2:10: ',' or ']' is expected in a list, not '2'"),
        ('a = "x', "1:5: a string is not closed"),
        ('a = "x\ny"', "1:5: a string is not closed"),
        (r'a = "\q"', r"1:6: unknown escape '\\q'"),
        (r'a = "\ud800"', r"1:6: \ud800 is no character"),
        ("a = <<EOF\nx\n", "1:5: the line EOF that ends a text is missing"),
        ("a = 1x", "1:5: unexpected '1'"),
        ("a = maybe", "1:5: a value is expected, not 'maybe'"),
        ("a b = 1", "1:1: an assignment has one key only"),
        ("= 1", "1:1: a key is expected, not '='"),
        ('a = "${b"', "1:6: '${' is not closed in a string"),
        ('{"a": }', "1:7: Expecting value"),
        ("a = " + "[" * 200, "1:105: nested over 100 deep"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(HclError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_items_know_where_they_stand_and_are_found_by_key() -> None:
    block = parse("a = 1\n  t { x = 2 }\nt {}")
    assert [(item.line, item.column) for item in block.items] == [(1, 1), (2, 3), (3, 1)]
    assert block.all("t") == (
        Item(("t",), Block((Item(("x",), 2, 2, 7),)), 2, 3),
        Item(("t",), Block(), 3, 1),
    )


@given(st.text(max_size=60) | st.text('ab ={}[]"\\$,#/*<-\n10.x', max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(HclError):
        assert isinstance(parse(text), Block)


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.booleans()))
def test_json_gives_what_json_says(document: dict[str, object]) -> None:
    assert plain(parse(json.dumps(document))) == list(document.items())
