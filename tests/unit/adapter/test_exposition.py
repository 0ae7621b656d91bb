from math import inf, nan

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from adapter.exposition import (
    OPENMETRICS,
    TEXT,
    Family,
    Format,
    Kind,
    duplicates,
    label_text,
    negotiated,
    number,
    pieces,
    written,
)

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;q=0.8,"
    "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


def family(name: str, kind: Kind = "gauge", value: float = 1.0, **labels: str) -> Family:
    made = Family(name, kind, "Help.")
    made.add(labels, value)
    return made


def histogram(name: str = "h") -> Family:
    made = Family(name, "histogram", "Spread.")
    made.spread({"a": "b"}, {0.5: 1, 1: 2, 1e6: 3}, total=1.5, count=4)
    made.spread({}, {0.5: 0, 1: 0, 1e6: 0}, total=0, count=0)
    return made


def summary() -> Family:
    made = Family("s", "summary")
    made.spread({}, {0.5: nan, 0.99: 2.5}, total=5.0, count=2)
    return made


def names(text: str, *, is_open: bool) -> set[str]:
    read = open_families if is_open else text_families
    found = read(text)
    return {sample.name for family in found for sample in family.samples}


def test_text_has_help_type_and_a_line_for_each_series() -> None:
    assert written([family("up", job='a "b"\n\\')]) == (
        '# HELP up Help.\n# TYPE up gauge\nup{job="a \\"b\\"\\n\\\\"} 1.0\n'
    )


def test_help_is_escaped_as_each_format_wants() -> None:
    made = Family("x", "gauge", 'a "b"\\\n')
    assert written([made]).startswith('# HELP x a "b"\\\\\\n\n')
    assert written([made], OPENMETRICS).startswith('# HELP x a \\"b\\"\\\\\\n\n')


def test_a_histogram_has_cumulative_buckets_with_bounds_as_go_writes_them() -> None:
    lines = written([histogram()]).splitlines()
    assert lines[2:8] == [
        'h_bucket{a="b",le="0.5"} 1',
        'h_bucket{a="b",le="1"} 2',
        'h_bucket{a="b",le="1e+06"} 3',
        'h_bucket{a="b",le="+Inf"} 4',
        'h_sum{a="b"} 1.5',
        'h_count{a="b"} 4',
    ]
    assert 'h_bucket{le="0.5"} 0' in lines


def test_openmetrics_writes_bounds_its_own_way_and_ends() -> None:
    text = written([histogram(), summary()], OPENMETRICS)
    assert 'le="1.0"' in text
    assert text.endswith("# EOF\n")


def test_a_summary_of_nothing_is_no_number() -> None:
    assert 's{quantile="0.5"} NaN' in written([summary()])


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
def test_what_is_written_is_read_by_the_client_library_with_the_same_names(form: Format) -> None:
    everything = [
        family("requests_total", "counter", 5, path="/"),
        family("plain", "counter", 2),
        family("something", "unknown", 3),
        family("up", "gauge", inf),
        histogram(),
        summary(),
    ]
    found = names(written(everything, form), is_open=form.is_open)
    # That parser of the text format adds the suffix to every counter.
    assert {"requests_total", "plain" if form.is_open else "plain_total"} <= found
    assert {"something", "up"} <= found
    assert {"h_bucket", "h_sum", "h_count", "s", "s_sum", "s_count"} <= found


def test_openmetrics_names_a_counter_without_its_suffix_and_types_it() -> None:
    text = written([family("a_total", "counter"), family("b", "counter")], OPENMETRICS)
    assert "# TYPE a counter\na_total 1.0\n" in text
    assert "# TYPE b unknown\nb 1.0\n" in text


@pytest.mark.parametrize("other", ["a", "a_created"])
def test_a_counter_whose_base_is_anothers_name_is_unknown_in_openmetrics(other: str) -> None:
    everything = [family("a_total", "counter"), family(other)]
    text = written(everything, OPENMETRICS)
    assert "# TYPE a_total unknown\na_total 1.0\n" in text
    assert names(text, is_open=True) == {"a_total", other}


def test_untyped_is_the_text_formats_word_for_unknown() -> None:
    assert "# TYPE x untyped\n" in written([family("x", "unknown")])


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (1.0, "1.0"), (0.1, "0.1"), (inf, "+Inf"), (-inf, "-Inf"), (nan, "NaN")],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html", TEXT),
        (PROMETHEUS, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.9", TEXT),
        ("application/openmetrics-text;q=.5.5", TEXT),
    ],
)
def test_the_format_is_what_the_client_likes_best(accept: str, expected: Format) -> None:
    assert negotiated(accept) is expected


def test_a_big_family_comes_in_pieces() -> None:
    big = Family("x", "gauge")
    big.rows = [(f'x{{n="{n}"}}', float(n)) for n in range(10_000)]
    found = list(pieces([big, family("y")]))
    assert len(found) > 4
    assert "".join(found) == written([big, family("y")])


def test_duplicates_are_told() -> None:
    once = [family("x", a="1"), histogram()]
    assert duplicates(once) == []
    twice = Family("x", "gauge")
    twice.add({"a": "1"}, 1)
    twice.add({"a": "1"}, 2)
    assert duplicates([twice]) == ['x{a="1"}']
    assert duplicates([family("x"), family("x", b="2")]) == ["# TYPE x"]


def test_names_that_cannot_be_written_are_refused() -> None:
    with pytest.raises(ValueError, match="name of a metric"):
        Family("a b", "gauge")
    with pytest.raises(ValueError, match="name of a label"):
        label_text({"a-b": "c"})
