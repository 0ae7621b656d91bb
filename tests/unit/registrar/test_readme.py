import doctest
import re
from pathlib import Path

import registrar.component
import registrar.embedded
from sidecar.catalog.ownership import RESERVED
from sidecar.metrics import exposition

README = Path(registrar.component.__file__).parent / "README.md"
TEXT = README.read_text()


def test_the_headings_are_the_fixed_ones() -> None:
    assert re.findall(r"^## (.*)$", TEXT, re.MULTILINE) == [
        "Name", "Description", "Syntax", "Examples", "Metrics", "Readiness", "Limits",
    ]  # fmt: skip


def test_its_examples_are_true() -> None:
    result = doctest.testfile(str(README), module_relative=False)
    assert (result.attempted, result.failed) == (6, 0)


def test_every_metric_is_in_it() -> None:
    ours = re.findall(r"^# TYPE (pinnace_registrar_\w+) ", exposition().decode(), re.MULTILINE)
    declared = {name for name in ours if not name.endswith("_created")}
    assert set(re.findall(r"^\| `(pinnace_registrar_\w+)", TEXT, re.MULTILINE)) == declared


def test_reserved_names_are_in_it() -> None:
    assert all(f"`{name}`" in TEXT for name in RESERVED)
