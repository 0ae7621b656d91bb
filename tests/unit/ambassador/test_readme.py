"""The README has the fixed headings, true examples and every metric."""

from pathlib import Path

import ambassador.redis.telemetry
import ambassador.tcp.pool
from tests.support.readme import (
    HEADINGS,
    declared_metrics,
    headings,
    run_examples,
    shown_metrics,
)  # fmt: skip

README = Path(ambassador.redis.telemetry.__file__).parents[1] / "README.md"


def test_the_readme_has_the_headings_of_all_packages() -> None:
    assert headings(README) == HEADINGS


def test_every_example_is_true() -> None:
    attempted, failed = run_examples(README)
    assert attempted
    assert not failed


def test_every_metric_is_in_the_readme() -> None:
    assert ambassador.tcp.pool.__name__
    assert shown_metrics(README, "ambassador_") == declared_metrics("ambassador_")
