from pathlib import Path

import registrar.component
from sidecar.catalog.ownership import RESERVED
from tests.support.readme import (
    HEADINGS,
    declared_metrics,
    headings,
    run_examples,
    shown_metrics,
)

README = Path(registrar.component.__file__).parent / "README.md"


def test_the_headings_are_the_fixed_ones() -> None:
    assert headings(README) == HEADINGS


def test_its_examples_are_true() -> None:
    assert run_examples(README) == (6, 0)


def test_every_metric_is_in_it() -> None:
    assert shown_metrics(README, "pinnace_registrar_") == declared_metrics("pinnace_registrar_")


def test_reserved_names_are_in_it() -> None:
    assert all(f"`{name}`" in README.read_text() for name in RESERVED)
