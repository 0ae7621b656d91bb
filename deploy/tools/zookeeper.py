"""A private real ZooKeeper 3.8 (Debian's package) that tests start, kill, freeze and wipe.

``python -m deploy.tools.zookeeper`` runs one until Enter and prints its address. Everything it
opens is on loopback.
"""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.tools.server import Server

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ZooKeeper", "main", "why_not"]

_JAR: Final = Path("/usr/share/java/zookeeper.jar")
_TICK: Final = 200  # milliseconds: sessions end within one of them after their time
# A test's server lives for seconds: quick to start, small, and no waiting for the disk.
_JVM: Final = (
    "-Xms32m",
    "-Xmx128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dzookeeper.forceSync=no",
    "-Dzookeeper.preAllocSize=64",
)


def why_not() -> str | None:
    """Why no ZooKeeper can be started here, or None."""
    if shutil.which("java") is None:
        return "missing: java (deploy/setup installs it)"
    return None if _JAR.exists() else "missing: zookeeper (deploy/setup installs it)"


class ZooKeeper(Server):
    """One standalone server with a state of its own; a context manager that leaves nothing.

    It grants sessions from 0.4 to ``longest`` seconds.
    """

    name = "zookeeper"

    def __init__(self, *, longest: float = 40.0) -> None:
        """Prepare a folder."""
        super().__init__(1)
        self._longest = round(1000 * longest)

    @property
    def port(self) -> int:
        """Where it listens; 0 before the first start."""
        return self.numbers[0] if self.numbers else 0

    @property
    def address(self) -> str:
        """Host and port, as clients take them."""
        return f"127.0.0.1:{self.port}"

    def ask(self, word: str) -> str:
        """Return the answer to one of ZooKeeper's four-letter commands, "" when there is none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(word.encode())
                answer = b""
                while piece := connection.recv(65536):
                    answer += piece
                return answer.decode(errors="replace")
        except OSError:
            return ""

    def command(self) -> Sequence[str]:
        """Write its configuration; return the words that start it."""
        settings = {
            "tickTime": _TICK,
            "minSessionTimeout": 400,
            "maxSessionTimeout": self._longest,
            "dataDir": self.data_dir,
            "clientPort": self.port,
            "clientPortAddress": "127.0.0.1",
            "maxClientCnxns": 0,
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "*",
        }
        file = self.folder / "zoo.cfg"
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        main_class = "org.apache.zookeeper.server.ZooKeeperServerMain"
        return ["java", *_JVM, "-cp", str(_JAR), main_class, str(file)]

    def serves(self) -> bool:
        """Say whether it answers."""
        return "Mode: standalone" in self.ask("srvr")


def main() -> int:
    """Run one until Enter or the end of input."""
    if reason := why_not():
        print(f"zookeeper: {reason}", file=sys.stderr)
        return 1
    with ZooKeeper() as server:
        print(f"zookeeper://{server.address} pid={server.pid}", flush=True)
        sys.stdin.readline()
    return 0


if __name__ == "__main__":
    sys.exit(main())
