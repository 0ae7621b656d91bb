"""Contenders for one lock as real processes, and when each led, under which epoch."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from deploy.tools.freezing import freeze, thaw

__all__ = ["Contender", "Reign", "reigns_of"]


class Reign(NamedTuple):
    """One time of leading."""

    begun: float
    ended: float
    epoch: int
    name: str


class Contender:
    """One process; a context manager that leaves none behind."""

    def __init__(self, folder: Path, name: str, url: str, ttl: float) -> None:
        self.name = name
        self._out = folder / f"{name}.out"
        self._log = folder / f"{name}.log"
        self._command = [
            sys.executable, "-m", "tests.support.contender_main", url, name, str(ttl),
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Kill; show its log when the test failed."""
        self.kill()
        if error is not None:
            sys.stderr.write(self._log.read_text()[-4000:])

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start (again)."""
        with self._out.open("ab") as out, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=out, stderr=log, stdin=subprocess.DEVNULL
            )

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Let it neither run nor end."""
        freeze(self.pid)

    def thaw(self) -> None:
        """Let it run again."""
        thaw(self.pid)

    def reigns(self) -> list[Reign]:
        """Return when it said that it leads."""
        found: list[Reign] = []
        whole = self._out.read_text().rpartition("\n")[0]  # not what is being written
        for line in whole.splitlines():
            at, epoch = json.loads(line)
            begun = found.pop().begun if found and found[-1].epoch == epoch else at
            found.append(Reign(begun, at, epoch, self.name))
        return found


def reigns_of(contenders: Iterable[Contender]) -> list[Reign]:
    """Return the reigns of all, by their beginning."""
    return sorted(reign for each in contenders for reign in each.reigns())
