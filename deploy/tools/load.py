"""A small steady load on loopback: keep-alive clients that count answers and failures."""

import collections
import contextlib
import http.client
import threading
import time
from typing import Self

__all__ = ["Load"]


class Load:
    """Requests of a few clients until the block ends; each client keeps its connection."""

    def __init__(self, port: int, host: str, paths: tuple[str, ...], *, pause: float) -> None:
        """One client for each path; ``pause`` seconds lie between its requests."""
        self.answers: collections.Counter[str] = collections.Counter()
        self.failures: list[str] = []
        self.last_answer: dict[str, float] = {}
        self._port, self._host, self._pause = port, host, pause
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(path,), daemon=True) for path in paths
        ]

    @property
    def total(self) -> int:
        """Requests sent that have ended, well or not."""
        return sum(self.answers.values()) + len(self.failures)

    def __enter__(self) -> Self:
        """Start the clients."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let every client finish its request."""
        self._stop.set()
        for thread in self._threads:
            thread.join(15)

    def _client(self, path: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        with contextlib.closing(connection):
            while not self._stop.wait(self._pause):
                try:
                    self._request(connection, path)
                except (OSError, http.client.HTTPException) as error:
                    connection.close()
                    with self._lock:
                        self.failures.append(f"{path}: {type(error).__name__}: {error}")

    def _request(self, connection: http.client.HTTPConnection, path: str) -> None:
        connection.request("GET", path, headers={"Host": self._host})
        response = connection.getresponse()
        body = response.read().decode(errors="replace").strip()
        with self._lock:
            if response.status != http.HTTPStatus.OK:
                self.failures.append(f"{path}: status {response.status}")
                return
            self.answers[body] += 1
            self.last_answer[body] = time.monotonic()
