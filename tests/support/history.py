"""Writers and a watcher over the HTTP API, and what their history must satisfy.

What was acknowledged stays, nobody sees a counter or an index go back, and a write whose answer
was cut off counts as done or not done, but not as half done.
"""

import http.client
import json
import threading
from base64 import b64decode
from dataclasses import dataclass, field

__all__ = ["History", "Seen", "answer"]

_Answer = tuple[int, int, bytes]


def answer(port: int, method: str, path: str, body: bytes | None = None) -> _Answer:
    """Return status, index and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        return _ask(connection, method, path, body)
    finally:
        connection.close()


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> _Answer:
    connection.request(method, path, body)
    response = connection.getresponse()
    data = response.read()
    return response.status, int(response.headers.get("X-Consul-Index", 0)), data


@dataclass
class Seen:
    """What is known of one key."""

    acknowledged: int = 0
    """The counter of the last write that was answered."""
    sent: int = 0
    """The counter of the last write that was sent."""
    index: int = 0


@dataclass
class History:
    """All that was seen, over the lives of many processes."""

    port: int
    keys: dict[str, Seen] = field(default_factory=dict)
    table_index: int = 0
    watched: int = 0
    """The last index the watcher got."""
    wakes: int = 0
    problems: list[str] = field(default_factory=list)
    _counters: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, names: tuple[str, ...]) -> None:
        """Write these keys and watch all, until the server ends."""
        self._stop.clear()
        work = [(self._write, (name,)) for name in names]
        self._threads = [
            *(threading.Thread(target=target, args=args) for target, args in work),
            threading.Thread(target=self._watch),
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for everyone to have noticed the end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(40)
            assert not thread.is_alive()

    def acknowledged(self) -> int:
        """Return how many writes were answered."""
        return sum(seen.acknowledged for seen in self.keys.values())

    def check(self) -> None:
        """Compare a started server with what was seen before."""
        for name, seen in self.keys.items():
            status, index, body = answer(self.port, "GET", f"/v1/kv/{name}")
            assert status == 200, (name, status, body)
            (entry,) = json.loads(body)
            count = _count(entry)
            assert seen.acknowledged <= count <= seen.sent, (name, seen, count)
            assert entry["ModifyIndex"] >= seen.index, (name, seen, entry)
            assert index == entry["ModifyIndex"]
            # A write that was cut off may have happened; from now on it is known.
            seen.acknowledged, seen.sent, seen.index = count, count, index
        _, index, _ = answer(self.port, "GET", "/v1/kv/absent")
        assert index >= self.table_index, "the table's index went back"
        assert not self.problems, self.problems[:5]

    def _write(self, name: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        seen = self.keys.setdefault(name, Seen())
        try:
            while not self._stop.is_set():
                self._one(connection, name, seen)
        except (OSError, http.client.HTTPException):
            pass  # killed: the write under way may have happened or not
        finally:
            connection.close()

    def _one(self, connection: http.client.HTTPConnection, name: str, seen: Seen) -> None:
        seen.sent = count = seen.sent + 1
        # Every third write depends on the index it knows, so a lost one is noticed at once.
        cas = f"?cas={seen.index}" if count % 3 == 0 and seen.index else ""
        status, _, body = _ask(
            connection, "PUT", f"/v1/kv/{name}{cas}", f"{count} ".encode() + b"x" * (count % 4000)
        )
        if (status, body.strip()) != (200, b"true"):
            self.problems.append(f"{name} {count} {cas}: {status} {body[:80]!r}")
            return
        seen.acknowledged = count
        status, index, body = _ask(connection, "GET", f"/v1/kv/{name}")
        if index <= seen.index or _count(json.loads(body)[0]) != count:
            self.problems.append(f"{name} {count}: index {seen.index} -> {index}, {body[:80]!r}")
        seen.index = index
        if count % 5 == 0:
            _ask(connection, "PUT", f"/v1/kv/{name}/child", b"x")
            _ask(connection, "DELETE", f"/v1/kv/{name}/child")
            _, index, _ = _ask(connection, "GET", "/v1/kv/absent")
            self.table_index = max(self.table_index, index)

    def _watch(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            while not self._stop.is_set():
                path = f"/v1/kv/?recurse&wait=1s&index={self.watched}"
                status, index, body = _ask(connection, "GET", path)
                if index < self.watched:
                    self.problems.append(f"watch: index {self.watched} -> {index}")
                self.watched = index
                self.wakes += 1
                for entry in json.loads(body) if status == 200 else ():
                    self._watched_entry(entry)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def _watched_entry(self, entry: dict[str, object]) -> None:
        name = str(entry["Key"])
        if name.endswith("/child"):
            return
        count = _count(entry)
        if count < self._counters.get(name, 0):
            self.problems.append(f"watch: {name} {self._counters[name]} -> {count}")
        self._counters[name] = count


def _count(entry: dict[str, object]) -> int:
    return int(b64decode(str(entry["Value"])).split()[0])
