"""Run one command: own process group, time limit, bounded output, no secrets in its environment.

Data never becomes part of a command: its words come from the configuration, and what varies in
them is a path that the configuration names too (reliability T4).
"""

import asyncio
import os
import pwd
import re
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sidecar.errors import RenderError

__all__ = ["Command", "Outcome", "as_user", "run", "shell", "without_secrets"]

_OUTPUT: Final = 64 * 1024
_REAP: Final = 5.0
_SECRET: Final = re.compile(
    r"TOKEN|SECRET|PASSW|CREDENTIAL|PRIVATE_?KEY|ACCESS_?KEY|API_?KEY|HTTP_AUTH|BASIC_AUTH"
    r"|CLIENT_KEY|^AUTH_|_AUTH$"
)


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, and for how many seconds at most (None: as long as it takes)."""

    argv: tuple[str, ...]
    timeout: float | None = None

    def __str__(self) -> str:
        """Return the words, a shell's script as it was written."""
        return self.argv[2] if self.argv[:2] == _SHELL else " ".join(self.argv)


_SHELL: Final = ("/bin/sh", "-c")


def shell(script: str, timeout: float | None = None) -> Command:
    """Return the command that has the shell run a script, as confd does."""
    return Command((*_SHELL, script), timeout)


def as_user(name: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words that run a command as another user, with that user's groups.

    By setpriv (util-linux), as the loop's own way to start processes knows no users. Raises
    RenderError for a user that is not known. Reads the machine's list of users.
    """
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise RenderError(f"run_as: the user {name!r} is not known here") from None
    if user.pw_uid == os.geteuid():
        return argv
    who = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups")
    return ("setpriv", *who, "--", *argv)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended. ``status`` is None when it did not start or was killed for its time."""

    status: int | None
    output: str
    problem: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.status == 0

    def __str__(self) -> str:
        """Return why it is not good: ``exit status N``, ``signal: killed``, why there is none."""
        if self.status is None:
            return self.problem
        if self.status >= 0:
            return f"exit status {self.status}"
        return f"signal: {(signal.strsignal(-self.status) or str(-self.status)).lower()}"


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what looks like a token, a password or a key."""
    return {name: value for name, value in environ.items() if not _SECRET.search(name.upper())}


async def run(
    command: Command,
    environ: Mapping[str, str],
    *,
    folder: str | None = None,
    keeps: Sequence[int] = (),
) -> Outcome:
    """Run it in a folder to its end; it inherits the descriptors ``keeps``.

    Its whole process group is killed after the time limit or when cancelled.

    What it leaves in the background is its own affair when it ended in time, as with a shell:
    a reload may start a daemon.
    """
    output = _Output()
    try:
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output.end,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env=environ,
            cwd=folder,
            pass_fds=keeps,
        )
    except (OSError, ValueError) as error:
        return Outcome(None, "", f"cannot run {command.argv[0]}: {error}")
    finally:
        output.begin()
    try:
        async with asyncio.timeout(command.timeout):
            return Outcome(await process.wait(), output.text())
    except TimeoutError:
        limit = f"{command.timeout:g}" if command.timeout is not None else "?"
        await _kill(process)
        return Outcome(None, output.text(), f"killed after {limit} s")
    finally:
        if process.returncode is None:
            await _kill(process)


class _Output:
    """The end of what a command wrote, through a pipe of our own.

    A daemon that the command started may hold the pipe: it is not waited for, but read on, so that
    it neither blocks nor is ended by a closed pipe.
    """

    def __init__(self) -> None:
        self._pipe, self.end = os.pipe2(os.O_CLOEXEC)
        self._kept = b""

    def begin(self) -> None:
        """Give our copy of the writing end up, and read."""
        os.close(self.end)
        os.set_blocking(self._pipe, False)
        asyncio.get_running_loop().add_reader(self._pipe, self._take)

    def text(self) -> str:
        """Return what is there when the command has ended."""
        while self._take():
            pass
        return self._kept.decode("utf-8", "replace")

    def _take(self) -> bool:
        """Read once; say whether there may be more."""
        if self._pipe < 0:
            return False
        try:
            chunk = os.read(self._pipe, 65536)
        except BlockingIOError:
            return False
        self._kept = (self._kept + chunk)[-_OUTPUT:]
        if not chunk:
            asyncio.get_running_loop().remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = -1
        return bool(chunk)


async def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(_REAP):
            await process.wait()
