"""The README of every package: fixed headings, true examples, each of its metrics."""

from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

from tests.support.readme import HEADINGS, declared_metrics, headings, run_examples, shown_metrics

ROOT = Path(__file__).parents[2]
PARTS = ("adapter", "ambassador", "dnsd", "registrar", "sidecar", "templater")
PACKAGES = {
    "adapter", "adapter/jmx", "ambassador", "dnsd", "registrar", "sidecar/checks",
    "sidecar/gitsync", "sidecar/run", "sidecar/scheduler", "templater", "templater/confd",
    "templater/consul_template", "templater/envconsul", "templater/nginx",
}  # fmt: skip
# How many examples each has; those of the others are commands for a shell.
EXAMPLES = {
    "adapter": 8, "adapter/jmx": 10, "ambassador": 6, "registrar": 6, "sidecar/checks": 5,
    "sidecar/gitsync": 4, "sidecar/run": 3, "sidecar/scheduler": 3,
}  # fmt: skip
# Where the tables of a package's metrics are, by the beginning of their names.
TABLES = {
    "ambassador_": ("ambassador",),
    "dnsd_": ("dnsd",),
    "pinnace_checks_": ("sidecar/checks",),
    "pinnace_gitsync_": ("sidecar/gitsync",),
    "pinnace_registrar_": ("registrar",),
    "pinnace_scheduler_": ("sidecar/scheduler",),
    "pinnace_templater_": ("templater", "templater/confd", "templater/nginx"),
}


def readme(package: str) -> Path:
    return ROOT / package / "README.md"


def test_no_package_is_forgotten() -> None:
    found = [path.parent for part in PARTS for path in (ROOT / part).rglob("README.md")]
    assert {str(folder.relative_to(ROOT)) for folder in found} == PACKAGES


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_the_headings_are_the_fixed_ones(package: str) -> None:
    assert headings(readme(package)) == HEADINGS


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_its_examples_are_true(package: str) -> None:
    assert run_examples(readme(package)) == (EXAMPLES.get(package, 0), 0)


@pytest.mark.parametrize("prefix", sorted(TABLES))
def test_every_metric_is_in_the_tables_and_no_other(prefix: str) -> None:
    top = TABLES[prefix][0]
    for module in walk_packages([str(ROOT / top)], top.replace("/", ".") + "."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    shown = set().union(*(shown_metrics(readme(package), prefix) for package in TABLES[prefix]))
    assert shown == declared_metrics(prefix)
