import pytest

from adapter.statsd.mapper import Mapper
from adapter.statsd.mapping import mapping_of

RULES = r"""
mappings:
- {match: 'web.(\w+)', match_type: regex, name: by_regex, labels: {x: "$1", all: "$0"}}
- {match: web.*, name: by_glob, labels: {x: "$1"}}
- {match: only.*, name: counters, match_metric_type: counter}
- {match: 'anywhere', match_type: regex, name: "found"}
- match: 'gauge\.(?P<what>.*)'
  match_type: regex
  name: g_$1
  labels: {w: "${what}"}
  match_metric_type: gauge
- {match: 'gauge', match_type: regex, name: "other"}
"""


def found(name: str, kind: str = "counter", text: str = RULES) -> tuple[str, dict[str, str]] | None:
    mapped = Mapper(mapping_of(text, "m.yml")).find(name, kind)
    return None if mapped is None else (mapped.name, dict(mapped.labels))


def test_globs_come_before_regular_expressions() -> None:
    assert found("web.a") == ("by_glob", {"x": "a"})


def test_with_strict_order_the_file_decides() -> None:
    strict = "defaults: {strict_order: true}" + RULES
    assert found("web.a", text=strict) == ("by_regex", {"x": "a", "all": "web.a"})
    late = strict.replace("web.(", "nothing.(") + "- {match: 'web', match_type: regex, name: late}"
    assert found("web.a", text=late) == ("by_glob", {"x": "a"})
    assert found("webs", text=late) == ("late", {})


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("only.x", "counter", ("counters", {})),
        ("only.x", "gauge", None),
        ("not anywhere", "counter", ("found", {})),
        ("gauge.x", "gauge", ("g_x", {"w": "x"})),
        ("gauge.x", "counter", ("other", {})),
        ("nothing", "counter", None),
        ("web.a.b", "counter", ("by_regex", {"x": "a", "all": "web.a"})),
    ],
)
def test_what_rule_is_for_what(
    name: str, kind: str, expected: tuple[str, dict[str, str]] | None
) -> None:
    assert found(name, kind) == expected


def test_results_are_kept_hits_and_misses_the_oldest_goes() -> None:
    mapper = Mapper(mapping_of(RULES, "m.yml"), 2)
    for name in ("web.a", "nothing", "web.a", "nothing", "web.b", "web.a"):
        mapper.find(name, "counter")
    assert (mapper.lookups, mapper.hits, len(mapper)) == (6, 2, 2)


def test_nothing_is_kept_when_there_is_no_room_or_the_name_is_long() -> None:
    none = Mapper(mapping_of(RULES, "m.yml"), 0)
    none.find("web.a", "counter")
    some = Mapper(mapping_of(RULES, "m.yml"))
    some.find("x" * 2000, "counter")
    assert len(none) == len(some) == 0


def test_a_regular_expression_that_takes_too_long_is_no_match() -> None:
    text = "mappings: [{match: '(a|b|ab)*(b|a|ba)*c', match_type: regex, name: x}]"
    mapper = Mapper(mapping_of(text, "m.yml"))
    assert mapper.find("ab" * 20_000 + "c", "counter") is None
    assert mapper.find("abc", "counter") is not None


def test_a_type_without_rules_has_none() -> None:
    assert Mapper(mapping_of("", "m.yml")).find("a", "counter") is None
