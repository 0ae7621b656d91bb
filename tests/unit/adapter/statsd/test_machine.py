from math import isnan

import pytest

from adapter.exposition import duplicates, pieces, written
from adapter.statsd.families import OWN, own_families, series_families
from adapter.statsd.lines import Limits
from adapter.statsd.machine import Machine
from adapter.statsd.mapping import Mapping, mapping_of


def machine(text: str = "", **options: object) -> Machine:
    return Machine(mapping_of(text, "m.yml"), **options)  # type: ignore[arg-type]


def shown(made: Machine, now: float = 0.0) -> dict[str, float]:
    lines = written(series_families(made, now)).splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {series: float(value) for series, _, value in pairs}


def own(made: Machine) -> dict[str, float]:
    lines = written(own_families(made, "1")).splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name.removeprefix("statsd_exporter_"): float(value) for name, _, value in pairs}


def after(lines: str, text: str = "", **options: object) -> dict[str, float]:
    """Return the series, found to be the same by the long way and by the short one."""
    made = machine(text, **options)
    for line in lines.split():
        made.take(line.encode(), 0.0)
    return shown(made)


@pytest.mark.parametrize(
    ("lines", "series"),
    [
        ("a.b:1|c a.b:2|c a.b:2|c", {"a_b": 5}),
        ("r:3|c|@0.3 r:3|c|@0.3", {"r": 20}),
        ("r:1|c r:1|c|@0.5 r:1|c|@0.5 r:1|c", {"r": 6}),
        ("g:5|g g:+3|g g:-1|g g:-1|g", {"g": 6}),
        ("g:5|g g:2|g", {"g": 2}),
        ("g:-4|g", {"g": -4}),
        ("c:1|c c:-1|c", {"c": 1}),
        ("c:1|c c:nan|c", None),
        ("c:1|c c:1e999|c c:_1|c", {"c": 1}),
        ("x:1|c|#a:b,c:d x:1|c|#c:d,a:b", {'x{a="b",c="d"}': 2}),
        ("x,a=b:1|c x#a=b:1|c x[a=b]:1|c x:1|c|#a:b", {'x{a="b"}': 4}),
        ("x:1|c:2|c x:1|c:2|c", {"x": 6}),
        ("[a=b]:1|c", {}),
        ("x:1|h|@2 x:1|h|@2", {}),
    ],
)
def test_lines_and_their_series(lines: str, series: dict[str, float] | None) -> None:
    found = after(lines)
    if series is None:
        assert isnan(found["c"])
    else:
        assert found == series


def test_spaces_around_a_value_are_refused_by_the_short_way_too() -> None:
    made = machine()
    for line in (b"a:1|c", b"a: 1|c", b"a:1 |c", b"a:|c", b"a:\xd9\xa1|c"):
        made.take(line, 0.0)
    assert shown(made) == {"a": 1}
    assert made.tally.sample_errors == {"malformed_value": 4}


def test_timers_are_seconds_and_sampled_ones_count_more() -> None:
    text = "defaults: {observer_type: histogram, histogram_options: {buckets: [1]}}"
    found = after("t:100|ms|@0.3 t:100|ms|@0.3 t:2000|ms", text)
    assert found == {
        't_bucket{le="1"}': 6, 't_bucket{le="+Inf"}': 7,
        "t_sum": pytest.approx(2.6), "t_count": 7,
    }  # fmt: skip


def test_observers_are_summaries_by_default() -> None:
    found = after("t:4|h t:4|h")
    assert found["t_count"] == 2
    assert found['t{quantile="0.99"}'] == 4


@pytest.mark.parametrize(
    ("lines", "text", "series"),
    [
        ("q:1|h|#quantile:0.5", "", "q_sum{exported_quantile="),
        ("q:1|h|#le:1", "defaults: {observer_type: histogram}", "q_sum{exported_le="),
        ("q:1|h|#quantile:1,exported_quantile:2", "", "exported_exported_quantile="),
        ("q:1|c|#quantile:1,le:2", "", 'q{le="2",quantile="1"}'),
    ],
)
def test_labels_of_the_format_get_another_name(lines: str, text: str, series: str) -> None:
    assert any(series in name for name in after(f"{lines} {lines}", text))


def test_renamed_labels_are_counted_each_time() -> None:
    made = machine()
    for _ in range(3):
        made.take(b"q:1|h|@0.5|#quantile:0.5", 0.0)
    assert own(made)["labels_renamed_total"] == 6


