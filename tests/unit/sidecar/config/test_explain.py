"""Values and origins as people and programs read them."""

import json

import pytest

from sidecar.config.explain import as_json, as_table, shown, value_of
from sidecar.config.keys import KEYS
from sidecar.config.load import settle
from sidecar.config.sources import Value


def test_the_table_has_a_line_per_key_with_value_and_origin() -> None:
    lines = as_table(settle({"--dns": ":53"}, {}, "[lb]\ndrain = 5", "p.toml")).splitlines()
    assert lines[0].split() == ["key", "value", "origin"]
    assert [line.split()[0] for line in lines[1:]] == list(KEYS)
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert rows["dns.listen"] == [":53", "flag", "--dns"]
    assert rows["lb.drain"] == ["5s", "file", "p.toml:2:1"]
    assert rows["store.state_dir"] == ['""', "default"]
    assert len({line.index("default") for line in lines if line.endswith("default")}) == 1


def test_the_json_keeps_types() -> None:
    told = json.loads(as_json(settle({}, {"PINNACE_LB__DRAIN": "5s"})))
    assert told["lb.drain"] == {"value": 5.0, "origin": "environment PINNACE_LB__DRAIN"}
    assert told["dns.only_passing"] == {"value": False, "origin": "default"}
    assert list(told) == list(KEYS)


def test_a_password_in_a_url_is_hidden_in_both() -> None:
    loaded = settle({"--docker": "tcp://me:canary@h:1"}, {})
    for text in (as_table(loaded), as_json(loaded)):
        assert "tcp://***@h:1" in text
        assert "canary" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (0.25, "0.25s"),
        (1232, "1232"),
        ("", '""'),
        ("a", "a"),
        ((), "[]"),
        (("a", "b"), "a b"),
    ],
)
def test_values_look_as_one_would_write_them(value: Value, text: str) -> None:
    assert shown(value) == text


def test_a_password_in_a_list_of_urls_is_hidden() -> None:
    loaded = settle({}, {"PINNACE_REGISTRAR__STORES": "consul://me:canary@h"})
    assert value_of(loaded, "registrar.stores") == ("consul://***@h",)
