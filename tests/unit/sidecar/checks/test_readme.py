from pathlib import Path

import sidecar.checks.runner
from tests.support.readme import (
    HEADINGS,
    declared_metrics,
    headings,
    run_examples,
    shown_metrics,
)

README = Path(sidecar.checks.runner.__file__).parent / "README.md"


def test_the_headings_are_the_fixed_ones() -> None:
    assert headings(README) == HEADINGS


def test_its_examples_are_true() -> None:
    assert run_examples(README) == (5, 0)


def test_every_metric_is_in_it() -> None:
    assert shown_metrics(README, "pinnace_checks_") == declared_metrics("pinnace_checks_")
