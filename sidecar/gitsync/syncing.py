"""One sync: look, fetch, make a worktree, publish it, tidy up.

Each step can be repeated, and none shows readers anything but complete files. What fails is tried
again by whoever calls; after a failure the repository is looked at, and made anew if it is broken.
"""

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

from sidecar.errors import PinnaceError
from sidecar.gitsync.access import Access
from sidecar.gitsync.git import Git, GitFailed, redacted
from sidecar.gitsync.options import Options
from sidecar.gitsync.place import Place
from sidecar.metrics import counter
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

__all__ = ["Synced", "Syncing"]

_log = get_logger("git-sync")
_repairs = counter("pinnace_gitsync_repairs_total", "What was broken and made anew", ["what"])
_FETCHED: Final = "refs/pinnace/fetched"
_PUBLISHED: Final = "refs/pinnace/published"
_HASH: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
Before = Callable[[str, Path], Awaitable[None]]


class Synced(NamedTuple):
    """What is published now."""

    commit: str
    worktree: Path
    is_new: bool


class Syncing:
    """Keeps a place equal to a ref."""

    def __init__(
        self, options: Options, access: Access, place: Place, clock: Clock, before: Before
    ) -> None:
        """``before`` is called with commit and files before they are published; it may raise."""
        self._options = options
        self._access = access
        self._place = place
        self._clock = clock
        self._before = before
        self._git = Git(options.git, str(place.root), access.environ, lock=place.lock)
        self._is_checked = False

    async def once(self) -> Synced:
        """Do it once. Raises PinnaceError, TimeoutError or OSError: nothing else has changed."""
        try:
            async with asyncio.timeout(self._options.timeout):
                await asyncio.to_thread(self._access.refresh)
                if not self._is_checked:
                    await self._check_repository()
                    self._is_checked = True
                return await self._sync()
        except (PinnaceError, OSError):
            self._is_checked = False
            raise

    async def tidy(self) -> None:
        """Remove stale worktrees and what git has no use for."""
        place, stale = self._place, self._options.stale_timeout
        found = await asyncio.to_thread(place.stale, self._clock.wall(), stale)
        for path in found:
            _log.info("removing stale files", path=path)
            await asyncio.to_thread(place.remove, path)
        if found:
            await self._git.run("worktree", "prune")
        gc = {"auto": ("--auto",), "aggressive": ("--aggressive",)}.get(self._options.gc, ())
        if found and self._options.gc != "off":
            await self._git.run("reflog", "expire", "--expire-unreachable=all", "--all")
            await self._git.run("gc", *gc, "--prune=now", "--quiet")

    async def _check_repository(self) -> None:
        place = self._place
        await asyncio.to_thread(place.free_locks)
        for path in await asyncio.to_thread(place.unfinished):
            await asyncio.to_thread(place.remove, path)
        git = place.root / ".git"
        if await asyncio.to_thread(git.exists):
            if await self._is_sound():
                # What a sync that failed had fetched may be what fills the disk.
                await self._git.says("prune", "--expire=now")
            else:
                _log.warning("the repository is broken and is made anew", path=git)
                _repairs.labels("repository").inc()
                await asyncio.to_thread(place.forget_repository)
        if not await asyncio.to_thread(git.exists):
            await self._git.run("init", "--quiet", "--initial-branch=git-sync", ".")
        shared = "group" if self._options.is_group_writable else "umask"
        await self._git.run("config", "core.sharedRepository", shared)
        await self._git.run("config", "remote.origin.url", self._options.repo)
        await self._git.run("worktree", "prune")

    async def _is_sound(self) -> bool:
        try:
            top = await self._git.run("rev-parse", "--show-toplevel")
        except GitFailed:
            return False
        if not await asyncio.to_thread(Path(top.strip()).samefile, self._place.root):
            return False
        return await self._git.says("fsck", "--no-progress", "--connectivity-only")

    async def _sync(self) -> Synced:
        place = self._place
        seen = await asyncio.to_thread(place.published)
        commit = self._options.ref
        if not _HASH.fullmatch(commit) or await self._git.hash_of(commit) != commit:
            await self._fetch()
            commit = await self._git.hash_of(_FETCHED)
            if not commit:  # a tag may be of a single file
                raise GitFailed(f"{self._options.ref} leads to no commit")
        if seen is not None and seen.name == commit and await self._is_good(seen, commit):
            return Synced(commit, seen, is_new=False)
        _log.info("update", ref=self._options.ref, old=seen.name if seen else "", new=commit)
        worktree = await asyncio.to_thread(place.worktree, commit)
        if seen == worktree and not place.in_place:
            _log.warning("the published files are broken and are made anew", path=worktree)
            _repairs.labels("worktree").inc()
        if not await self._is_good(worktree, commit):
            worktree = await self._made(commit)
        await self._before(commit, worktree)
        await asyncio.to_thread(place.publish, worktree)
        await self._git.run("update-ref", _PUBLISHED, commit)
        return Synced(commit, worktree, is_new=True)

    async def _fetch(self) -> None:
        options = self._options
        words = ["--no-progress", "--no-tags", "--no-auto-gc", "--no-recurse-submodules"]
        if options.depth:
            words += ["--depth", str(options.depth)]
        elif (await self._git.run("rev-parse", "--is-shallow-repository")).strip() == "true":
            words.append("--unshallow")
        words += [f"--filter={options.filter}"] * bool(options.filter)
        await self._git.run("fetch", *words, "origin", f"+{options.ref}:{_FETCHED}")

    async def _is_good(self, worktree: Path, commit: str) -> bool:
        """Return whether the files are all there: a file that somebody changed is his affair."""
        if not await asyncio.to_thread(self._place.is_complete, worktree):
            return False
        folder = str(worktree)
        if await self._git.hash_of("HEAD", folder) != commit:
            return False
        try:
            return not await self._git.run(
                "diff-files", "--diff-filter=D", "--name-only", folder=folder
            )
        except GitFailed:
            return False

    async def _made(self, commit: str) -> Path:
        """Return a complete worktree of a commit."""
        place, git = self._place, self._git
        path = await asyncio.to_thread(place.fresh_worktree, commit)
        folder = str(path)
        await git.run("worktree", "prune")
        await git.run("worktree", "add", "--force", "--detach", "--no-checkout", folder, commit)
        await asyncio.to_thread(place.make_portable, path)
        await self._narrow(folder)
        await git.run("reset", "--quiet", "--hard", commit, "--", folder=folder)
        if self._options.submodules != "off":
            words = ["--recursive"] * (self._options.submodules == "recursive")
            if self._options.depth:
                words += ["--depth", str(self._options.depth)]
            await git.run("submodule", "update", "--init", *words, folder=folder)
        await asyncio.to_thread(place.complete, path)
        return path

    async def _narrow(self, folder: str) -> None:
        """Let the worktree have only the paths that are wanted."""
        file = self._options.sparse_file
        await self._git.run("config", "core.sparseCheckout", "true" if file else "false")
        if file:
            where = await self._git.run(
                "rev-parse", "--git-path", "info/sparse-checkout", folder=folder
            )
            path = Path(folder, where.strip())
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            await asyncio.to_thread(shutil.copyfile, file, path)


def described(error: Exception, timeout: float) -> str:
    """Return why a sync failed, without secrets."""
    if isinstance(error, TimeoutError):
        return f"it took longer than {timeout:g} s"
    return redacted(str(error) or type(error).__name__)
