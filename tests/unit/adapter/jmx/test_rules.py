import math

import pytest

from adapter.exposition import written
from adapter.jmx.config import settings_of
from adapter.jmx.leaves import Leaf
from adapter.jmx.rules import Judgement, Recipe, judge, safe_name, snake
from adapter.jmx.samples import families, merged
from adapter.jmx.settings import Target

BEAN = {"type": "Topic", "name": "orders", "zone": "eu-1"}


def _target(rules: str) -> Target:
    return settings_of(f"hostPort: h:1\n{rules}\n", "file", {}).targets[0]


def _judged(rules: str, value: object = 5, **more: object) -> Judgement:
    target = _target(rules)
    leaf = Leaf(BEAN, ("Usage",), "usedBytes", "said", value)._replace(**more)  # type: ignore[arg-type]
    return judge("org.example", leaf, target.rules, target.naming, {"Extra": "e"})


def _recipe(rules: str, value: object = 5, **more: object) -> Recipe:
    recipe = _judged(rules, value, **more).recipe
    assert recipe is not None
    return recipe


def test_the_default_name_has_domain_first_value_path_and_attribute() -> None:
    recipe = _recipe("rules: [{}]")
    assert recipe.name == "org_example_Topic_Usage_usedBytes"
    assert recipe.labels == {"name": "orders", "zone": "eu-1", "Extra": "e"}
    assert recipe.help == "said org.example:name=orders,type=Topic,attribute=usedBytes"
    assert (recipe.kind, recipe.value(2), recipe.match) == (
        "unknown",
        2.0,
        "org.example<type=Topic, name=orders, zone=eu-1><Usage>usedBytes",
    )


def test_a_rule_names_metric_labels_type_and_help() -> None:
    recipe = _recipe(
        r"""
lowercaseOutputLabelNames: true
rules:
- pattern: 'org.example<type=(\w+), name=(\w+), zone=(.+)><Usage>(\w+)'
  name: Example_$1_$4
  type: GAUGE
  valueFactor: 0.5
  help: "about $2"
  labels: {"K$1": "v-$2", zone: "$3", empty: "", "": x}
"""
    )
    assert recipe.name == "Example_Topic_usedBytes"
    assert recipe.labels == {"ktopic": "v-orders", "zone": "eu-1", "extra": "e"}
    assert (recipe.kind, recipe.help, recipe.value(5)) == ("gauge", "about orders", 2.5)


def test_the_first_rule_that_matches_decides_and_none_means_no_sample() -> None:
    rules = "rules: [{pattern: nothing}, {pattern: Topic, name: one}, {pattern: Topic, name: two}]"
    assert _recipe(rules).name == "one"
    assert _recipe(rules).rule == 1
    assert _judged("rules: [{pattern: '[0-9]x?7'}]") == Judgement(None, is_fixed=False)
    assert _judged("rules: [{pattern: 'xyz<>'}]") == Judgement(None, is_fixed=True)
    assert _judged("rules: []").recipe is None


def test_a_value_is_made_of_what_the_pattern_found() -> None:
    rules = r"rules: [{pattern: 'usedBytes: v(\d+)', value: '$1', name: version}]"
    recipe = _recipe(rules, "v17")
    assert (recipe.constant, recipe.value("v17")) == (17.0, 17.0)
    assert _judged(rules, "v17").is_fixed is False
    text = r"rules: [{pattern: 'usedBytes: (.*)', value: '$1'}, {pattern: Topic}]"
    assert _judged(text, "no number").recipe is None
    assert _recipe(text, "4").name == "org_example_Topic_Usage_usedBytes"


def test_a_recipe_serves_every_number_if_no_rule_can_see_it() -> None:
    assert _judged(r"rules: [{pattern: '><Usage>(\w+)', name: x_$1}]").is_fixed
    assert not _judged(r"rules: [{pattern: '><Usage>(\w+)', name: x, help: $0}]").is_fixed
    assert not _judged("rules: [{pattern: 'usedBytes: 5', name: x}]").is_fixed
    assert not _judged("rules: [{}]", "text").is_fixed


def test_a_cached_rule_sees_no_value_and_holds_for_good() -> None:
    rules = "rules: [{pattern: 'usedBytes: <cache>', name: x, cache: true}]"
    judged = _judged(rules, "text")
    assert judged.recipe is not None
    assert (judged.is_fixed, judged.cached) == (True, True)


def test_a_cached_rule_does_not_hold_behind_one_that_looks_at_values() -> None:
    rules = "rules: [{pattern: 'usedBytes: 7', name: seven}, {pattern: '', name: x, cache: true}]"
    judged = _judged(rules)
    assert judged.recipe is not None
    assert (judged.recipe.name, judged.is_fixed) == ("x", False)
    assert _recipe(rules, 7).name == "seven"
    text = _judged("rules: [{pattern: '', name: x, value: 1, cache: true}]", "a text")
    assert (text.is_fixed, text.cached) == (True, True)


