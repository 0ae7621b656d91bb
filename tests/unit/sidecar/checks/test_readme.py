import doctest
import re
from pathlib import Path

import sidecar.checks.runner
from sidecar.metrics import exposition

README = Path(sidecar.checks.runner.__file__).parent / "README.md"
TEXT = README.read_text()


def test_the_headings_are_the_fixed_ones() -> None:
    assert re.findall(r"^## (.*)$", TEXT, re.MULTILINE) == [
        "Name", "Description", "Syntax", "Examples", "Metrics", "Readiness", "Limits",
    ]  # fmt: skip


def test_its_examples_are_true() -> None:
    result = doctest.testfile(str(README), module_relative=False)
    assert (result.attempted, result.failed) == (5, 0)


def test_every_metric_is_in_it() -> None:
    ours = re.findall(r"^# TYPE (pinnace_checks_\w+) ", exposition().decode(), re.MULTILINE)
    declared = {name for name in ours if not name.endswith("_created")}
    assert set(re.findall(r"^\| `(pinnace_checks_\w+)", TEXT, re.MULTILINE)) == declared
