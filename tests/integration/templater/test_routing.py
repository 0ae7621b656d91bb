"""Requests through a real HAProxy."""

from pathlib import Path

import pytest

from sidecar.catalog.model import HTTP_HOST
from tests.integration.templater.harness import (
    Bench,
    backends,
    instance,
    need_haproxy,
    running,
)

pytestmark = pytest.mark.haproxy


@pytest.fixture(autouse=True)
def _haproxy() -> None:
    need_haproxy()


async def test_host_decides_the_service(tmp_path: Path) -> None:
    async with backends(2) as (web, api), running(Bench(tmp_path)) as bench:
        asked = {HTTP_HOST: "api.example.org, *.wild.example.org"}
        bench.put(instance("a", web), instance("b", api, "api", meta=asked))
        await bench.applied("reload")
        for host, port in {
            "web.localhost": web,
            "WEB.localhost.": web,
            f"web.localhost:{bench.port}": web,
            "web.consul": web,
            "web.service.pinnace": web,
            "api.localhost": api,
            "api.example.org": api,
            "x.y.wild.example.org": api,
        }.items():
            assert await bench.get(host) == (200, str(port)), host
        for host in (
            "wild.example.org",
            "nope.localhost",
            "localhost",
            "[::1]",
            "",
            "a, web.localhost",
        ):
            status, body = await bench.get(host)
            assert (status, body) == (404, ""), host
