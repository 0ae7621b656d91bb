"""A git repository to be kept in sync with, and ``pinnace git-sync`` beside it."""

import os
import signal
import subprocess
from pathlib import Path

from tests.support.program import Program

__all__ = ["GitSyncProgram", "Repository"]

_WHO = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
}  # fmt: skip


class Repository:
    """A repository with a work tree, whose files tests change."""

    def __init__(self, folder: Path, **files: str) -> None:
        """Make it with a first commit."""
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main", ".")
        self.first = self.commit(**(files or {"file": "one"}))

    @property
    def url(self) -> str:
        """How it is reached."""
        return f"file://{self.folder}"

    def git(self, *words: str) -> str:
        """Run git in it and return what it says."""
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env={**os.environ, **_WHO}, check=True,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Write files, commit all, return the hash."""
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD")


class GitSyncProgram(Program):
    """git-sync as a process; what it publishes is in ``root / "live"``."""

    ends_by = signal.SIGTERM

    def __init__(self, folder: Path, repo: str) -> None:
        """Sync from there; period and link are fixed."""
        super().__init__(folder, "git-sync")
        self.repo = repo
        self.root = folder / "root"
        self.live = self.root / "live"
        self.env = {"HOME": str(folder)}

    def words(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        fixed = [f"--repo={self.repo}", f"--root={self.root}", "--link=live", "--period=100ms"]
        return [str(self.program), *fixed, "--max-failures=-1", *arguments]

    def once(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Sync once, or fail."""
        return self.run("--one-time", "--max-failures=0", *arguments)

    def text(self, name: str = "file") -> str:
        """Return what readers see."""
        try:
            return (self.live / name).read_text()
        except FileNotFoundError:
            return ""

    @property
    def commit(self) -> str:
        """The commit that is published."""
        return os.path.basename(os.readlink(self.live))
