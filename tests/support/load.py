"""A steady load of keep-alive clients in threads that remembers every failure."""

import http.client
import threading
import time
from types import TracebackType
from typing import Self

__all__ = ["Load"]


class Load:
    """Requests as fast as the clients can, until the block ends."""

    def __init__(
        self, port: int, host: str, *, clients: int = 10, path: str = "/", pause: float = 0.0,
        keep_alive: bool = True,
    ) -> None:  # fmt: skip
        """Each client keeps its connection, or opens one for each request.

        ``pause`` seconds lie between its requests.
        """
        self._port = port
        self._headers = {"Host": host} | ({} if keep_alive else {"Connection": "close"})
        self._path = path
        self._pause = pause
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(number,), daemon=True)
            for number in range(clients)
        ]
        self._counts = [0] * clients
        self.failures: list[str] = []

    @property
    def total(self) -> int:
        """Requests answered so far."""
        return sum(self._counts)

    def __enter__(self) -> Self:
        """Start all clients."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Let every client finish its request."""
        self._stop.set()
        for thread in self._threads:
            thread.join(15)

    def _client(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._stop.is_set():
            try:
                connection.request("GET", self._path, headers=self._headers)
                response = connection.getresponse()
                body = response.read()
                if response.status != 200:
                    self.failures.append(f"{response.status} {body[:80]!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                connection.close()
            self._counts[number] += 1
            if self._pause:
                time.sleep(self._pause)
        connection.close()
