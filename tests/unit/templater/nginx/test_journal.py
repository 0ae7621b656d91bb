"""What nginx's log of requests says of each endpoint."""

from pathlib import Path

import pytest

from templater.nginx.counts import CountsFile
from templater.nginx.journal import Done, Journal

A, B = "192.0.2.1:80", "[2001:db8::1]:80"


def told(*lines: str) -> Journal:
    journal = Journal()
    journal.take("".join(f"{line}\n" for line in lines).encode(), 0.0)
    return journal


def test_a_request_counts_where_it_was_answered() -> None:
    journal = told(f"http.web;{A};200;0.010", f"http.web;{B};404;0.030", f"http.api;{A};200;0.500")
    assert (journal.of(["http.web"], A).requests, journal.of(["http.web"], A).latency) == (1, 0.01)
    assert journal.of(["http.web"], B).failures == 0
    assert journal.of(["http.api"], A).latency == 0.5
    assert journal.of(["http.api"], B) == Done()


def test_a_try_that_came_to_nothing_is_a_failure_and_a_retry() -> None:
    journal = told(f"http.web;{A}, {B};502, 200;-, 0.004", f"http.web;{A};503;0.002")
    first, second = journal.of(["http.web"], A), journal.of(["http.web"], B)
    assert (first.requests, first.failures, first.retries, first.latency) == (2, 2, 1, 0.002)
    assert (second.requests, second.failures, second.retries, second.latency) == (1, 0, 0, 0.004)


def test_who_went_away_before_the_answer_is_no_failure_of_the_endpoint() -> None:
    done = told(f"http.web;{A};-;-").of(["http.web"], A)
    assert (done.requests, done.failures, done.latency) == (1, 0, None)


def test_of_tcp_only_the_last_try_has_a_status() -> None:
    journal = told(f"tcp.db;{A}, {B};200;-, 0.001", f"tcp.db;{A};502;-")
    assert (journal.of(["tcp.db"], A).failures, journal.of(["tcp.db"], A).retries) == (2, 1)
    assert (journal.of(["tcp.db"], B).failures, journal.of(["tcp.db"], B).latency) == (0, 0.001)


@pytest.mark.parametrize(
    "line", ["", "http.web;http.web;502;-", "http.web;-;-;-", "x", "a;b;c;d;e", "\xff;;;", ";;;"]
)
def test_what_names_no_endpoint_counts_nowhere(line: str) -> None:
    journal = told(line)
    assert journal.of(["http.web"], "http.web") == journal.of(["http.web"], "-") == Done()


def test_the_mean_is_of_the_last_answers() -> None:
    journal = told(*[f"http.web;{A};200;1.000"] * 5000)
    assert journal.of(["http.web"], A).latency == 1.0
    journal.take(b"".join(b"http.web;%s;200;0.000\n" % A.encode() for _ in range(10240)), 1.0)
    assert 0 < (journal.of(["http.web"], A).latency or 0) < 0.15


def test_the_rate_evens_out_and_fades() -> None:
    journal, rates = told(), []
    lines = f"http.web;{A};200;0.001\n".encode() * 100
    for at, octets in ((1.0, lines), (1.1, lines), (2.0, b""), (3.0, b""), (4.0, b"")):
        journal.take(octets, at)
        rates.append(journal.of(["http.web"], A).rate)
    assert rates == [50.0, 50.0, 75.0, 37.5, 18.75]


def test_what_was_done_in_several_groups_is_told_together() -> None:
    journal = told(f"tcp:1;{A};200;0.1", f"tcp:2;{A};502;-", f"tcp:3;{A};200;0.9")
    assert journal.of(["tcp:1", "tcp:2", "tcp:4"], A) == Done(2, 1, 0, 0.1)


def test_what_is_kept_is_kept() -> None:
    journal = told(f"http.web;{A};200;0.1", f"http.web;{B};200;0.1")
    journal.keep([("http.web", B), ("http.new", A)])
    assert [journal.of(["http.web"], at).requests for at in (A, B)] == [0, 1]


def test_a_file_is_read_line_by_line_and_emptied_before_it_is_large(tmp_path: Path) -> None:
    path = tmp_path / "counts.log"
    counts = CountsFile(path)
    assert counts.read() is None
    with path.open("ab") as nginx:

        def write(octets: bytes) -> None:
            nginx.write(octets)
            nginx.flush()

        write(b"one\ntw")
        assert counts.read() == b"one\n"
        write(b"o\n")
        assert [counts.read(), counts.read()] == [b"two\n", b""]
        line = b"x" * 1023 + b"\n"
        write(line * 1025 + b"half")
        assert counts.read() == line * 1025
        assert path.stat().st_size > 1 << 20  # not while a line is not whole
        write(b"\n")
        assert counts.read() == b"half\n"
        assert path.stat().st_size == 0
        write(b"new\n")
        assert counts.read() == b"new\n"
        path.write_bytes(b"")
        write(b"a\n")
        assert counts.read() == b"a\n"
        write(b"y" * (4 << 20))
        assert [len(counts.read() or b""), counts.read()] == [4 << 20, b""]
