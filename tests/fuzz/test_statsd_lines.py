"""Mutated lines: whatever comes, nothing is raised, scrapes stay right, both ways agree.

``python -m tests.fuzz.test_statsd_lines 1000000`` tries as many lines as one likes.
"""

import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from adapter.exposition import OPENMETRICS, TEXT, duplicates, written
from adapter.statsd.families import OWN, own_families, series_families
from adapter.statsd.lines import Limits
from adapter.statsd.machine import Machine
from adapter.statsd.mapping import mapping_of

RULES = r"""
defaults: {observer_type: histogram, counter_suffix: auto}
mappings:
- {match: a.*, name: "x_$1", labels: {l: "$1"}}
- {match: b_*.c, name: y, observer_type: summary, scale: -2}
- {match: '(?P<n>\w+)\.(x+)+$', match_type: regex, name: "z_$1", labels: {quantile: "$n", le: "$2"}}
- {match: d.*, name: "$1", action: drop}
- {match: e.*, name: "$2"}
"""
SEEDS = (
    b"a.b:1|c", b"a.b:1|c|@0.1|#k:v,l:w", b"b_q.c:-5|g", b"b_q.c:320|ms|@0.5", b"q.xx:1|h",
    b"u:1:2:3|ms|#quantile:1,le:2", b"u,a=b,c=d:1|c", b"u#a=b:+1|g", b"u[a=b]v:1|d", b"d.x:1|c",
    b"u:1|c:2|c", b"u:1|c|#a:b|c:id|T123", b"e.f:1|c", b"_e{1,1}:a|b", b"_sc|a|0", b"u:joe|s",
    b"u:1|c|@1e-200|@1e-200", b"u_sum:1|c", b"u_bucket:nan|c", b"u:inf|g", b"u:0x1p4|c\r",
    b"__name__:1|c|#__name__:x",
)  # fmt: skip
PIECES = (
    b":", b"|", b"@", b"#", b",", b"=", b"[", b"]", b"\n", b"\r", b"\0", b".", b"-", b"+", b"c",
    b"ms", b"1e999", b"-1", b"nan", b"\xff", b"\xc3\xa9", b"__", b"le", b"quantile", b'"', b"\\",
    b"0.0000001", b"{", b"}", b"$1", b"*", b" ", b"_", b"x" * 300,
)  # fmt: skip


def machine() -> Machine:
    return Machine(
        mapping_of(RULES, "m.yml"),
        most_series=2000,
        limits=Limits(sets=True),
        reserved=OWN,
        defect=_fail,
    )


def _fail(line: bytes) -> None:
    raise AssertionError(line)


def mutated(rng: random.Random) -> bytes:
    """Return a seed with some pieces put in, taken out, doubled or from another seed."""
    line = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(line) + 1)
        match rng.randrange(5):
            case 0:
                line[at:at] = rng.choice(PIECES)
            case 1:
                del line[at : at + rng.randrange(1, 4)]
            case 2:
                line[at : at + 1] = bytes([rng.randrange(256)])
            case 3:
                line += line[at:]
            case _:
                line[at:] = rng.choice(SEEDS)[rng.randrange(7) :]
    return bytes(line)


def run(count: int, seed: int) -> Machine:
    """Take so many lines; each, now and then, twice, so that the short way is tried too."""
    rng, taken = random.Random(seed), machine()
    for number in range(count):
        line = mutated(rng)
        taken.take(line, number / 1000)
        if number % 3 == 0:
            taken.take(line + b"\n" + line, number / 1000)
        if number % 10_000 == 0:
            taken.turn(number / 1000)
    check(taken)
    return taken


def check(taken: Machine) -> None:
    """What a scrape gets can be read, and no series is in it twice."""
    assert taken.tally.defects == 0
    families = [*own_families(taken, "1"), *series_families(taken, 0.0)]
    assert duplicates(families) == []
    for form in (TEXT, OPENMETRICS):
        text = written(families, form)
        assert text.endswith("\n")
    for family in text_string_to_metric_families(written(families)):
        assert family.name


@pytest.mark.parametrize("seed", range(3))
def test_mutated_lines(seed: int) -> None:
    run(5000, seed)


@given(st.lists(st.binary(max_size=60), max_size=20))
@settings(max_examples=150)
def test_any_octets(packets: list[bytes]) -> None:
    taken = machine()
    for packet in packets * 2:
        taken.take(packet, 0.0)
    check(taken)


@given(st.lists(st.sampled_from(SEEDS), max_size=30), st.lists(st.integers(1, 5), max_size=10))
@settings(max_examples=100)
def test_any_cut_into_datagrams_gives_the_same(lines: list[bytes], cuts: list[int]) -> None:
    whole, cut = machine(), machine()
    for line in lines:
        whole.take(line, 0.0)
    left, sizes = list(lines), list(cuts)
    while left:
        size = sizes.pop() if sizes else 7
        cut.take(b"\n".join(left[:size]), 0.0)
        del left[:size]
    assert written(series_families(whole, 0.0)) == written(series_families(cut, 0.0))
    assert written(own_families(whole, "")) == written(own_families(cut, ""))


if __name__ == "__main__":
    ended = run(int(sys.argv[1]), 42)
    print(f"{ended.store.count} series, {ended.keys} keys, {dict(ended.tally.sample_errors)}")
