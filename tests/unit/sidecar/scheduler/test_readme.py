"""The README of sidecar.scheduler says what is so."""

from pathlib import Path

import sidecar.scheduler
import sidecar.scheduler.gauges
import sidecar.scheduler.journal
import sidecar.scheduler.serving
from tests.support.readme import (
    HEADINGS,
    declared_metrics,
    headings,
    run_examples,
    shown_metrics,
)

README = Path(sidecar.scheduler.__file__).with_name("README.md")


def test_it_has_the_headings_of_every_package() -> None:
    assert headings(README) == HEADINGS


def test_its_examples_are_true() -> None:
    attempted, failed = run_examples(README)
    assert attempted
    assert not failed


def test_it_shows_every_metric() -> None:
    assert shown_metrics(README, "pinnace_scheduler_") == declared_metrics("pinnace_scheduler_")
