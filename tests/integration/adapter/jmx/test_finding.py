"""JVMs found in the catalogue, and Prometheus that finds and scrapes the exporter."""

import pytest

from deploy.tools.jvm import Beans
from tests.integration.adapter.test_prometheus import register
from tests.support.jmx import Exporter, families_of, value_of
from tests.support.pinnace import Pinnace, until
from tests.support.prometheus import Prometheus

pytestmark = [pytest.mark.jvm, pytest.mark.prometheus]

CONFIG = """
jvmMetrics: false
includeObjectNames: ["bench:name=t1,*"]
rules: [{{pattern: "<>(Count)", name: things_$1}}]
{more}
"""


def test_jvms_are_found_in_the_catalogue(beans: Beans) -> None:
    with Pinnace("unix:///nonexistent", wait=False, lb=False) as pinnace:
        until(lambda: pinnace.get("/healthz")[0] == 200, 30)
        more = f"discovery: {{store: 'consul://127.0.0.1:{pinnace.http_port}'}}"
        with Exporter(CONFIG.format(more=more)) as exporter:
            assert "things_Count" not in families_of(exporter.metrics())
            body = {"Name": "orders", "Address": "127.0.0.1", "Port": beans.numbers[0]}
            register(pinnace, {**body, "Tags": ["jmx"]})
            other = {"ID": "other", "Name": "billing", "Address": "127.0.0.1", "Port": 80}
            register(pinnace, {**other, "Meta": {"jmx_port": str(beans.numbers[0])}})
            series = f'things_Count{{target="orders@{beans.place}"}}'
            until(lambda: value_of(exporter.metrics(), series) == 1, 20)
            series = f'things_Count{{target="billing@{beans.place}"}}'
            until(lambda: value_of(exporter.metrics(), series) == 1, 20)
            assert value_of(exporter.metrics(f"?target={beans.place}"), "things_Count") == 1


def test_prometheus_scrapes_each_target_and_knows_which_jvm_is_down(beans: Beans) -> None:
    more = (
        f'targets: [{{hostPort: "{beans.place}", name: a}}, {{hostPort: "127.0.0.1:1", name: b}}]'
    )
    with Exporter(CONFIG.format(more=more)) as exporter:
        url = f"http://127.0.0.1:{exporter.port}/targets"
        with Prometheus({"http_sd_configs": [{"url": url, "refresh_interval": "1s"}]}) as found:
            assert found.until('things_Count{instance="a"}')["value"][1] == "1"
            # What a target says of `up` stands before what Prometheus says of the exporter.
            found.until('up{instance="b"} == 0')
            found.until('up{instance="a"} == 1')
