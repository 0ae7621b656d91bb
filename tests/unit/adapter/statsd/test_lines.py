import pytest

from adapter.statsd.lines import Limits, Parsed, Sample, parsed
from adapter.statsd.tags import Styles
from adapter.statsd.tally import Tally

STYLES, LIMITS = Styles(), Limits()


def read(
    line: bytes | str, styles: Styles = STYLES, limits: Limits = LIMITS
) -> tuple[Parsed | None, Tally]:
    tally = Tally()
    data = line.encode() if isinstance(line, str) else line
    return parsed(data, styles, limits, tally), tally


def samples(line: str) -> list[tuple[str, float, float, int]]:
    found, _ = read(line)
    assert found is not None
    return [(s.kind, s.value, s.divisor, s.weight) for s in found.samples]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a:1|c", [("counter", 1, 1, 1)]),
        ("a:1|g", [("gauge", 1, 1, 1)]),
        ("a:320|ms", [("observer", 320, 1000, 1)]),
        ("a:3|h", [("observer", 3, 1, 1)]),
        ("a:3|d", [("observer", 3, 1, 1)]),
        ("a:3|c|@0.3", [("counter", 3, 0.3, 1)]),
        ("a:1|c|@0.5|@0.5", [("counter", 1, 0.25, 1)]),
        ("a:100|ms|@0.3", [("observer", 100, 1000, 3)]),
        ("a:1|h|@0.1", [("observer", 1, 1, 10)]),
        ("a:1|h|@2", [("observer", 1, 1, 0)]),
        ("a:1|h|@-1", [("observer", 1, 1, 0)]),
        ("a:1|h|@nan", [("observer", 1, 1, 0)]),
        ("a:1|h|@inf", [("observer", 1, 1, 0)]),
        ("a:1|h|@0", [("observer", 1, 1, 1)]),
        ("a:1|c|@0", [("counter", 1, 1, 1)]),
        ("a:1|g|@0.1", [("gauge", 1, 1, 1)]),
        ("a:1|c:2|g", [("counter", 1, 1, 1), ("gauge", 2, 1, 1)]),
        ("a:1|c|@0.1:2|c", [("counter", 1, 0.1, 1), ("counter", 2, 1, 1)]),
        ("a:1:2:3|ms", [("observer", n, 1000, 1) for n in (1, 2, 3)]),
        ("a:1:2|h|#t:x", [("observer", n, 1, 1) for n in (1, 2)]),
        ("a:1|c|#t:x:y", [("counter", 1, 1, 1)]),
        ("a:1|c|T1656581400", [("counter", 1, 1, 1)]),
        ("a:1|c|@0.5|#t:x|c:abc|T1", [("counter", 1, 0.5, 1)]),
        ("a:1|c|c:abc", [("counter", 1, 1, 1)]),
        ("a:1|c\r", [("counter", 1, 1, 1)]),
    ],
)
def test_lines_and_their_samples(line: str, expected: list[tuple[str, float, float, int]]) -> None:
    assert samples(line) == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nocolon", "malformed_line"),
        (":1|c", "malformed_line"),
        (b"a\xff:1|c", "malformed_line"),
        (b"a:1|c|#t:\xff", "malformed_line"),
        ("a,k=v:1|c|#l:w", "mixed_tagging_styles"),
        ("a:", "not_enough_parts_after_colon"),
        ("a:1", "not_enough_parts_after_colon"),
        ("a:1:2|c", "invalid_extended_aggregate_type"),
        ("a:1:2|g|#t:x", "invalid_extended_aggregate_type"),
        ("a:1|c:2", "malformed_component"),
        ("a:1|c|@1|#a:b|c:x|T1|T2", "malformed_component"),
        ("a:1|c|", "malformed_component"),
        ("a:1|c||@0.1", "malformed_component"),
        ("a:x|c", "malformed_value"),
        ("a: 1|c", "malformed_value"),
        ("a:1|c|x", "invalid_sample_factor"),
        ("a:1|c|cabc", "malformed_container_id"),
        ("a:1|c|c:", "malformed_container_id"),
        ("a:1|s", "illegal_event"),
        ("a:1|C", "illegal_event"),
        ("a:1|", "illegal_event"),
    ],
)
def test_what_is_wrong_is_counted_by_its_reason(line: bytes | str, reason: str) -> None:
    found, tally = read(line)
    assert dict(tally.sample_errors) == {reason: 1}
    assert found is None or not found.is_simple


def test_a_rate_that_is_no_number_is_counted_and_the_sample_kept() -> None:
    found, tally = read("a:1|c|@x")
    assert found is not None
    assert [s.divisor for s in found.samples] == [1]
    assert tally.sample_errors == {"invalid_sample_factor": 1}


@pytest.mark.parametrize("line", ["", "\r"])
def test_nothing_is_no_error(line: str) -> None:
    found, tally = read(line)
    assert found is None
    assert tally.sample_errors.total() == tally.samples == 0


def test_events_and_checks_of_datadog_are_counted_apart() -> None:
    assert read("_e{5,4}:title|text")[1].events == {"event": 1}
    assert read("_sc|name|0")[1].events == {"service_check": 1}


def test_labels_come_from_name_section_and_container() -> None:
    found, tally = read("a:1|c|#t:x|c:abc")
    assert found is not None
    assert found.labels == {"t": "x", "container_id": "abc"}
    assert tally.tags == tally.samples == 1


def test_a_section_is_passed_over_when_dogstatsd_is_off() -> None:
    found, tally = read("a:1|c|#t:x,bad", Styles(dogstatsd=False))
    assert found is not None
    assert found.labels == {}
    assert tally.tags == tally.tag_errors == 0


@pytest.mark.parametrize(
    ("line", "is_simple"),
    [("a:1|c", True), ("a:1|c|#t:x", True), ("a:1|c:2|c", False), ("a:1|c|#t", False)],
)
def test_only_lines_without_fault_and_with_one_sample_are_simple(
    line: str, is_simple: bool
) -> None:
    found, _ = read(line)
    assert found is not None
    assert found.is_simple is is_simple


def test_a_tiny_rate_is_capped_and_counted_and_never_simple() -> None:
    found, tally = read("a:1|ms|@0.0000005")
    assert found is not None
    assert found.samples[0].weight == 10_000
    assert tally.capped == 1
    assert not found.is_simple


def test_sets_are_taken_when_asked_for() -> None:
    found, _ = read("a:joe|s", limits=Limits(sets=True))
    assert found is not None
    assert found.samples == [Sample("set", 0.0, False, 1.0, 1, "joe")]


@pytest.mark.parametrize(("text", "sign"), [("+1", True), ("-1", True), ("1", False)])
def test_a_sign_makes_a_gauge_move(text: str, sign: bool) -> None:
    found, _ = read(f"a:{text}|g")
    assert found is not None
    assert found.samples[0].is_relative is sign
