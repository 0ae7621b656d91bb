"""The folder that is worked in: what is where, and the one step that publishes. Blocks.

    ROOT/.git                        the repository, without files
    ROOT/.worktrees/HASH             the files of a commit; HASH.complete beside it: all are there
    ROOT/.worktrees/again-N/HASH     the same, made anew while a broken one is still published
    ROOT/.pinnace                    the lock, and which commit was copied (``--publish in-place``)
    LINK -> .worktrees/HASH          what readers use

Whatever is killed at any moment, the link leads to complete files, and what lies about is removed
or made anew by the next run: a worktree counts only with its mark, which is written last.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from sidecar.errors import PermanentError
from sidecar.gitsync.copying import copied

__all__ = ["Place"]

_WORKTREES: Final = ".worktrees"
_OWN: Final = ".pinnace"
_AGAIN: Final = "again-"
_MARK: Final = ".complete"
_EMPTY: Final = "a commit without files"
_NEW: Final = ".pinnace-new-link"
_PATIENCE: Final = 3.0  # a git of one of us that was killed may be at work still
_LOOK: Final = 0.05


class PlaceTaken(PermanentError):
    """Something that is not ours stands where we would work."""


class Place:
    """The root folder and the link."""

    def __init__(self, root: str, link: str, *, in_place: bool) -> None:
        """Take paths; the link's is below the root unless it is absolute."""
        self.root = Path(root).absolute()
        self._given = link
        self.in_place = in_place
        self.lock = -1

    @property
    def link(self) -> Path:
        """What readers use."""
        return self.below(self._given)

    def below(self, path: str) -> Path:
        """Return a path, below the root unless it is absolute."""
        return Path(os.path.normpath(self.root / path))

    def open(self) -> None:
        """Make the folder and lock it. Raises PlaceTaken."""
        own = self.root / _OWN
        own.mkdir(parents=True, exist_ok=True)
        self.root = self.root.resolve()
        self._take_lock(own / "lock")
        if not self.in_place and self.link.exists() and not self.link.is_symlink():
            raise PlaceTaken(f"{self.link}: this is no link; remove it, or publish in-place")
        if self.in_place and self.link.is_symlink():
            raise PlaceTaken(f"{self.link}: this is a link; remove it to publish in-place")

    def close(self) -> None:
        """Give the lock back."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def _take_lock(self, path: Path) -> None:
        self.lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    text = f"{self.root}: another process keeps this folder in sync"
                    raise PlaceTaken(text) from None
                time.sleep(_LOOK)  # noqa: TID251  (before the loop runs)
            else:
                return

    def free_locks(self) -> None:
        """Remove what a killed git locked: only one of us works here."""
        git = self.root / ".git"
        for pattern in ("*.lock", "refs/**/*.lock", "worktrees/*/*.lock", "gc.pid"):
            for path in git.glob(pattern):
                path.unlink(missing_ok=True)

    def forget_repository(self) -> None:
        """Remove the repository; published files stay."""
        _remove(self.root / ".git")

    def published(self) -> Path | None:
        """Return the worktree that readers see."""
        if self.in_place:
            mark = self._copied()
            return self.root / _WORKTREES / mark if mark else None
        try:
            target = Path(os.path.normpath(self.link.parent / self.link.readlink()))
        except OSError:
            return None
        return target if self.root / _WORKTREES in target.parents else None

    def worktree(self, commit: str) -> Path:
        """Return where the files of a commit are, or are to be."""
        seen = self.published()
        if seen is not None and seen.name == commit:
            return seen
        return self.root / _WORKTREES / commit

    def fresh_worktree(self, commit: str) -> Path:
        """Return a path for the files of a commit that nobody reads; what was there is gone."""
        folder = self.root / _WORKTREES
        seen = None if self.in_place else self.published()
        path, number = folder / commit, 0
        while path == seen:
            number += 1
            path = folder / f"{_AGAIN}{number}" / commit
        self.remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def is_complete(self, worktree: Path) -> bool:
        """Return whether all files were there once, and some are unless there were none."""
        with suppress(OSError):
            return _mark(worktree).read_text("utf-8") == _EMPTY or _has_files(worktree)
        return False

    def complete(self, worktree: Path) -> None:
        """Mark a worktree as complete."""
        _mark(worktree).write_text("" if _has_files(worktree) else _EMPTY, "utf-8")

    def make_portable(self, worktree: Path) -> None:
        """Let the worktree find its repository also where the volume is mounted elsewhere."""
        file = worktree / ".git"
        target = Path(file.read_text("utf-8").removeprefix("gitdir:").strip())
        relative = os.path.relpath(worktree / target, worktree)
        file.write_text(f"gitdir: {relative}\n", "utf-8")

    def publish(self, worktree: Path) -> None:
        """Let readers see a worktree from now on."""
        if self.in_place:
            self._note(f"{worktree.name} begun")
            copied(worktree, self.link)
            self._note(worktree.name)
            return
        if (old := self.published()) is not None:
            with suppress(OSError):
                os.utime(old)  # from now on it is stale; before, so that no crash can miss it
        self.link.parent.mkdir(parents=True, exist_ok=True)
        new = self.link.parent / _NEW
        new.unlink(missing_ok=True)
        new.symlink_to(os.path.relpath(worktree, self.link.parent))
        new.replace(self.link)

    def stale(self, now: float, timeout: float) -> list[Path]:
        """Return the worktrees that nobody has been told to read for so long."""
        seen = self.published()
        found = []
        for path in self._worktrees():
            with suppress(OSError):
                if path != seen and now - path.stat().st_mtime >= timeout:
                    found.append(path)
        return found

    def unfinished(self) -> list[Path]:
        """Return the worktrees that were never complete: nobody was told to read them."""
        seen = self.published()
        return [path for path in self._worktrees() if path != seen and not _mark(path).exists()]

    def remove(self, worktree: Path) -> None:
        """Remove a worktree, its mark first."""
        _mark(worktree).unlink(missing_ok=True)
        _remove(worktree)
        if worktree.parent.name.startswith(_AGAIN):
            with suppress(OSError):
                worktree.parent.rmdir()

    def _worktrees(self) -> Iterator[Path]:
        folder = self.root / _WORKTREES
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith(_AGAIN):
                yield from (each for each in path.iterdir() if each.suffix != _MARK)
            elif path.suffix != _MARK:
                yield path

    def _copied(self) -> str:
        """Return the commit that was copied to its end, empty for none."""
        try:
            words = (self.root / _OWN / "in-place").read_text("utf-8").split()
        except OSError:
            return ""
        return words[0] if len(words) == 1 and self.link.is_dir() else ""

    def _note(self, text: str) -> None:
        path = self.root / _OWN / "in-place"
        new = path.with_suffix(".new")
        new.write_text(text, "utf-8")
        new.replace(path)


def _has_files(worktree: Path) -> bool:
    return any(each.name != ".git" for each in worktree.iterdir())


def _mark(worktree: Path) -> Path:
    return worktree.with_name(worktree.name + _MARK)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
