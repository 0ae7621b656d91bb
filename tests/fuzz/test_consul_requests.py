"""Whatever is sent to the API: words and not a bug, nothing lost, memory bounded.

``PINNACE_FUZZ`` is the number of requests (100000 for the whole run), ``PINNACE_SEED`` their seed.
"""

import gzip
import json
import os
import re
import socket
from contextlib import ExitStack
from pathlib import Path

from tests.fuzz.consul_requests import requests
from tests.support.pinnace import Pinnace, until

COUNT = int(os.environ.get("PINNACE_FUZZ", "3000"))
SEED = int(os.environ.get("PINNACE_SEED", "1"))
CONSULS_WORDS = re.compile(
    rb"No path to datacenter|strconv\.ParseUint: |invalid session |failed session lookup: |"
    rb"missing session|CheckID .* does not have associated TTL|ServiceID .* does not exist|"
    rb"(Service|Check)ID missing|Must provide |Failed to create boolean expression evaluator: |"
    rb"(Invalid )?Session TTL |Invalid Behavior setting |Missing (node|check) |"
    rb"Scripts are disabled|Cannot provide tag filter|check node .* does not match|"
    rb"failed inserting |Bad node ID: |Unknown check|Selector .* is not valid",
    re.DOTALL,
)
UNFRAMED = re.compile(rb"\r\n(Transfer|Content-Length: 1\r|Connection|Expect|Upgrade)")
"""Where it is not sure where the request ends, or the connection."""
MOST_MB = 120


class Wire:
    """Sends bytes and reads one answer; connects again whenever that ends."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, data: bytes) -> tuple[int, bytes]:
        """Return status and body; 0 when the connection was closed without an answer."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=5)
        try:
            self._socket.sendall(data)
            head, rest = self._until_head()
            status = int(head[9:12])
            if status == 100:
                raise ConnectionError("asked to go on")
            found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            size = int(found[1]) if found and not data.startswith(b"HEAD") else 0
            while len(rest) < size:
                rest += self._more()
        except OSError:
            self.close()
            return 0, b""
        # A request whose length was a lie would shift all that follow.
        if UNFRAMED.search(data) or (
            status in {400, 413, 431} or len(rest) > size or data.count(b"\r\n\r\n") > 1
        ):
            self.close()
        return status, gzip.decompress(rest) if rest.startswith(b"\x1f\x8b") else rest

    def _until_head(self) -> tuple[bytes, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, rest = data.partition(b"\r\n\r\n")
        return head, rest

    def _more(self) -> bytes:
        assert self._socket is not None
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("closed")
        return data

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def rss(pid: int) -> float:
    """Return resident memory in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def put(wire: Wire, path: str, body: bytes) -> None:
    head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    status, _ = wire.ask(head.encode() + body)
    assert status == 200


def test_requests_are_answered_or_refused_and_nothing_is_lost() -> None:
    with Pinnace("unix:///nowhere", lb=False, wait=False) as pinnace, ExitStack() as stack:
        until(lambda: pinnace.get("/v1/status/leader")[0] == 200)
        stack.callback((wire := Wire(pinnace.http_port)).close)
        service = {"Name": "kept", "ID": "kept", "Port": 80, "Check": {"TTL": "9h"}}
        put(wire, "/v1/agent/service/register", json.dumps(service).encode())
        put(wire, "/v1/kv/kept", b"value")
        for line, data in requests(SEED, COUNT):
            status, body = wire.ask(data)
            if not status:
                assert UNFRAMED.search(data), data
            elif status >= 500:
                assert status in {500, 501, 503}, (line, status, body, data)
                if status == 500:
                    assert CONSULS_WORDS.match(body), (line, body, data)
        log = pinnace.log_text()
        assert "Traceback" not in log
        assert "Error handling request" not in log
        assert pinnace.json("/v1/kv/kept")[0]["Value"] == "dmFsdWU="
        assert pinnace.json("/v1/agent/services")["kept"]["Port"] == 80
        assert "service:kept" in pinnace.json("/v1/agent/checks")
        assert rss(pinnace.pid) < MOST_MB
