import pytest

from adapter.statsd.mapping import BUCKETS, Defaults, Summary, mapping_of
from sidecar.errors import ConfigError

EVERYTHING = r"""
defaults:
  observer_type: histogram
  match_type: glob
  glob_disable_ordering: true
  ttl: 1m20s
  summary_options:
    quantiles: [{quantile: 0.9, error: 0.01}, {quantile: 0.5, error: 0.05}]
    max_age: 30s
    age_buckets: 3
    buf_cap: 100
  histogram_options:
    buckets: [0.1, 1, .inf]
    native_histogram_bucket_factor: 1.1
    native_histogram_max_buckets: 256
  strict_order: true
  counter_suffix: auto
mappings:
- match: a.*.b_*
  name: ${1}_x
  labels: {q: "$1", env: 5}
  honor_labels: true
  help: Words.
  match_metric_type: counter
  ttl: 5s
  scale: 0
- match: (\d+)$
  match_type: regex
  name: n_$1
  action: drop
  observer_type: summary
"""


def rules(text: str) -> object:
    return mapping_of(f"mappings:\n- {text}\n", "m.yml").rules[0]


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        mapping_of(text, "m.yml")
    return list(caught.value.problems)


def test_every_key_is_read() -> None:
    mapping = mapping_of(EVERYTHING, "m.yml")
    assert mapping.defaults == Defaults(
        observer_type="histogram",
        match_type="glob",
        is_ordered=False,
        ttl=80.0,
        summary=Summary(((0.5, 0.05), (0.9, 0.01)), 30.0, 3),
        buckets=(0.1, 1.0),
        is_strict=True,
        adds_total=True,
    )
    first, second = mapping.rules
    assert first.labels == (("q", "$1"), ("env", "5"))
    assert (first.honors_labels, first.help, first.kind) == (True, "Words.", "counter")
    assert (first.ttl, first.scale, first.is_drop) == (5.0, 0.0, False)
    assert (first.observer_type, first.buckets, first.line) == ("histogram", (0.1, 1.0), 19)
    assert second.regex is not None
    assert (second.is_drop, second.ttl, second.scale) == (True, 80.0, None)
    assert mapping.warnings == ()


@pytest.mark.parametrize("text", ["", "defaults:\nmappings:\n", "mappings: []"])
def test_an_empty_file_has_the_defaults(text: str) -> None:
    mapping = mapping_of(text, "m.yml")
    assert mapping.defaults == Defaults()
    assert mapping.defaults.buckets == BUCKETS
    assert mapping.rules == ()


def test_old_names_are_taken_with_a_warning() -> None:
    mapping = mapping_of(
        "defaults: {timer_type: histogram, buckets: [1, 2]}\n"
        "mappings:\n"
        "- {match: a.b, name: x, timer_type: summary, quantiles: [{quantile: 0.5, error: 0.1}]}\n",
        "m.yml",
    )
    assert mapping.defaults.buckets == (1.0, 2.0)
    assert mapping.rules[0].observer_type == "summary"
    assert mapping.rules[0].summary.quantiles == ((0.5, 0.1),)
    assert mapping.warnings[0] == "m.yml: line 1: timer_type is an old name; use observer_type"
    assert len(mapping.warnings) == 4


def test_a_timer_is_the_old_name_of_an_observer() -> None:
    (rule,) = mapping_of("mappings: [{match: a, name: x, match_metric_type: timer}]", "m.yml").rules
    assert rule.kind == "observer"


def test_buckets_where_nobody_says_histogram_have_no_effect_and_a_warning() -> None:
    text = "mappings: [{match: a, name: x, histogram_options: {buckets: [1]}}]"
    mapping = mapping_of(text, "m.yml")
    assert mapping.rules[0].observer_type == "summary"
    assert mapping.warnings == (
        "m.yml: line 1: histogram_options have no effect without observer_type histogram",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{match: a..b, name: x}", "m.yml:2:11: mappings[0].match: invalid match 'a..b'"),
        ("{match: 1a, name: x}", "invalid match '1a'"),
        ("{match: 'a b', name: x}", "invalid match 'a b'"),
        ("{match: '', name: x}", "invalid match ''"),
        ("{match: '(', match_type: regex, name: x}", "invalid regex: error parsing regexp"),
        ("{match: a}", "m.yml:2:3: mappings[0]: needs a name"),
        ("{match: a, action: drop}", "needs a name"),
        ("{match: a, name: a-b}", "'a-b' cannot be the name of a metric"),
        ("{match: a, name: 1a}", "'1a' cannot be the name of a metric"),
        ("{match: a, name: x, labels: {a-b: c}}", "'a-b' cannot be the name of a label"),
        ("{match: a, name: x, labels: {__name__: c}}", "'__name__' cannot be the name of a label"),
        ("{match: a, name: x, action: keep}", "'keep' is none of map, drop"),
        ("{match: a, name: x, match_metric_type: timers}", "none of counter, gauge, observer"),
        ("{match: a, name: x, ttl: 60}", "'60' is not a duration; write for example 30s"),
        ("{match: a, name: x, scale: big}", "must be a number"),
        ("{match: a, name: x, nmae: y}", "m.yml:2:23: mappings[0]: unknown key 'nmae'"),
        (
            "{match: a, name: x, observer_type: histogram, summary_options: {max_age: 1s}}",
            "does not go with observer_type histogram",
        ),
        (
            "{match: a, name: x, observer_type: summary, histogram_options: {buckets: [1]}}",
            "does not go with observer_type summary",
        ),
        (
            "{match: a, name: x, observer_type: histogram, histogram_options: {buckets: [.nan]}}",
            "a bucket must be a number",
        ),
        (
            "{match: a, name: x, buckets: [1], histogram_options: {buckets: [2]}}",
            "buckets is given twice, here and in histogram_options",
        ),
        (
            "{match: a, name: x, quantiles: [{}], summary_options: {quantiles: [{quantile: 1}]}}",
            "quantiles is given twice, here and in summary_options",
        ),
        ("{match: a, name: x, observer_type: summary, timer_type: watch}", "'watch' is none of"),
        (
            "{match: a, name: x, observer_type: histogram, histogram_options: {buckets: [2, 1]}}",
            "must rise from each bucket to the next",
        ),
        (
            "{match: a, name: x, summary_options: {quantiles: [{quantile: 2, error: 0}]}}",
            "quantile and error must be from 0 to 1",
        ),
    ],
)
def test_each_mistake_is_told_with_line_and_column(text: str, message: str) -> None:
    (problem,) = mistakes(f"mappings:\n- {text}\n")
    assert message in problem


def test_all_mistakes_are_told_at_once() -> None:
    assert len(mistakes("x: 1\nmappings:\n- {match: a..b, name: 1}\n- {match: a}\n")) == 4


@pytest.mark.parametrize("match", ["*", "a.*.c", "foo_*.b", "a-b.1c", "_a.*", "*foo.x"])
def test_globs(match: str) -> None:
    assert rules(f"{{match: '{match}', name: x}}")


@pytest.mark.parametrize("name", ["$1", "${1}_x", "a$2b", "_x"])
def test_names(name: str) -> None:
    assert rules(f"{{match: a.*, name: '{name}'}}")


def test_a_label_of_one_letter_is_taken() -> None:
    assert rules("{match: a, name: x, labels: {l: v}}")
