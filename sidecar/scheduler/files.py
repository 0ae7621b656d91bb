"""A stack file that is watched: what it says is deployed when it changes.

A file that says what it said when it was deployed last changes nothing, so that what people have
ordered since outlives a restart.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sidecar.errors import ConfigError, PinnaceError
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.scheduler.bundle import MOST_BYTES, Bundle, gathered
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.control import Control
from sidecar.scheduler.orders import Orders
from sidecar.scheduler.spec import StackSpec

__all__ = ["StackFile", "folder_of", "gather", "read_file"]

_PAUSE: Final = 1.0
_log = get_logger("scheduler")
_Look = tuple[int, int, int] | None


def read_file(path: str) -> bytes | None:
    """Return a file's content; None when it cannot be read, or is no file of a sane size."""
    try:
        with Path(path).open("rb") as file:
            found = file.read(MOST_BYTES + 1)
    except OSError:
        return None
    return found if len(found) <= MOST_BYTES else None


def folder_of(path: Path) -> str:
    """Return what a stack is called by the folder of its file, as Compose does."""
    return re.sub(r"[^a-z0-9_-]", "", path.parent.name.lower()).lstrip("_-")


def gather(
    path: Path,
    problems: Problems,
    environ: Mapping[str, str],
    *,
    name: str = "",
    profiles: tuple[str, ...] = (),
    more: Sequence[Path] = (),
    content: bytes | None = None,
) -> tuple[Bundle, StackSpec]:
    """Read a stack file, and those that change it, with all they name.

    ``content`` is the first one's, if it was read already. Blocks. Raises ConfigError.
    """
    main, *others = (each.resolve() for each in (path, *more))
    contents = {str(each): content_of(each) for each in others}
    contents[str(main)] = content_of(main) if content is None else content
    return gathered(
        str(main), problems, environ=environ, name=name, base=str(main.parent),
        read=lambda each: contents[each] if each in contents else read_file(each),
        folder=folder_of(main), profiles=profiles, more=tuple(map(str, others)),
    )  # fmt: skip


def content_of(path: Path) -> bytes:
    """Return a file that must be there and be text. Raises ConfigError."""
    try:
        found = path.read_bytes()
        found.decode()
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: this is no UTF-8 at byte {error.start}"]) from None
    return found


class StackFile:
    """Component: deploys a file, and again whenever it says something else."""

    def __init__(
        self,
        path: Path,
        control: Control,
        orders: Orders,
        *,
        clock: Clock,
        environ: Mapping[str, str],
    ) -> None:
        """``environ`` has the variables that it may ask for."""
        self.name = f"stack file {path}"
        self._path = path
        self._control = control
        self._orders = orders
        self._clock = clock
        self._environ = environ
        self._trouble: str | None = None
        self._files: frozenset[str] = frozenset()

    def trouble(self) -> str | None:
        """Return what keeps the file from being deployed, or None."""
        return self._trouble

    async def run(self, ready: Callable[[], None]) -> None:
        """Watch until cancelled. Raises ConfigError when the file is wrong at the start."""
        while not self._control.is_synced:
            await self._clock.sleep(0.05)
        seen = await asyncio.to_thread(self._look)
        await self._take()
        ready()
        while True:
            await self._clock.sleep(_PAUSE)
            now = await asyncio.to_thread(self._look)
            if now == seen:
                continue
            seen = now
            try:
                await self._take()
            except PinnaceError as error:
                self._trouble = str(error)
                _log.error("stack file not taken", file=self._path, reason=error)
                self._control.journal.note("alarm", text=f"{self._path}: {error}")

    async def _take(self) -> None:
        problems = Problems()
        bundle, stack = await asyncio.to_thread(gather, self._path, problems, self._environ)
        if problems.errors:
            raise ConfigError([str(each) for each in problems.errors])
        self._trouble = None
        self._files = frozenset(bundle.files)
        told = self._control.stacks.get(stack.name)
        source = bundle.main
        revisions = told.stack.revisions if told else ()
        last = next((each for each in reversed(revisions) if each.source == source), None)
        is_known = told is not None and told.stack.newest.bundle == bundle
        if not is_known and (last is None or last.bundle != bundle):
            for each in problems:
                _log.warning("stack file", problem=str(each))
            await self._orders.deploy(stack.name, bundle, source=source)

    def _look(self) -> Mapping[str, _Look]:
        return {path: _look_of(Path(path)) for path in {*self._files, str(self._path)}}


def _look_of(path: Path) -> _Look:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
