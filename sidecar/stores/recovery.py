"""Start again after damage: the newest content that is whole takes the file's place.

Nothing is deleted: what was damaged is moved aside under a number. The new file is complete and
durable before it takes the name, and a crash in between leaves the copy, so that the next start
with ``--recover`` goes on. Blocking; call in a thread.
"""

import sqlite3
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec

from sidecar.catalog.draft import State
from sidecar.catalog.model import Snapshot
from sidecar.errors import StoreCorrupt, StoreUnavailable
from sidecar.runtime.log import get_logger
from sidecar.stores import statefile
from sidecar.stores.codec import Progress
from sidecar.stores.journal import FILE, GOOD, LOG, MARK, Journal, database_of
from sidecar.stores.mark import read_mark
from sidecar.stores.statefile import Content

__all__ = ["Recovered", "opened", "recover"]

_log = get_logger("store")


class Recovered(NamedTuple):
    """What became of a damaged file."""

    source: str
    """Where the content comes from; empty when the store starts empty."""
    kept_as: str
    """What the damaged file is called now; empty when there was none."""


def opened(directory: Path, *, may_recover: bool) -> tuple[Journal, Snapshot, State]:
    """Open a directory's journal with what it holds, after damage from the copy if that may be.

    Raises StoreDenied, StoreCorrupt or StoreUnavailable.
    """
    try:
        return _loaded(directory)
    except StoreCorrupt as error:
        if not may_recover:
            raise
        reason = error.__cause__ or error
    done = recover(directory)
    journal, snapshot, state = _loaded(directory)
    _log.error(
        "state recovered" if done.source else "state lost: started empty, as there is no good copy",
        reason=reason,
        source=done.source or "none",
        kept_as=done.kept_as or "none",
        index=snapshot.index,
        keys=len(state.kv),
    )
    return journal, snapshot, state


def _loaded(directory: Path) -> tuple[Journal, Snapshot, State]:
    journal = Journal(directory)
    return journal, *journal.load()


def recover(directory: Path) -> Recovered:
    """Put a whole file in place of a damaged one.

    The next start sees an unclean end at the highest index known and skips from there, so that
    no index goes back. Raises StoreUnavailable when the disk does not take it.
    """
    found = [
        (name, content)
        for name in (FILE, GOOD)
        if (content := _content(directory, name)) is not None
    ]
    # The file itself, when only its last commits are missing, is newer than its copy.
    source, content = max(found, key=lambda each: each[1].progress.index, default=("", Content()))
    mark = read_mark(directory / MARK) or Progress()
    index = max(mark.index, *(c.progress.index for _, c in found), 0)
    content = _restarted(content, index)
    ready = directory / (FILE + ".recovered")
    try:
        statefile.write_copy(ready, content)
        kept_as = _move_aside(directory, with_copy=GOOD not in dict(found))
        ready.replace(directory / FILE)
        statefile.sync_directory(directory)
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"cannot recover in {directory}: {error}") from error
    return Recovered(source, kept_as)


def _content(directory: Path, name: str) -> Content | None:
    """Return all of a file that is whole, and leave the file as it is."""
    path = directory / name
    try:
        if name == FILE:
            database, _ = database_of(directory)
        else:
            database = statefile.connect(path, mode="ro")
        try:
            statefile.ensure_tables(database, may_create=False)
            return statefile.read(database)
        finally:
            statefile.close_untouched(database, path)
    except (sqlite3.Error, ValueError, OSError):
        return None


def _restarted(content: Content, index: int) -> Content:
    progress = msgspec.structs.replace(content.progress, index=index, clean=False, run="")
    return Content(progress, content.nodes, content.instances, content.entries, content.sessions)


def _move_aside(directory: Path, *, with_copy: bool) -> str:
    """Rename the damaged files to the first free number; a log keeps its file's name."""
    number = next(n for n in count(1) if not any(directory.glob(f"{FILE}*.broken-{n}*")))
    kept_as = ""
    log = directory / LOG
    if log.exists():
        log.rename(directory / f"{FILE}.broken-{number}-wal")
    for name in (FILE, GOOD) if with_copy else (FILE,):
        path = directory / name
        if path.exists():
            path.rename(directory / f"{name}.broken-{number}")
            kept_as = kept_as or f"{name}.broken-{number}"
    return kept_as
