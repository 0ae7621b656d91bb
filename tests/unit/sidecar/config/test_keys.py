"""One list of keys, variables and flags, derived from the model."""

import pytest

from sidecar.config.keys import KEYS, OPTIONS, SECTIONS, VARIABLES, nearest, suggestion


def test_each_field_of_the_model_is_a_key_with_its_variable_and_default() -> None:
    key = KEYS["store.state_dir"]
    assert (key.variable, key.default, key.choices) == ("PINNACE_STORE__STATE_DIR", "", ())
    assert VARIABLES["PINNACE_STORE__STATE_DIR"] is key


def test_a_key_with_a_closed_set_of_values_lists_them() -> None:
    assert KEYS["lb.kind"].choices == ("haproxy", "nginx", "none")


def test_sections_keep_the_order_of_the_model() -> None:
    assert SECTIONS == ("docker", "store", "registrar", "dns", "http", "lb", "scheduler", "log")


def test_every_option_sets_a_key_and_no_two_set_the_same() -> None:
    keys = [option.key for option in OPTIONS.values()]
    assert set(keys) <= KEYS.keys()
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("name", "near"),
    [("listn", "listen"), ("LISTEN", "listen"), ("state-dir", "state_dir"), ("banana", None)],
)
def test_the_nearest_name_ignores_case_and_hyphens(name: str, near: str | None) -> None:
    assert nearest(name, ["listen", "state_dir"]) == near


def test_a_suggestion_is_empty_when_nothing_is_near() -> None:
    assert suggestion("dnss", ["dns"], "[{}]") == "; did you mean [dns]?"
    assert suggestion("banana", ["dns"]) == ""
