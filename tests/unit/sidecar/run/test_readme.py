"""The README of sidecar.run says what is so."""

from pathlib import Path

import sidecar.run
from tests.support.readme import HEADINGS, headings, run_examples

README = Path(sidecar.run.__file__).with_name("README.md")


def test_it_has_the_headings_of_every_package() -> None:
    assert headings(README) == HEADINGS


def test_its_examples_are_true() -> None:
    attempted, failed = run_examples(README)
    assert attempted
    assert not failed
