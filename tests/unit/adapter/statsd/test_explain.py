from adapter.statsd.explain import explained
from adapter.statsd.lines import Limits
from adapter.statsd.mapping import mapping_of
from adapter.statsd.tags import Styles

RULES = """mappings:
- {match: a.*, name: x, labels: {l: "$1"}}
- {match: d.*, name: x, action: drop}
- {match: e.*, name: "$2"}
"""


def told(line: str, sets: bool = False) -> list[str]:
    mapping = mapping_of(RULES, "m.yml")
    return explained(line, mapping, Styles(), Limits(sets=sets), "m.yml").splitlines()


def test_a_line_is_told_with_tags_rule_and_series() -> None:
    assert told("a.b:3|c|@0.5|#t:v") == [
        "line     a.b:3|c|@0.5|#t:v",
        "name     a.b",
        "tag      t = v",
        "sample   counter 3.0, divided by 0.5",
        "rule     m.yml:2 a.* -> x",
        'counted  events_total{type="counter"} 1',
        'counted  events_actions_total{action="map"} 1',
        "series   # TYPE x counter",
        'series   x{l="b",t="v"} 6.0',
    ]


def test_what_leads_nowhere_is_told_too() -> None:
    assert "rule     m.yml:3 d.* -> dropped" in told("d.x:1|c")
    assert "rule     m.yml:4 e.* -> no name" in told("e.x:1|c")
    assert "rule     none" in told("u:+1|g")
    assert "sample   gauge 1.0, relative" in told("u:+1|g")
    assert "sample   observer 1.0, 10 times" in told("u:1|h|@0.1")
    assert "sample   set joe" in told("u:joe|s", sets=True)


def test_what_is_wrong_is_told_by_its_counter() -> None:
    assert told("bad") == [
        "line     bad",
        'counted  sample_errors_total{reason="malformed_line"} 1',
    ]
