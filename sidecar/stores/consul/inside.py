"""A Consul-compatible agent as a service inside a container tells it of itself; it blocks."""

import json
import os
import socket
import urllib.request
from typing import Any, Final
from urllib.parse import quote, urlsplit

from sidecar.runtime.request import fetched

__all__ = ["Inside"]

_TIMEOUT: Final = 5.0


class Inside:
    """One API; every call blocks and raises OSError."""

    def __init__(self, url: str) -> None:
        """Take ``http://HOST:PORT``; the variable CONSUL_HTTP_TOKEN is the token."""
        self._url = url.rstrip("/")

    def register(self, body: dict[str, Any]) -> None:
        """Register a service, by our own address unless it says one."""
        body = {**body, "Address": body.get("Address") or self._own_address()}
        self._ask("PUT", "/v1/agent/service/register", body)

    def beat(self, id_: str, *, is_well: bool) -> None:
        """Say that a service is well, or not."""
        word = "pass" if is_well else "fail"
        self._ask("PUT", f"/v1/agent/check/{word}/{quote(f'service:{id_}', safe=':')}")

    def deregister(self, id_: str) -> None:
        """Take a service out."""
        self._ask("PUT", f"/v1/agent/service/deregister/{quote(id_, safe='')}")

    def instances(self, service: str) -> frozenset[tuple[str, int]]:
        """Return where the passing instances of a service are."""
        found = json.loads(
            self._ask("GET", f"/v1/health/service/{quote(service, safe='')}?passing")
        )
        return frozenset(
            (each["Service"]["Address"] or each["Node"]["Address"], each["Service"]["Port"])
            for each in found
        )

    def _own_address(self) -> str:
        """Return the address that the catalogue's host would see us by."""
        parts = urlsplit(self._url)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((parts.hostname or "127.0.0.1", parts.port or 80))
            return str(probe.getsockname()[0])

    def _ask(self, method: str, path: str, body: Any = None) -> str:
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-Consul-Token": os.environ.get("CONSUL_HTTP_TOKEN", "")}
        request = urllib.request.Request(  # noqa: S310
            self._url + path, data, {k: v for k, v in headers.items() if v}, method=method
        )
        status, text = fetched(request, _TIMEOUT)
        if status != 200:
            raise OSError(f"{self._url}{path}: status {status} {text[:100]}")
        return text
