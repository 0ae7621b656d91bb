from math import inf, isnan

import pytest

from adapter.statsd.values import go_float

# What Go's strconv.ParseFloat gives; each was seen in statsd_exporter.
GIVEN = [
    ("1", 1), ("1.5", 1.5), (".5", 0.5), ("5.", 5), ("+1", 1), ("-1", -1), ("1e3", 1000),
    ("1E-2", 0.01), ("1_000", 1000), ("1e1_0", 1e10), ("0x1p4", 16), ("0x_1p1", 2),
    ("-0X1.8P+3", -12), ("0x.8p1", 1), ("inf", inf), ("-Inf", -inf), ("+infinity", inf),
    ("iNf", inf), ("1e-999", 0),
]  # fmt: skip
REFUSED = [
    "", " 1", "1 ", "1\n", "\t1", "0x10", "1e", "e1", "--1", "+nan", "-nan", "1e999", "_1", "1_",
    "1__0", "1_.5", "1._5", "0b1", "infin", "١", "x", "0x1p99999", "1" * 801, ".", "+", "0xp1",
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), GIVEN)
def test_numbers_that_go_reads(text: str, value: float) -> None:
    assert go_float(text) == value


@pytest.mark.parametrize("text", ["nan", "NaN", "NAN"])
def test_no_number(text: str) -> None:
    assert isnan(go_float(text))


@pytest.mark.parametrize("text", REFUSED)
def test_what_go_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|range"):
        go_float(text)
