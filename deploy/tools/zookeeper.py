"""A private real ZooKeeper 3.8 (Debian's package) that tests start, kill, freeze and wipe.

``python -m deploy.tools.zookeeper`` runs one until Enter and prints its address. Everything it
opens is on loopback.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, Self

from deploy.tools.freezing import freeze, thaw

__all__ = ["ZooKeeper", "main", "why_not"]

_JAR: Final = Path("/usr/share/java/zookeeper.jar")
_START_LIMIT: Final = 30.0
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


class ZooKeeper:
    """One standalone server with a state of its own; a context manager that leaves nothing.

    It grants sessions from 0.4 to ``longest`` seconds.
    """

    def __init__(self, *, longest: float = 40.0) -> None:
        """Prepare a folder; ``start`` chooses a port and keeps it from then on."""
        self._longest = round(1000 * longest)
        self._folder = tempfile.TemporaryDirectory(prefix="zookeeper-")
        self._path = Path(self._folder.name)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Host and port, as clients take them."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        if self._process is None:
            raise RuntimeError("zookeeper is not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and not ended, frozen or not."""
        return self._process is not None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it and remove its files."""
        self.kill()
        self._folder.cleanup()

    def start(self) -> None:
        """Start (again, on the same data and port) and wait until it serves."""
        if self.is_running:
            return
        fixed = self.port
        for _ in range(3):  # another process may take a port between our look and the bind
            self.port = fixed or _free_port()
            self._launch()
            if self._wait():
                return
            self.kill()
        raise RuntimeError(f"zookeeper did not start: {self.log_text()[-2000:]}")

    def stop(self) -> None:
        """End the process as an administrator does; its data stay."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self._end(signal.SIGKILL)

    def wipe(self) -> None:
        """Kill it, remove its data and start it at the same address."""
        self.kill()
        shutil.rmtree(self._path / "data", ignore_errors=True)
        self.start()

    def freeze(self) -> None:
        """Stop it: connections stay open, nothing answers."""
        freeze(self.pid)

    def thaw(self) -> None:
        """Let a frozen server go on; nothing happens to one that runs."""
        if self.is_running:
            thaw(self.pid)

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

    def log_text(self) -> str:
        """Return what it printed."""
        path = self._path / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _launch(self) -> None:
        settings = {
            "tickTime": _TICK,
            "minSessionTimeout": 400,
            "maxSessionTimeout": self._longest,
            "dataDir": self._path / "data",
            "clientPort": self.port,
            "clientPortAddress": "127.0.0.1",
            "maxClientCnxns": 0,
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "*",
        }
        file = self._path / "zoo.cfg"
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        main_class = "org.apache.zookeeper.server.ZooKeeperServerMain"
        with (self._path / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["java", *_JVM, "-cp", str(_JAR), main_class, str(file)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self._path,
                env={"PATH": os.environ.get("PATH", ""), "HOME": self._folder.name},
            )

    def _wait(self) -> bool:
        """Wait until it serves; False when the process ended."""
        deadline = time.monotonic() + _START_LIMIT
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            if "Mode: standalone" in self.ask("srvr"):
                return True
            time.sleep(0.02)
        return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


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
