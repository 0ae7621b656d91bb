# ruff: noqa: E501  (tables of texts)
"""JSON, YAML and TOML as Go's encoders write them; values seen on consul-template 0.41.1."""

from dataclasses import dataclass

import pytest

from sidecar.gotemplate.values import Int64, Map, Pointer
from templater.functions.plain import float_text
from templater.functions.write_json import write_json
from templater.functions.write_toml import write_toml
from templater.functions.yaml_text import read_yaml, write_yaml


@dataclass(frozen=True)
class Thing:
    node_id: str
    port: int


@pytest.mark.parametrize(
    ("value", "json", "yaml"),
    [
        (2592000.0, "2592000", "2.592e+06"),
        (1e6, "1000000", "1e+06"),
        (123456789.0, "123456789", "1.23456789e+08"),
        (1e20, "100000000000000000000", "1e+20"),
        (1e21, "1e+21", "1e+21"),
        (1.5e-5, "0.000015", "1.5e-05"),
        (1e-7, "1e-7", "1e-07"),
        (0.0001, "0.0001", "0.0001"),
        (0.0, "0", "0"),
        (-2.5, "-2.5", "-2.5"),
        (999999.0, "999999", "999999"),
        (Int64(5), "5", "5"),
        (None, "null", "null"),
        (True, "true", "true"),
        ("a<b>&\u2028\udc80", '"a\\u003cb\\u003e\\u0026\\u2028\\ufffd"', None),
        (b"hi", '"aGk="', None),
        ([], "[]", "[]"),
        ({}, "{}", "{}"),
        (Map({2: "b", 1: "a"}), '{"1":"a","2":"b"}', "1: a\n2: b"),
        (Thing("v", 1), '{"NodeID":"v","Port":1}', "nodeid: v\nport: 1"),
        (Pointer(Thing("n", 1), Thing), '{"NodeID":"n","Port":1}', None),  # type: ignore[arg-type]
    ],
)
def test_values_are_written(value: object, json: str, yaml: str | None) -> None:
    assert write_json(value) == json
    if yaml is not None:
        assert write_yaml(value) == yaml


def test_indented_json_has_a_blank_after_the_colon() -> None:
    assert write_json({"b": [1, {}], "a": []}, "  ", escapes_html=False) == (
        '{\n  "a": [],\n  "b": [\n    1,\n    {}\n  ]\n}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object, {(1, 2): 1}])
def test_what_json_has_no_form_for_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="json: unsupported"):
        write_json(value)


def test_text_that_would_be_read_as_something_else_is_quoted() -> None:
    value = {
        "a": {"y": "true", "n": "1", "t": "l1\nl2", "e": "", "c": "a: b", "s": "- x"},
        "k10": "2001-01-01", "k9": "1:30", "yes": "no", "q": "it's",
        "w": "long words that go on and on and on beyond eighty columns so that folding would be",
    }  # fmt: skip
    assert write_yaml(value) == (
        'a:\n  c: \'a: b\'\n  e: ""\n  "n": "1"\n  s: \'- x\'\n  t: |-\n    l1\n    l2\n'
        '  "y": "true"\nk9: "1:30"\nk10: "2001-01-01"\nq: it\'s\n'
        "w: long words that go on and on and on beyond eighty columns so that folding would\n"
        '  be\n"yes": "no"'
    )


def test_yaml_is_read_as_version_1_1() -> None:
    text = "a: yes\nb: 0644\nc: 2001-01-01\nd: [1, 'x', ~]\nf: 1_000\ng: 1:30\nh: 0o14\ni: 0x1F\nk: 1e3\nl: .inf"
    assert read_yaml(text) == {
        "a": True, "b": 420, "c": "2001-01-01", "d": [1, "x", None], "f": 1000, "g": "1:30",
        "h": 12, "i": 31, "k": 1000.0, "l": float("inf"),
    }  # fmt: skip
    assert read_yaml("x: &a {b: 1}\nz:\n  <<: *a\n  c: 2") == {"x": {"b": 1}, "z": {"b": 1, "c": 2}}
    assert read_yaml("18446744073709551616") == 18446744073709551616.0


@pytest.mark.parametrize("text", ["a: [", "? [1]\n: 2", "!!python/object:os.system x", "\t- a"])
def test_wrong_yaml_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="yaml:"):
        read_yaml(text)


def test_toml_has_plain_values_first_and_tables_indented() -> None:
    value = {
        "b": [1.0, 2.5], "a": {"z": "x", "n": {"q": 1.5}}, "t": [{"a": 1.0}, {"b": 2.0}],
        "f": 2592000.0, "g": 1e-9, "big": 1e22, "e": 'a\tb"\x01', "m": {}, "l": [], "o d": True,
        "i": 3, "null": None, "mix": [{"x": 1}, 2], "inf": float("-inf"),
    }  # fmt: skip
    assert write_toml(value) == (
        'b = [1.0, 2.5]\nbig = 10000000000000000000000.0\ne = "a\\tb\\"\\u0001"\n'
        "f = 2592000.0\ng = 0.000000001\ni = 3\ninf = -inf\nl = []\nmix = [{x = 1}, 2]\n"
        '"o d" = true\n\n[a]\n  z = "x"\n  [a.n]\n    q = 1.5\n\n[m]\n\n'
        "[[t]]\n  a = 1.0\n\n[[t]]\n  b = 2.0"
    )


@pytest.mark.parametrize("value", [[1], {1: 2}, {"a": object}])
def test_what_toml_has_no_form_for_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="toml:"):
        write_toml(value)


def test_values_nested_without_end_are_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    for write in (write_json, write_yaml):
        with pytest.raises(ValueError, match="nested too deeply"):
            write(endless)


def test_special_floats_have_names() -> None:
    assert [float_text(value, -4, 21) for value in (float("nan"), float("inf"), -float("inf"))] == [
        "NaN", "+Inf", "-Inf",
    ]  # fmt: skip
    assert write_yaml([float("inf"), float("nan")]) == "- .inf\n- .nan"
