"""Debian's Prometheus finds and scrapes an adapter, and promtool has nothing against it."""

import http.client
import json
from collections.abc import Iterator

import pytest

from tests.support.pinnace import Pinnace, until
from tests.support.prometheus import Prometheus, complaints
from tests.support.statsd import Exporter

pytestmark = pytest.mark.prometheus

RULES = """
defaults: {counter_suffix: auto, observer_type: histogram}
mappings:
- {match: "*.took", name: took_seconds, labels: {service: "$1"}}
"""


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    """One with counters called as promtool wants."""
    with Exporter(mapping=RULES) as running:
        running.send(b"web.hits:3|c|#path:/\nweb.took:20|ms|@0.5\nweb.level:4|g\nweb.took:1|ms")
        yield running


def test_promtool_passes_the_exposition(exporter: Exporter) -> None:
    assert complaints(exporter.get("/metrics")[1]) == ""


def test_by_default_promtool_minds_only_what_senders_called_their_counters() -> None:
    # The names are the original's, which promtool minds for one of its own besides.
    with Exporter() as exporter:
        exporter.send(b"web.hits:3|c|#path:/\nweb.took:20|ms\nweb.level:4|g\nnamed_total:1|c")
        exposition = exporter.get("/metrics")[1]
    assert b"\nnamed_total 1" in exposition
    assert complaints(exposition).splitlines() == [
        'web_hits counter metrics should have "_total" suffix'
    ]


def test_by_default_promtool_passes_what_a_mapping_names_well() -> None:
    mapping = "mappings: [{match: web.hits, name: web_hits_total}]"
    with Exporter(mapping=mapping) as exporter:
        exporter.send(b"web.hits:3|c|#path:/\nweb.took:20|ms\nweb.level:4|g")
        exposition = exporter.get("/metrics")[1]
    assert b'\nweb_hits_total{path="/"} 3' in exposition
    assert complaints(exposition) == ""


def test_prometheus_scrapes_it_in_the_format_it_likes(exporter: Exporter) -> None:
    job = {"static_configs": [{"targets": [f"127.0.0.1:{exporter.web}"]}]}
    with Prometheus(job) as prometheus:
        found = prometheus.until('web_hits_total{path="/"}')
        assert found["value"][1] == "3"
        took = prometheus.until('took_seconds_bucket{service="web",le="+Inf"}')
        assert took["value"][1] == "3"
        assert prometheus.until("up == 1")


def test_prometheus_finds_it_in_the_catalogue(exporter: Exporter) -> None:
    # No engine: the catalogue is filled by its API. Debian's Prometheus has no consul_sd_configs;
    # tests/compat/consul/test_vmagent.py tries those.
    with Pinnace("unix:///nonexistent", wait=False, lb=False) as pinnace:
        until(lambda: pinnace.get("/healthz")[0] == 200, 60)
        body = {
            "Name": "statsd-adapter",
            "Address": "127.0.0.1",
            "Port": exporter.web,
            "Tags": ["metrics"],
        }
        register(pinnace, body)
        url = f"http://127.0.0.1:{pinnace.http_port}/v1/pinnace/http_sd?tag=metrics"
        job = {"http_sd_configs": [{"url": url, "refresh_interval": "1s"}]}
        with Prometheus(job) as prometheus:
            assert prometheus.until('web_hits_total{path="/"}')["value"][1] == "3"


def register(pinnace: Pinnace, body: object) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", pinnace.http_port, timeout=10)
    try:
        connection.request("PUT", "/v1/agent/service/register", json.dumps(body))
        assert connection.getresponse().status == 200
    finally:
        connection.close()
