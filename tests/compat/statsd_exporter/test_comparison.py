"""Beside statsd_exporter 0.28: as recorded, and live where the program is on the PATH."""

import json
import re
import shutil

import pytest

from tests.compat.statsd_exporter.comparing import DIFFERENCES, computed, differing, observed
from tests.compat.statsd_exporter.record import RECORDED
from tests.compat.statsd_exporter.scenarios import SCENARIOS
from tests.support.pinnace import until
from tests.support.prometheus import complaints
from tests.support.statsd import OURS, Exporter

PROGRAM = shutil.which("statsd_exporter")


@pytest.mark.parametrize("name", SCENARIOS)
def test_ours_shows_what_the_original_was_recorded_to_show(name: str) -> None:
    theirs = json.loads(RECORDED.read_text())[name]
    assert differing(theirs, computed(SCENARIOS[name])) == {}


def test_a_process_shows_what_was_computed_without_one() -> None:
    shown = observed(SCENARIOS["mapping"])
    assert {key: str(value) for key, value in shown.items()} == {
        key: str(value) for key, value in computed(SCENARIOS["mapping"]).items()
    }


def test_every_difference_is_still_one() -> None:
    everything = json.loads(RECORDED.read_text())
    ours = {name: computed(SCENARIOS[name]) for name in ("lines", "mapping")}
    needed = set()
    for name, shown in ours.items():
        theirs = everything[name]
        for series in theirs.keys() ^ shown.keys() | {
            key for key in theirs.keys() & shown.keys() if theirs[key] != shown[key]
        }:
            needed |= {pattern for pattern in DIFFERENCES if re.fullmatch(pattern, series)}
    assert needed == set(DIFFERENCES)


@pytest.mark.skipif(PROGRAM is None, reason="not on the PATH, and no package has it")
@pytest.mark.parametrize("name", SCENARIOS)
def test_ours_shows_what_the_original_shows(name: str) -> None:
    assert PROGRAM is not None
    theirs = observed(SCENARIOS[name], [PROGRAM])
    assert differing(theirs, computed(SCENARIOS[name])) == {}


@pytest.mark.prometheus
@pytest.mark.skipif(PROGRAM is None, reason="not on the PATH, and no package has it")
def test_promtool_minds_nothing_that_it_does_not_mind_in_the_original() -> None:
    assert PROGRAM is not None
    found = []
    for program in (OURS, (PROGRAM,)):
        with Exporter(program=program) as exporter:
            exporter.send(b"web.hits:3|c|#path:/\nweb.took:20|ms\nweb.level:4|g\nnamed_total:1|c")
            until(lambda: b"named_total 1" in exporter.get("/metrics")[1], 20)
            found.append({*complaints(exporter.get("/metrics")[1]).splitlines()})
    ours, theirs = found
    assert ours < theirs
