"""Names of metrics follow one pattern; a part's module declares them."""

import importlib
import re

import pytest

from sidecar import metrics

MODULES = [
    "sidecar.runtime.supervisor",
    "sidecar.runtime.watchdog",
    "sidecar.stores.keeper",
    "sidecar.stores.keyvalue",
    "sidecar.web.server",
    "sidecar.checks.runner",
    "sidecar.gitsync.component",
    "registrar.component",
    "registrar.embedded",
    "templater.component",
    "dnsd.component",
    "ambassador.redis.telemetry",
    "sidecar.scheduler.gauges",
    "sidecar.scheduler.journal",
    "sidecar.scheduler.serving",
    "ambassador.tcp.pool",
]
PATTERN = re.compile(
    r"(pinnace_(runtime|stores|web|checks|gitsync|registrar|templater|scheduler)|dnsd|ambassador)_[a-z][a-z0-9_]*"
)


@pytest.mark.parametrize("module", MODULES)
def test_every_metric_has_a_name_of_the_pattern_and_a_description(module: str) -> None:
    importlib.import_module(module)
    families = list(metrics.REGISTRY.collect())
    assert families
    for family in families:
        assert PATTERN.fullmatch(family.name), family.name
        assert family.documentation


def test_exposition_is_prometheus_text() -> None:
    importlib.import_module("sidecar.runtime.watchdog")
    assert b"# TYPE pinnace_runtime_loop_lag_seconds gauge" in metrics.exposition()


def test_a_gauge_falls_as_it_rises_and_may_ask_a_function() -> None:
    jobs = metrics.gauge("pinnace_runtime_jobs", "Jobs")
    jobs.inc(3)
    jobs.dec()
    queue = metrics.gauge("pinnace_runtime_queue", "Waiting", ["of"])
    waiting = ["a"]
    queue.labels("x").set_function(lambda: len(waiting))
    waiting.append("b")
    text = metrics.exposition().decode()
    del metrics.FAMILIES["pinnace_runtime_jobs"], metrics.FAMILIES["pinnace_runtime_queue"]
    assert "pinnace_runtime_jobs 2.0" in text
    assert 'pinnace_runtime_queue{of="x"} 2.0' in text