def test_mapping_gives_name_labels_scale_and_drops() -> None:
    text = """
mappings:
- {match: a.*, name: mapped, labels: {who: "$1", t: rule}, scale: 0.5}
- {match: h.*, name: honest, labels: {t: rule}, honor_labels: true}
- {match: d.*, name: gone, action: drop}
- {match: "e.*", name: "$2"}
"""
    made = machine(text)
    for _ in range(2):
        made.take(b"a.x:4|c|#t:tag\nh.x:1|c|#t:tag\nd.x:1|c\ne.x:1|c\nu:1|c", 0.0)
    assert shown(made) == {
        'mapped{t="rule",who="x"}': 4, 'honest{t="tag"}': 2, "u": 2,
    }  # fmt: skip
    numbers = own(made)
    assert numbers['events_actions_total{action="drop"}'] == 2
    assert numbers['events_actions_total{action="map"}'] == 4
    assert numbers['events_error_total{reason="empty_metric_name"}'] == 2
    assert numbers["events_unmapped_total"] == 2
    assert numbers['events_total{type="counter"}'] == 6


def test_the_short_way_counts_as_the_long_one() -> None:
    lines = b"a:1|c|#t:x\nb:1|ms|@0.1\nc:1|g\nd:1|h|@2\nbad\n"
    short, long = machine(), machine()
    for _ in range(5):
        short.take(lines, 0.0)
        long.take(lines, 0.0)
        long._cells.clear()
    assert short.keys == 4
    differing = {"known_lines", "statsd_metric_mapper_cache_hits_total"}
    assert {k: v for k, v in own(short).items() if k not in differing} == {
        k: v for k, v in own(long).items() if k not in differing
    }
    assert shown(short) == shown(long)


def test_many_values_in_a_line_count_as_many_lines() -> None:
    many, single = machine(), machine()
    many.take(b"a:1:2:x:3|ms|@0.5|#t:v\nc:1|c|@0.5:-1|c|@0.5:1|c|@0.5:2|g", 0.0)
    for value in ("1", "2", "x", "3"):
        single.take(f"a:{value}|ms|@0.5|#t:v".encode(), 0.0)
    for rest in ("1|c|@0.5", "-1|c|@0.5", "1|c|@0.5", "2|g"):
        single.take(f"c:{rest}".encode(), 0.0)
    assert shown(many) == shown(single)
    same = {"lines_total", "known_lines", "statsd_metric_mapper_cache_hits_total"}
    assert {k: v for k, v in own(many).items() if k not in same} == {
        k: v for k, v in own(single).items() if k not in same
    }


def test_a_negative_scaled_counter_is_refused_every_time() -> None:
    made = machine("mappings: [{match: a.*, name: x, scale: 2}]")
    for value in ("1", "-1", "-1"):
        made.take(f"a.b:{value}|c".encode(), 0.0)
    assert shown(made) == {"x": 2}
    assert made.tally.event_errors == {"illegal_negative_counter": 2}


def test_help_is_the_first_rules() -> None:
    made = machine("mappings: [{match: a.*, name: x, help: First.}, {match: b.*, name: x}]")
    made.take(b"a.b:1|c\nb.b:1|c\nu:1|c", 0.0)
    text = written(series_families(made, 0.0))
    assert "# HELP x First.\n" in text
    assert "# HELP u Metric autogenerated by statsd_exporter.\n" in text


def test_counters_get_the_suffix_when_asked_for() -> None:
    found = after("a:1|c b_total:1|c c:1|g", "defaults: {counter_suffix: auto}")
    assert found == {"a_total": 1, "b_total": 1, "c": 1}


def test_series_go_after_their_time_and_their_lines_are_forgotten() -> None:
    made = machine("defaults: {ttl: 10s}\nmappings: [{match: d.*, name: x, action: drop}]")
    made.take(b"a:1|c\nb:1|ms\nd.x:1|c", 0.0)
    made.take(b"a:1|c\na:1|c", 5.0)
    made.turn(11.0)
    assert shown(made) == {"a": 3}
    assert made.keys == 2
    made.turn(16.0)
    made.take(b"a:1|g\nb:1|h", 17.0)
    assert shown(made)["a"] == 1


def test_a_reload_changes_what_comes_and_keeps_what_is() -> None:
    made = machine()
    made.take(b"a:1|c", 0.0)
    made.reload(mapping_of("mappings: [{match: a, name: b}]", "m.yml"))
    made.take(b"a:1|c", 0.0)
    assert shown(made) == {"a": 1, "b": 1}
    assert own(made)["statsd_metric_mapper_cache_gets_total"] == 2


def test_sets_count_distinct_members_when_asked_for() -> None:
    lines = "u:joe|s u:ann|s u:joe|s"
    assert after(lines, limits=Limits(sets=True)) == {"u": 2}
    assert after(lines) == {}


def test_rules_for_gauges_are_for_sets() -> None:
    text = "mappings: [{match: u.*, name: users, match_metric_type: gauge}]"
    assert after("u.x:joe|s", text, limits=Limits(sets=True)) == {"users": 1}


