"""The drop-in as a real process, called by the name ``envconsul``; its child keeps a log."""

import os
import signal
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from tests.support.program import Program

__all__ = ["Envconsul", "put"]

_CHILD = """
log={log}
trap 'echo usr1 >>$log' USR1
trap 'echo hup >>$log' HUP
trap 'echo int >>$log; exit 0' INT
trap 'echo term >>$log; exit 7' TERM
env | sort >{folder}/environ.$$
mv {folder}/environ.$$ {folder}/environ
echo "start port=$port" >>$log
while :; do sleep 0.02; done
"""


def put(url: str, key: str, value: str | bytes | None) -> None:
    """Write a key of Consul, or delete it and what is below."""
    data = value.encode() if isinstance(value, str) else value
    path = f"{url}/v1/kv/{quote(key)}" + ("?recurse" if data is None else "")
    method = "PUT" if data is not None else "DELETE"
    request = urllib.request.Request(path, data=data, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.read().strip() == b"true"


class Envconsul(Program):
    """A folder, the program and its child."""

    ends_by = signal.SIGINT  # the child would outlive SIGKILL

    def __init__(self, folder: Path, url: str) -> None:
        """Prepare the child; ``url`` is the agent's."""
        super().__init__(folder, "envconsul")
        self.child = folder / "child"
        self.child_log = folder / "child.log"
        self.child.write_text(_CHILD.format(log=self.child_log, folder=folder))
        measured = {name: os.environ[name] for name in os.environ if name.startswith("COVERAGE_")}
        self.env = {
            "PATH": os.defpath, "HOME": str(folder), "CONSUL_HTTP_ADDR": url, **measured,
        }  # fmt: skip

    def environ(self) -> Mapping[str, str]:
        """Return the environment that it gets: nothing of ours."""
        return self.env

    def variables(self, *arguments: str) -> dict[str, str]:
        """Return the environment that a child gets."""
        done = self.run("-once", *arguments, "env")
        assert done.returncode == 0, done.stderr
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    def keep(self, *arguments: str, child: str | None = None) -> None:
        """Start with the child that keeps a log, or another line, and leave it running."""
        self.start(*arguments, child or f"sh {self.child}")

    def told(self) -> str:
        """Return what the child wrote down."""
        return self.child_log.read_text() if self.child_log.exists() else ""

    def wait_for(self, text: str, limit: float = 10.0) -> None:
        """Wait until the child has written exactly these words, one a line."""
        self._until(lambda: self.told().split("\n") == [*text.split(","), ""], text, limit)

    def wait_for_log(self, text: str, limit: float = 10.0) -> None:
        """Wait until the program's own log says so."""
        self._until(lambda: text in self.log(), text, limit)

    def given(self) -> dict[str, str]:
        """Return the environment that the running child has."""
        lines = (self.folder / "environ").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def _until(self, condition: Callable[[], bool], what: str, limit: float) -> None:
        deadline = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < deadline, f"waited for {what!r}, there is {self.told()!r}"
            time.sleep(0.01)
