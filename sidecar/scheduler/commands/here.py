"""What a command means when it is given no file or no stack: what lies in the working directory."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sidecar.scheduler.client import Client, Refused
from sidecar.scheduler.commands.asking import USAGE, complain
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.files import gather

__all__ = ["files_or_here", "stack_or_here"]

_FILES: Final = (
    "compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml", "stack.yaml",
    "stack.yml",
)  # fmt: skip


def files_or_here(files: Sequence[str]) -> Sequence[str]:
    """Return the files, or the one that lies here. Ends the program when there is none."""
    if files:
        return files
    found = _here()
    if found is None:
        complain(f"name the stack file: none of {', '.join(_FILES)} is here")
        raise SystemExit(USAGE)
    return [found.name]


def stack_or_here(name: str, client: Client) -> str:
    """Return the stack that is named, that of the file here, or the only one. Raises Refused."""
    if name:
        return name
    known: list[str] = sorted(each["name"] for each in client.get("stacks")["stacks"])
    text = f"up are {', '.join(known)}" if known else "none is up"
    file = _here()
    if file is not None:
        own = _name_in(file)
        if own not in known:
            raise Refused(404, f"{file.name} here is the stack {own!r}, which is not up; {text}")
        return own
    if len(known) != 1:
        raise Refused(404, f"name the stack; {text}")
    return known[0]


def _here() -> Path | None:
    return next((path for name in _FILES if (path := Path(name)).is_file()), None)


def _name_in(file: Path) -> str:
    _, stack = gather(file, Problems(), os.environ)
    return stack.name
