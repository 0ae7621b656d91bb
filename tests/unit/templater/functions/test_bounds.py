"""Values that templates make of little, met by functions that walk through all of them."""

import pytest

from sidecar.errors import RenderError
from sidecar.gotemplate.template import compile_template
from templater.confd.extra import EXTRA
from templater.functions.bounds import MOST, bounded
from templater.functions.sprig_data import SPRIG, both_names
from templater.own.quoting import QUOTING
from tests.unit.templater.consul_template.test_rendering import run

NESTED = "{{$l := sprig_list 1}}{{range sprig_until 40}}{{$l = sprig_list $l $l}}{{end}}"


def _error(text: str) -> str:
    functions = {**both_names(SPRIG), **EXTRA}
    with pytest.raises(RenderError) as raised:
        compile_template("t", text, functions).execute(None)
    return str(raised.value)


@pytest.mark.parametrize(
    "call",
    [
        "toJson $l", "toPrettyJson $l", "sprig_toJson $l", "deepCopy $l", "deepEqual $l $l",
        "uniq (list $l)", "without (list $l) 1", "has 1 (list $l)", "has $l (list 1)",
        "without (list 1) $l",
    ],
)  # fmt: skip
def test_a_walk_through_lists_in_lists_ends_soon(call: str) -> None:
    assert f"a value of more than {MOST} parts" in _error(f"{NESTED}{{{{{call}}}}}")


@pytest.mark.parametrize("call", ["toJSON $l", "toYAML $l", 'toTOML (sprig_dict "a" $l)'])
def test_encoders_of_consul_template_end_soon_too(call: str) -> None:
    assert f"a value of more than {MOST} parts" in run(f"{NESTED}{{{{{call}}}}}").error


@pytest.mark.parametrize("name", ["json", "yaml"])
def test_quoting_ends_soon_too(name: str) -> None:
    nested: list[object] = [1]
    for _ in range(19):
        nested = [nested] * 10
    with pytest.raises(RenderError, match="a value of more than"):
        QUOTING[name](nested)


def test_a_list_that_doubles_ends_at_a_bound() -> None:
    text = "{{$l := list 1}}{{range until 40}}{{$l = concat $l $l}}{{end}}"
    assert f"a list of more than {MOST} items" in _error(text)


def test_many_lists_are_not_compared_each_with_each() -> None:
    text = "{{uniq (chunk 1 (until 5000))}}"
    assert "more than 1000 lists or maps to compare" in _error(text)


def test_what_is_in_itself_is_refused() -> None:
    held: dict[str, object] = {"a": {"b": [1, 2]}}
    assert bounded(held) is held
    held["self"] = [held, held]
    with pytest.raises(ValueError, match="nested too deeply"):
        bounded(held)
