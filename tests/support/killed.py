"""Run ``pinnace git-sync`` in a child that is killed at the N-th step; see what is left.

    python -m tests.support.killed LINK TEMPLATE ROOT STEPS ARGUMENTS...

A step is a line of ``sidecar.gitsync`` that runs, in any thread. STEPS is ``count``, or numbers
between commas. For each: ROOT is as TEMPLATE again, a child is killed at the
step, what LINK leads to is noted, another child runs to its end. A JSON line tells what was there.
"""

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import sidecar.gitsync
from sidecar.gitsync.cli import main

_OURS = str(Path(sidecar.gitsync.__file__).parent)


def _traced(at: Callable[[], None]) -> None:
    def trace(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(_OURS):
            return None
        if event == "line":
            at()
        return trace

    threading.settrace(trace)
    sys.settrace(trace)


def _child(arguments: list[str], limit: int, told: int = -1) -> int:
    """Run in a child; kill it at a step (0: never); return its status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    steps = 0

    def at() -> None:
        nonlocal steps
        steps += 1
        if steps == limit:
            os.kill(os.getpid(), signal.SIGKILL)

    _traced(at)
    status = main("git-sync", arguments)
    if told >= 0:
        os.write(told, str(steps).encode())
    os._exit(status)


def _text(link: Path) -> str:
    """Return what readers see: all files' texts."""
    if not link.exists():
        return "nothing"
    files = sorted(path for path in link.resolve().iterdir() if path.name != ".git")
    return ",".join(path.read_text() for path in files)


def _run(link: Path, template: Path, root: Path, steps: str, arguments: list[str]) -> None:
    if steps == "count":
        reading, writing = os.pipe()
        _child(arguments, 0, writing)
        print(os.read(reading, 20).decode())
        return
    for number in map(int, steps.split(",")):
        shutil.rmtree(root, ignore_errors=True)
        if template.exists():
            shutil.copytree(template, root, symlinks=True)
        first = _child(arguments, number)
        between = _text(link)
        last = _child(arguments, 0)
        left = sorted(path.name for path in (root / ".worktrees").iterdir())
        found = {"killed": first == signal.SIGKILL, "between": between, "status": last}
        print(json.dumps({"step": number, **found, "end": _text(link), "left": left}), flush=True)


if __name__ == "__main__":
    _link, _template, _root = map(Path, sys.argv[1:4])
    _run(_link, _template, _root, sys.argv[4], sys.argv[5:])
