"""Make one folder's files equal to another's, each file at once: it stays the same folder. Blocks.

For readers that cannot follow a link: a folder that is mounted, or watched. First everything new
is put in, then what is not there any more is removed. Files that are equal are not touched.
"""

import filecmp
import os
import shutil
from pathlib import Path
from typing import Final

__all__ = ["copied"]

_NEW: Final = ".pinnace-new"
_GIT: Final = ".git"


def copied(source: Path, target: Path) -> None:
    """Make ``target`` equal to ``source``, but for ``.git``; stopped in between, do it again."""
    _add(source, target)
    _clear(source, target)


def _add(source: Path, target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        target.unlink()
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(os.scandir(source), key=lambda each: each.name):
        if entry.name == _GIT:
            continue
        goal = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            _add(Path(entry.path), goal)
        elif not _is_same(Path(entry.path), goal):
            _put(Path(entry.path), goal)


def _put(source: Path, goal: Path) -> None:
    if goal.is_dir() and not goal.is_symlink():
        shutil.rmtree(goal)
    new = goal.with_name(_NEW)
    new.unlink(missing_ok=True)
    shutil.copy2(source, new, follow_symlinks=False)
    new.replace(goal)


def _is_same(source: Path, goal: Path) -> bool:
    if source.is_symlink() or goal.is_symlink():
        return source.is_symlink() and goal.is_symlink() and source.readlink() == goal.readlink()
    if not goal.is_file() or source.stat().st_mode != goal.stat().st_mode:
        return False
    return filecmp.cmp(source, goal, shallow=False)


def _clear(source: Path, target: Path) -> None:
    for entry in sorted(os.scandir(target), key=lambda each: each.name):
        twin = source / entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name == _GIT or not os.path.lexists(twin):
            shutil.rmtree(entry.path) if is_folder else Path(entry.path).unlink()
        elif is_folder:
            _clear(twin, Path(entry.path))