def test_a_flood_of_names_is_counted_and_known_series_go_on() -> None:
    made = machine(most_series=10)
    for n in range(1000):
        made.take(f"n{n}:1|c".encode(), 0.0)
    made.take(b"n0:1|c", 0.0)
    assert made.store.count == 10
    assert shown(made)["n0"] == 2
    assert made.tally.overflows.total() == 990


def test_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter.statsd.machine._FEWEST_KEYS", 10)
    made = machine(most_series=8)
    for n in range(25):
        made.take(f"a:1|c|@0.{n + 1}".encode(), 0.0)
    assert made.keys <= 10
    made.take(b"a" * 2000 + b":1|c", 0.0)
    assert made.keys <= 10


def test_long_lines_get_no_key() -> None:
    made = machine()
    made.take(b"a:1|c|#t:" + b"x" * 2000, 0.0)
    assert made.keys == 0
    assert len(shown(made)) == 1


def test_two_lines_that_share_letters_share_no_key() -> None:
    made = machine()
    made.take(b"a:1|c|@0.1", 0.0)
    made.take(b"a|c:5|@0.1", 0.0)
    assert shown(made) == {"a": 10}
    assert made.tally.sample_errors == {"illegal_event": 1}


def test_names_of_our_own_are_refused() -> None:
    made = machine(reserved=OWN)
    made.take(b"statsd_exporter_lines_total:1|c", 0.0)
    assert shown(made) == {}
    assert (
        own(made)['events_conflict_total{type="counter",metric_name="statsd_exporter_lines_total"}']
        == 1
    )


def test_what_we_do_wrong_ends_nothing() -> None:
    told: list[bytes] = []
    made = Machine(Mapping(), defect=told.append)
    made.mapper = None  # type: ignore[assignment]
    made.take(b"a:1|c\nbad", 0.0)
    assert told == [b"a:1|c"]
    assert made.tally.defects == 1
    assert made.tally.sample_errors == {"malformed_line": 1}


def test_summaries_with_the_same_settings_turn_together() -> None:
    made = machine("defaults: {summary_options: {max_age: 10s, age_buckets: 2}}")
    made.take(b"a:1|h\nb:1|h", 0.0)
    made.turn(30.0)
    found = shown(made)
    assert isnan(found['a{quantile="0.5"}'])
    assert found["a_count"] == 1


def test_no_series_is_there_twice() -> None:
    made = machine("defaults: {observer_type: histogram}")
    made.take(b"a:1|c\na:1|c|#x:y\nh:1|h\nh_sum:1|c\nh:2|h|#le:3\nb:1|ms|@0.1\ng:1|g", 0.0)
    everything = [*own_families(made, "1"), *series_families(made, 0.0)]
    assert duplicates(everything) == []
    assert {family.name for family in own_families(made, "1")} <= OWN


def test_a_family_that_went_while_it_was_written_is_left_out() -> None:
    made = machine("defaults: {ttl: 1s}")
    made.take(b"a:1|c\nb:1|c", 0.0)
    families = series_families(made, 0.0)
    assert next(families).name == "a"
    made.turn(5.0)
    assert list(families) == []


def test_a_shown_set_turns_by_itself() -> None:
    made = machine(limits=Limits(sets=True))
    made.take(b"u:joe|s", 0.0)
    assert shown(made, 61.0) == {"u": 1}
    assert shown(made, 500.0) == {"u": 0}


def test_quantiles_are_looked_for_while_a_scrape_is_written() -> None:
    made = machine("")
    for number in range(3000):
        made.take(b"wide:1|h|#n:%d" % number, 0.0)
    written_so_far = pieces(series_families(made, 0.0))
    first = next(written_so_far)
    made.take(b"wide:1|h|#n:2999\nwide:1|h|#n:new", 0.0)
    rest = "".join(written_so_far)
    assert first.count("\n") < 1000
    assert 'wide_count{n="2999"} 2\n' in rest
    assert 'n="new"' not in rest


def test_buckets_and_quantiles_are_those_of_the_first_rule_by_set_of_labels() -> None:
    made = machine(
        """
defaults: {observer_type: histogram}
mappings:
- {match: one, name: x, histogram_options: {buckets: [1]}}
- {match: two, name: x, histogram_options: {buckets: [2]}}
- {match: three, name: x, labels: {kind: three}, histogram_options: {buckets: [3]}}
- {match: four, name: x, labels: {kind: four}, histogram_options: {buckets: [4]}}
"""
    )
    made.take(b"one:1|h\nthree:1|h\nfour:1|h\ntwo:1|h\ntwo:1|h|#t:v", 0.0)
    found = shown(made)
    assert [series for series in found if "bucket" in series and "Inf" not in series] == [
        'x_bucket{le="1"}',
        'x_bucket{kind="three",le="3"}',
        'x_bucket{kind="four",le="3"}',
        'x_bucket{t="v",le="2"}',
    ]
    assert found["x_count"] == 2
