"""A real Redis Sentinel that watches one primary and is quick to promote."""

from collections.abc import Sequence
from pathlib import Path

from deploy.tools.server import Server
from tests.support.ambassador import Caller
from tests.support.pinnace import until
from tests.support.redis import Redis

__all__ = ["Sentinel"]


class Sentinel(Server):
    """Names the primary ``mymaster``."""

    name = "sentinel"

    def __init__(self, primary: Redis, quorum: int = 1) -> None:
        super().__init__(1)
        self._watched = f"127.0.0.1 {primary.port} {quorum}"

    def command(self) -> Sequence[str | Path]:
        """Return the words that start it."""
        path = self.folder / "sentinel.conf"
        path.write_text(
            f"port {self.numbers[0]}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor mymaster {self._watched}\n"
            # What a busy machine makes slow is not down: a second promotion would hide the first.
            "sentinel down-after-milliseconds mymaster 2000\n"
            "sentinel failover-timeout mymaster 5000\n"
        )
        return ["redis-sentinel", path]

    @property
    def words(self) -> list[str]:
        """Return the command line of an ambassador that follows it."""
        return ["--sentinel", f"127.0.0.1:{self.numbers[0]}", "--master-name", "mymaster"]

    def until_knows(self, count: int) -> None:
        """Wait until it knows so many replicas."""
        with Caller(self.numbers[0]) as asking:
            until(lambda: len(asking.do("SENTINEL", "REPLICAS", "mymaster")) == count, 30, 0.1)

    def serves(self) -> bool:
        """Say whether it answers."""
        try:
            with Caller(self.numbers[0], timeout=1) as client:
                return bool(client.do("PING") == b"PONG")
        except (OSError, EOFError):
            return False
