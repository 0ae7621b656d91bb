import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.config.units import Endpoint, duration, endpoint, go_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("30", 30.0),
        ("1.5", 1.5),
        ("250ms", 0.25),
        ("1m30s", 90.0),
        ("1h", 3600.0),
        ("1.5h", 5400.0),
        ("2d", 172800.0),
        ("10us", 1e-5),
        ("0", 0.0),
        (" 5s ", 5.0),
        (".5s", 0.5),
    ],
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "5x", "5s6", "-1s", "-1", "nan", "inf", "1e999", "5 s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8500", Endpoint("127.0.0.1", 8500)),
        ("[::1]:53", Endpoint("::1", 53)),
        (":8500", Endpoint("0.0.0.0", 8500)),
        ("localhost:0", Endpoint("localhost", 0)),
        ("my-host.example.org:1", Endpoint("my-host.example.org", 1)),
    ],
)
def test_endpoints_as_people_write_them(text: str, expected: Endpoint) -> None:
    assert endpoint(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "8500", "host", "host:", "host:x", "host:65536", "host:-1", "::1:53", "[::g]:1", "a b:1",
     "a\n:1", "host:٣"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        endpoint(text)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_an_endpoint_reads_back_what_it_prints(address: object, port: int) -> None:
    there = Endpoint(str(address), port)
    assert endpoint(str(there)) == there


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10.0), ("1m30s", 90.0), ("-1.5h", -5400.0), ("0", 0.0), ("+2ms", 0.002), (".5s", 0.5)],
)
def test_go_durations(text: str, seconds: float) -> None:
    assert go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'time: invalid duration ""'),
        ("abc", 'time: invalid duration "abc"'),
        ("-", 'time: invalid duration "-"'),
        ("10", 'time: missing unit in duration "10"'),
        ("1h10", 'time: missing unit in duration "1h10"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("1s?", 'time: unknown unit "s?" in duration "1s?"'),
        ("1s.", 'time: invalid duration "1s."'),
        ("9999999999h", 'time: invalid duration "9999999999h"'),
        ("1hour", 'time: unknown unit "hour" in duration "1hour"'),
    ],
)
def test_what_is_no_go_duration_is_said_as_go_does(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="time: ") as caught:
        go_duration(text)
    assert str(caught.value) == said
