"""The standalone jmx_exporter beside ours on the same JVM: the same series, the same values.

The peer is one jar (``jmx_prometheus_httpserver`` 1.0.1 or ``jmx_prometheus_standalone``), which
is not ours to ship: ``PINNACE_JMX_EXPORTER_JAR`` says where it is.
"""

import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.tools.jvm import Beans, compiled
from tests.support.jmx import Exporter
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.prometheus import complaints

pytestmark = pytest.mark.jvm

JAR = os.environ.get("PINNACE_JMX_EXPORTER_JAR", "")
ABSENT = "PINNACE_JMX_EXPORTER_JAR does not name the peer's jar: nothing to compare with"

RULES = r"""
lowercaseOutputName: true
lowercaseOutputLabelNames: true
inferCounterTypeFromName: true
rules:
- pattern: 'bench<type=(\w+), name=(\w+), topic=(\w+)><>(Count|Rate|Single)'
  name: Bench_$1_$4_total
  type: COUNTER
  help: some help $4
  labels: {name: "$2", "$3": x$3, empty: ""}
- pattern: 'bench<type=(\w+), name=t1'
- pattern: 'odd<type=Kinds><>(\w+): (\d+)'
  name: odd_$1
  value: $2
  valueFactor: 0.001
- pattern: 'odd<type=Open, key=mine.*><(.*)>(\w+)'
  name: dup_$2
  type: GAUGE
- pattern: '^java.lang<type=(.+)><>(.*)$'
- pattern: 'odd.*<>Good: 7'
  name: 9good_info
  attrNameSnakeCase: true
"""
OWN = re.compile(r"(jmx_|jvm_|process_|up\b)")
MOVES = re.compile(r"(java_lang|java_nio|bench_thing_big|bench_Thing_Big)")
COMES_AND_GOES = re.compile("lastgcinfo", re.IGNORECASE)


@contextmanager
def _peer(config: Path) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        ["java", "-jar", JAR, f"127.0.0.1:{port}", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    text = ""

    def answers() -> bool:
        nonlocal text
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as got:
                text = got.read().decode()
        except OSError:
            return False
        return True

    try:
        until(answers, 30)
        yield text
    finally:
        process.kill()
        process.wait()


def _stays(line: str) -> bool:
    """Say whether a line is of what is there whether or not there was a collection."""
    return COMES_AND_GOES.search(line) is None


def _series(text: str) -> dict[str, float]:
    """Return value by name and sorted labels, without what each exporter says of itself."""
    found = {}
    for line in text.splitlines():
        if line[0] == "#" or OWN.match(line) or COMES_AND_GOES.search(line):
            continue
        series, _, value = line.rpartition(" ")
        name, _, labels = series.partition("{")
        pairs = sorted(re.findall(r'\w+="(?:[^"\\]|\\.)*"', labels))
        found[f"{name}{{{','.join(pairs)}}}"] = float(value)
    return found


def _types(text: str) -> set[str]:
    lines = re.findall(r"^# TYPE (.+)$", text, re.MULTILINE)
    return {line for line in lines if not OWN.match(line) and not COMES_AND_GOES.search(line)}


@pytest.mark.skipif(not JAR, reason=ABSENT)
@pytest.mark.parametrize("rules", ["", RULES], ids=["default names", "rules"])
def test_series_types_and_values_are_those_of_the_peer(rules: str, tmp_path: Path) -> None:
    config = tmp_path / "peer.yml"
    with Beans(compiled(tmp_path), 5) as beans:
        config.write_text(f"hostPort: {beans.place}\n{rules}")
        with _peer(config) as theirs, Exporter(config.read_text()) as exporter:
            exporter.metrics()
            ours = exporter.metrics()

    mine, other = _series(ours), _series(theirs)
    assert mine.keys() == other.keys()
    assert _types(ours) == _types(theirs)
    still = {key for key in mine if not MOVES.match(key)}
    assert len(still) > 30
    different = {
        key: (mine[key], other[key]) for key in still if repr(mine[key]) != repr(other[key])
    }
    assert different == {}


@pytest.mark.prometheus
@pytest.mark.skipif(not JAR, reason=ABSENT)
def test_promtool_minds_in_both_the_same(tmp_path: Path) -> None:
    config = tmp_path / "peer.yml"
    with Beans(compiled(tmp_path), 5) as beans:
        for rules, passes in (("", False), ("lowercaseOutputName: true\n", True)):
            config.write_text(f'hostPort: {beans.place}\nincludeObjectNames: ["java*:*"]\n{rules}')
            with _peer(config) as theirs, Exporter(config.read_text()) as exporter:
                ours = complaints(exporter.metrics().encode())
            assert {*filter(_stays, ours.splitlines())} == {
                *filter(_stays, complaints(theirs.encode()).splitlines())
            }
            assert (ours == "") == passes
