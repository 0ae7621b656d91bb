"""Debian's Prometheus and promtool: a scraper nobody here wrote."""

import http.client
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from tests.support.pinnace import until
from tests.support.ports import free_port

__all__ = ["Prometheus", "complaints", "why_not"]


def why_not() -> str | None:
    """Say why there is no Prometheus here."""
    if shutil.which("prometheus") and shutil.which("promtool"):
        return None
    return "missing: prometheus (deploy/setup installs it)"


def complaints(exposition: bytes) -> str:
    """Return what promtool says against an exposition; nothing: it passes."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition, capture_output=True, check=False
    )
    return "" if done.returncode == 0 else (done.stdout + done.stderr).decode()


class Prometheus:
    """One running server; a context manager that leaves nothing behind."""

    def __init__(self, job: dict[str, Any], port: int = 0) -> None:
        """Scrape one job, every two seconds."""
        self.port = port or free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="pnp-")
        folder = Path(self._folder.name)
        config = {
            "global": {"scrape_interval": "2s", "scrape_timeout": "2s"},
            "scrape_configs": [{"job_name": "j", **job}],
        }
        (folder / "p.yml").write_text(json.dumps(config))  # JSON is YAML
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'p.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query; nothing while it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", f"/api/v1/query?query={quote(expression)}")
            response = connection.getresponse()
            if response.status != 200:
                return []
            found: list[dict[str, Any]] = json.loads(response.read())["data"]["result"]
            return found
        except OSError:
            return []
        finally:
            connection.close()

    def until(self, expression: str) -> dict[str, Any]:
        """Return the first result of a query, once there is one."""
        until(lambda: self.query(expression), 60, 0.1)
        return self.query(expression)[0]