def test_names_are_changed_as_asked() -> None:
    upper = "lowercaseOutputName: true\nrules: [{pattern: Topic, name: 'A B__c'}]"
    assert _recipe(upper).name == "a_b_c"
    assert (
        _recipe("rules: [{attrNameSnakeCase: true}]").name == "org_example_Topic_Usage_used_bytes"
    )
    counted = "inferCounterTypeFromName: true\nrules: [{pattern: Topic, name: seen_total}]"
    assert (_recipe(counted).kind, _recipe(counted).name) == ("counter", "seen")
    assert _judged("rules: [{pattern: (nope)?Topic, name: $1}]").recipe is None


def test_a_colon_is_legal_in_a_name_but_not_in_a_label() -> None:
    recipe = _recipe("rules: [{pattern: Topic, name: 'a:b', labels: {'c:d': e}}]")
    assert (recipe.name, recipe.labels) == ("a:b", {"c_d": "e", "Extra": "e"})


@pytest.mark.parametrize(
    ("name", "safe"),
    [("a.b-c", "a_b_c"), ("__a__", "_a_"), ("9a", "_9a"), ("é", "_"), ("", ""), ("a:b", "a:b")],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HeapMemoryUsage", "heap_memory_usage"),
        ("aURL", "a_url"),
        ("URLCount", "urlcount"),
        ("a_B", "a_b"),
        ("", ""),
    ],
)
def test_camel_case_becomes_snake_case(name: str, expected: str) -> None:
    assert snake(name) == expected


@pytest.mark.parametrize(
    ("name", "kept"),
    [("a_total", "a"), ("a_bucket_total", "a"), ("_total", "total"), ("a_info", "a"), ("a", "a")],
)
def test_endings_that_the_client_library_keeps_for_itself_are_cut(name: str, kept: str) -> None:
    assert _recipe(f"rules: [{{pattern: Topic, name: {name}}}]").name == kept


def test_a_number_is_what_java_makes_of_it() -> None:
    recipe = _recipe("rules: [{pattern: Topic, name: x, valueFactor: 2}]")
    assert recipe.value(True) == 1.0
    assert recipe.value(False) == 0.0
    assert recipe.value(3) == 6.0
    assert recipe.value(10**400) == math.inf
    assert recipe.value(-(10**400)) == -math.inf
    assert recipe.value("text") is None


def _make(name: str, labels: dict[str, str], kind: str = "gauge", match: str = "m") -> Recipe:
    return Recipe(name, kind, f"help {match}", labels, match=match, rule=0)  # type: ignore[arg-type]


def test_samples_are_grouped_by_name() -> None:
    found = families(
        [
            (_make("b", {"z": "1", "a": "2"}, match="first"), 1.0),
            (_make("a", {}, "counter"), 2.0),
            (_make("b", {}, "unknown", match="second"), 3.0),
        ]
    )
    assert written(found) == (
        "# HELP a_total help m\n# TYPE a_total counter\na_total 2.0\n"
        '# HELP b help first\n# TYPE b untyped\nb{a="2",z="1"} 1.0\nb 3.0\n'
    )


def test_series_that_would_be_one_say_whence_they_are() -> None:
    found = families(
        [
            (_make("a", {"k": "1"}, match="x<>b"), 1.0),
            (_make("a", {"k": "1"}, match="y<>b"), 2.0),
            (_make("a", {"k": "2"}, match="z<>b"), 3.0),
            (_make("a", {"k": "2"}, match="z<>b"), 4.0),
        ]
    )
    assert [series for series, _ in found[0].rows] == [
        'a{k="1",_objectname="x<>b"}',
        'a{k="1",_objectname="y<>b"}',
        'a{k="2",_objectname="z<>b"}',
    ]


def test_labels_of_the_target_win_over_those_of_the_bean() -> None:
    found = families([(_make("a", {"target": "mine"}), 1.0)], {"target": "t"})
    assert found[0].rows == [('a{exported_target="mine",target="t"}', 1.0)]


def test_families_of_several_targets_become_one() -> None:
    one = families([(_make("a", {}), 1.0)], {"target": "1"})
    two = families([(_make("a", {}, "unknown"), 2.0)], {"target": "2"})
    found = merged([one, two])
    assert merged([one, one])[0].kind == "gauge"
    assert [(family.name, family.kind, len(family.rows)) for family in found] == [
        ("a", "unknown", 2)
    ]
    assert len(one[0].rows) == 1  # what was merged is left as it was
