"""What a person sees: headlines, the commands as typed, their real output, and verdicts."""

import os
import subprocess
import sys
import time
from typing import Final

__all__ = ["Screen"]

_BOLD: Final = "1"
_DIM: Final = "2"
_RED: Final = "31"
_GREEN: Final = "32"
_CYAN: Final = "36"


class Screen:
    """Writes to stdout, in colour when that is a terminal, and remembers the verdicts."""

    def __init__(self) -> None:
        """Begin with no step shown."""
        self.verdicts: list[bool] = []
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._begun = time.monotonic()

    @property
    def all_good(self) -> bool:
        """Whether there was a verdict and none was bad."""
        return bool(self.verdicts) and all(self.verdicts)

    def headline(self, text: str) -> None:
        """Open a step."""
        number = len(self.verdicts) + 1
        self._line("")
        self._line(self._paint(f"{number}. {text}", _BOLD))

    def note(self, text: str) -> None:
        """Say something in passing."""
        for line in text.splitlines():
            self._line(f"   {line}")

    def command(self, line: str, *, env: dict[str, str] | None = None) -> str:
        """Show a shell line, run it, show and return what it printed."""
        self._line(self._paint(f"   $ {line}", _CYAN))
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
            env=env,
        )
        for printed in done.stdout.rstrip().splitlines():
            self._line(self._paint(f"   {printed}", _DIM))
        return done.stdout

    def verdict(self, good: bool, text: str) -> None:
        """Close a step: it showed what it should, or not."""
        self.verdicts.append(good)
        word = self._paint("ok", _GREEN) if good else self._paint("NOT AS EXPECTED", _RED)
        self._line(f"   {word}: {text}")

    def summary(self) -> None:
        """Count the verdicts."""
        good, took = sum(self.verdicts), time.monotonic() - self._begun
        text = f"{good} of {len(self.verdicts)} steps showed what they should, in {took:.0f} s"
        self._line("")
        self._line(self._paint(text, _GREEN if self.all_good else _RED))

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _line(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
