"""vmagent: a scraper that knows Consul, which Debian's Prometheus does not."""

import http.client
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.oracle import vmagent_program
from tests.support.ports import free_port

__all__ = ["targets", "vmagent"]


@contextmanager
def vmagent(folder: Path, job: Mapping[str, Any]) -> Iterator[int]:
    """Run vmagent with one job, which discovers and rarely scrapes; yield its port."""
    port = free_port()
    config = folder / "scrape.json"  # JSON is YAML
    scrape = {"job_name": "j", "scrape_interval": "1h", **job}
    config.write_text(json.dumps({"scrape_configs": [scrape]}))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                vmagent_program(),
                f"-promscrape.config={config}",
                "-promscrape.consulSDCheckInterval=1s",
                f"-httpListenAddr=127.0.0.1:{port}",
                "-remoteWrite.url=http://127.0.0.1:1/",
                f"-remoteWrite.tmpDataPath={folder / 'data'}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(20)


def targets(port: int) -> dict[str, dict[str, str]]:
    """Return the discovered labels by address; nothing while vmagent does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api/v1/targets")
        found = json.loads(connection.getresponse().read())["data"]["activeTargets"]
    except (OSError, ValueError):
        return {}
    finally:
        connection.close()
    return {each["discoveredLabels"]["__address__"]: each["discoveredLabels"] for each in found}
