"""A proxy as our child process: its program found, its life bound to ours, its words read."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Sequence
from typing import Final

from sidecar.errors import PermanentError

__all__ = ["ENVIRONMENT", "dying_with_us", "find_program", "let_go", "line_of"]

ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}  # no token of ours (reliability T4)
_SILENCE: Final = 1.0  # how long what outlives a killed child may hold its pipe
_MORE_PLACES: Final = "/usr/local/sbin:/usr/sbin:/sbin"  # not in PATH of Debian's plain users


def find_program(given: str, name: str) -> str:
    """Return the path of the ``given`` program or, when empty, of the one by its usual name.

    Raises PermanentError saying what to do.
    """
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), _MORE_PLACES))
    found = shutil.which(given or name, path=places)
    if found is None:
        what = f"{given} is not a program" if given else f"{name} was not found in PATH"
        raise PermanentError(f"{what}; install it (package {name}) or start with --lb none")
    return found


def dying_with_us() -> Sequence[str]:
    """Return the words before a command that has the kernel end it when we end, even by SIGKILL.

    prctl(2) PR_SET_PDEATHSIG, which survives exec. Without the program (it is in util-linux) an
    orphan lives until our next start, which ends it.
    """
    found = shutil.which("setpriv")
    return (found, "--pdeathsig", "TERM", "--") if found else ()


async def line_of(stream: asyncio.StreamReader) -> bytes:
    """Return the next line, empty at the end."""
    try:
        return await stream.readline()
    except ValueError:  # longer than the stream's limit
        return b"(a line too long)\n"


async def let_go(process: asyncio.subprocess.Process) -> None:
    """Wait for a killed child and for the end of its words, which nobody else reads any more.

    asyncio closes the pipe at its end only, and does not wait for it when it has the exit status.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SILENCE):
            while process.stderr is not None and await process.stderr.read(65536):
                pass
    await process.wait()
